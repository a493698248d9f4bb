"""The tests of ranks, signs and fractions equal those of SciPy and statsmodels; ties are left out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from ablations.analysis.nonparametric import (
    ExactCount,
    PairedProportions,
    Proportion,
    SignedRank,
    sign_power,
    sign_test,
)

INF = math.inf


@pytest.mark.parametrize("values", [(1.0, 2.5, -0.5), (3.0, -1.0, 2.0, 5.0, -4.0, 0.5, 7.0), (-1.0, -2.0, -3.0, 0.5)])
def test_ranks_are_wilcoxons(values):
    for alternative, p in (("greater", SignedRank(values).p_above()), ("less", SignedRank(values).p_below())):
        assert p == pytest.approx(stats.wilcoxon(values, alternative=alternative, method="exact").pvalue)


def test_infinity_is_the_largest_rank_and_against_itself_a_tie():
    assert SignedRank((INF, 1.0, -2.0)).p_above() == pytest.approx(SignedRank((3.0, 1.0, -2.0)).p_above())
    assert SignedRank((INF, INF, 1.0)).p_above() == 0.5**3
    assert SignedRank((math.nan, INF, 1.0)).p_above() == 0.5**2
    assert SignedRank((math.nan, INF, INF)).mean == INF
    assert SignedRank((-INF, 1.0, INF)).mean == 1.0
    assert SignedRank((INF, 1.0, 2.0)).interval is None
    assert SignedRank((INF, 1.0, 2.0)).bootstrap is None


def test_a_cell_alone_is_judged_by_signs():
    assert SignedRank((INF, 9.0, 7.0, 6.5), single=True).p_above(6.0) == 0.5**4
    assert SignedRank((INF, 1.0, 1.5), single=True).p_below(6.0) == stats.binomtest(2, 3, alternative="greater").pvalue


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_signs_by_counting_all_flips(n):
    for values in itertools.product((-1.0, 0.0, 1.0), repeat=n):
        flips = [sum(s * abs(v) for s, v in zip(f, values, strict=True)) for f in itertools.product((-1, 1), repeat=n)]
        counted = np.mean([flip >= sum(values) for flip in flips]) if any(values) else 1.0
        assert PairedProportions(values).p_above() == pytest.approx(counted)


def test_a_contrast_of_shares_is_mcnemars():
    values = (1.0,) * 7 + (-1.0,) * 2 + (0.0,) * 4
    two_sided = mcnemar([[4, 7], [2, 0]], exact=True).pvalue
    assert 2 * PairedProportions(values).p_above() == pytest.approx(two_sided)


def test_a_share_is_binomial():
    share = Proportion((1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert share.interval == pytest.approx(proportion_confint(3, 8, method="beta"))
    assert share.p_above(0.1) == pytest.approx(stats.binom.sf(2, 8, 0.1))
    assert share.p_below(0.9) == pytest.approx(stats.binom.cdf(3, 8, 0.9))


def test_power_is_what_counting_says():
    n, level = np.array([4, 5, 12]), 0.05
    power = sign_power([1.0, 1.0, 1.0], n, level)
    for k, size in enumerate(n):
        wins = [w for w in range(size + 1) if sign_test([1.0] * w + [-1.0] * (size - w)) <= level]
        assert power[k] == pytest.approx(sum(stats.binom.pmf(w, size, 3.5 / 4) for w in wins))
    assert power[0] == 0  # ½⁴ is above 5%
    share = Proportion((1.0,) + (0.0,) * 5)
    for k, size in enumerate(n):
        chance = [stats.binom.pmf(w, size, 1 / 6) for w in range(size + 1)]
        below = [w for w in range(size + 1) if stats.binom.cdf(w, size, 0.5) <= level]
        assert share.power_below(0.5, n, level)[k] == pytest.approx(sum(chance[w] for w in below))
        above = [w for w in range(size + 1) if stats.binom.sf(w - 1, size, 0.01) <= level]
        assert share.power_above(0.01, n, level)[k] == pytest.approx(sum(chance[w] for w in above))


def test_a_share_cannot_lie_outside_0_and_1():
    share = Proportion((1.0, 1.0, 0.0))
    assert (share.p_above(-0.1), share.p_below(1.1)) == (0, 0)
    assert (share.p_above(1.1), share.p_below(-0.1)) == (1, 1)
    assert share.least_p(0.05, above=True) == Proportion((1.0,) * 3).p_above(0.05)
    assert share.least_p(0.05, above=False) == pytest.approx(Proportion((0.0,) * 3).p_below(0.05))


def test_a_count_is_certain():
    assert (ExactCount((5.0,)).p_above(4), ExactCount((5.0,)).p_below(4)) == (0.0, 1.0)
    assert ExactCount((5.0,)).interval is None
