"""p values corrected for looks are those of a simulation and of an enumeration; the corrections are monotone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ablations.analysis.looking import FIRST, binomial_critical, binomial_looked, t_critical, t_looked

P_VALUES = np.geomspace(1e-7, 0.5, 200)
HORIZONS = [3, 4, 5, 7, 10, 11, 20, 30, 33, 100, 101, 200, 1000]


def least_p_of_paths(studies, horizon):
    """For each simulated study the least p value of the t test, over the looks from FIRST up to the horizon."""
    values = np.random.default_rng(7).normal(size=(studies, horizon))
    n = np.arange(1, horizon + 1)
    total, squares = values.cumsum(axis=1), (values**2).cumsum(axis=1)
    sd = np.sqrt((squares - total**2 / n) / np.maximum(n - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = stats.t.sf(total / np.sqrt(n) / sd, n - 1)
    return p[:, FIRST - 1 :].min(axis=1)


@pytest.mark.parametrize("horizon", [3, 5, 10, 30])
def test_the_corrected_p_is_how_often_a_path_falls_so_low(horizon):
    studies = 40_000
    least = least_p_of_paths(studies, horizon)
    for p in (0.001, 0.005, 0.02, 0.1):
        share = np.mean(least <= p)
        error = math.sqrt(share * (1 - share) / studies)
        assert t_looked(p, horizon) == pytest.approx(share, abs=4 * error)


@pytest.mark.parametrize(
    ("horizon", "alpha", "needed"),
    [
        (5, 0.05, 0.0248),
        (5, 0.025, 0.0115),
        (5, 0.0125, 0.0053),
        (10, 0.05, 0.0135),
        (10, 0.025, 0.0060),
        (10, 0.0125, 0.0028),
        (20, 0.05, 0.0088),
        (20, 0.025, 0.0039),
        (30, 0.05, 0.0072),
        (30, 0.025, 0.0032),
    ],
)
def test_the_constants_are_those_of_another_simulation(horizon, alpha, needed):
    assert t_critical(alpha, horizon) == pytest.approx(needed, rel=0.03)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_critical_p_is_the_largest_that_stays_at_the_level(horizon):
    for alpha in (0.05, 0.0125, 0.001, 1e-5):
        needed = t_critical(alpha, horizon)
        assert t_looked(needed, horizon) == pytest.approx(alpha)
        assert needed <= alpha * (1 + 1e-9)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_correction_is_monotone_and_between_p_and_bonferroni(horizon):
    looked = t_looked(P_VALUES, horizon)
    assert (np.diff(looked) >= 0).all()
    assert (looked >= P_VALUES * (1 - 1e-9)).all()
    assert (looked <= np.minimum(1, P_VALUES * max(1, horizon - FIRST + 1)) * (1 + 1e-9)).all()
    assert [t_looked(float(p), horizon) for p in P_VALUES[::40]] == pytest.approx(list(looked[::40]))


def test_more_looks_need_a_smaller_p():
    for fewer, more in itertools.pairwise(HORIZONS):
        assert (t_looked(P_VALUES, fewer) <= t_looked(P_VALUES, more) * (1 + 1e-9)).all()


def test_beyond_the_table_the_union_of_all_looks_counts():
    assert t_looked(1e-6, 202) == pytest.approx(200e-6)
    assert t_critical(0.05, 202) == pytest.approx(0.05 / 200)
    assert t_looked(1e-9, 30) == pytest.approx(28e-9)
    assert t_looked(2e-6, 30) < 0.6 * 28 * 2e-6  # within the table less than that


@pytest.mark.parametrize(("horizon", "share"), [(1, 0.5), (5, 0.5), (10, 0.5), (9, 0.2), (9, 0.7)])
def test_signs_are_counted_over_all_paths(horizon, share):
    """All 2^horizon paths of successes and failures, each with its probability."""
    tail = {(n, k): stats.binom.sf(k - 1, n, share) for n in range(1, horizon + 1) for k in range(n + 1)}
    found = []
    for path in itertools.product((0, 1), repeat=horizon):
        least = min(tail[n, sum(path[:n])] for n in range(1, horizon + 1))
        found.append((least, share ** sum(path) * (1 - share) ** (horizon - sum(path))))
    for p in (0.5**3, 0.5**5, 0.04, 0.011, 0.6):
        enumerated = sum(weight for least, weight in found if least <= p * (1 + 1e-9))
        assert binomial_looked(p, horizon, share) == pytest.approx(enumerated)


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("horizon", [3, 10, 30])
def test_the_critical_p_of_signs_is_the_largest_that_stays_at_the_level(horizon, share):
    """Of the p values that the test can have, the next one is too large."""
    possible = sorted({stats.binom.sf(k - 1, n, share) for n in range(1, horizon + 1) for k in range(n + 1)})
    for alpha in (0.2, 0.05, 0.0125, 1e-12):
        needed = binomial_critical(alpha, horizon, share)
        larger = next(p for p in possible if p > needed * (1 + 1e-9))
        assert binomial_looked(needed, horizon, share) <= alpha if needed else possible[0] > alpha * 0.99
        assert binomial_looked(larger, horizon, share) > alpha


def test_signs_need_a_smaller_p_with_more_looks():
    for p in (0.5**3, 0.5**6, 0.01):
        looked = [binomial_looked(p, horizon) for horizon in (3, 6, 10, 20, 30)]
        assert looked == sorted(looked)
        assert looked[-1] >= p
