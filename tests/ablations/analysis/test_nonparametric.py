"""The tests of signs and fractions equal those of SciPy and statsmodels; an infinite number never helps."""

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
    Typical,
    sign_power,
    sign_test,
)
from ablations.analysis.statistics import ALPHA, difference_of

INF = math.inf


def test_infinity_is_a_sign_and_against_itself_a_tie():
    assert Typical((INF, INF, INF)).p(above=True) == 0.5**3
    assert Typical((math.nan, INF, INF)).p(above=True) == 0.5**2
    assert Typical((math.nan, INF, INF)).mean == INF
    assert Typical((-INF, 1.0, INF)).mean == 1.0
    assert Typical((INF, 1.0, 2.0)).interval is None
    assert Typical((INF, 1.0, 2.0)).bootstrap is None
    for effect in (Typical((math.nan, INF, 1.0, 2.0)), Typical((math.nan, -INF, 1.0, 2.0))):
        assert 0 <= effect.p(above=False) <= 1
        assert (effect.power(0.0, np.arange(4, 9), 0.05, above=True) >= 0).all()


def test_a_cell_alone_is_judged_by_signs():
    assert Typical((INF, 9.0, 7.0, 6.5), single=True).p(6.0, above=True) == 0.5**4
    certain = stats.binomtest(2, 3, alternative="greater").pvalue
    assert Typical((INF, 1.0, 1.5), single=True).p(6.0, above=False) == certain


@pytest.mark.parametrize("n", [6, 9, 20])
def test_the_interval_of_the_median_is_that_of_the_sign_test(n):
    values = np.random.default_rng(n).normal(size=n)
    low, high = Typical(tuple(values), single=True).interval
    theirs = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert (low, high) == pytest.approx((theirs.low, theirs.high))
    assert Typical(tuple(values[:5]), single=True).interval is None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("horizon", [None, 30])
def test_one_infinite_number_among_ten_never_helps(sign, horizon):
    """Whichever seed diverges: no claim becomes supported that finite numbers left open.

    An infinite number against the claim leaves it open; beside any number so bad the mean would. One on the side of the
    claim counts for no more than the largest of the others.
    """
    draws = np.random.default_rng(4).standard_t(2, (200, 10)) * 0.6 + sign * 0.5
    decided = 0
    for draw, k in ((draw, k) for draw in draws for k in range(0, 10, 3)):
        others = np.delete(draw, k)
        for infinite in (INF, -INF):
            effect = Typical(tuple(np.insert(others, k, infinite)))
            p = effect.p(0.0, horizon, above=sign > 0)
            at_most = by_t(sign * np.insert(others, k, sign * max(sign * others)), horizon)
            assert p >= (at_most if infinite == sign * INF else 0.5)
            assert infinite == sign * INF or effect.power(0.0, 30, ALPHA, above=sign > 0) == 0
            decided += p <= ALPHA
    assert decided > 50  # which are decided all the same


def by_t(values, horizon):
    return difference_of(tuple(values), scale=1).p(0.0, horizon, above=True)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_signs_by_counting_all_flips(n):
    for values in itertools.product((-1.0, 0.0, 1.0), repeat=n):
        flips = [sum(s * abs(v) for s, v in zip(f, values, strict=True)) for f in itertools.product((-1, 1), repeat=n)]
        counted = np.mean([flip >= sum(values) for flip in flips]) if any(values) else 1.0
        assert PairedProportions(values).p(above=True) == pytest.approx(counted)


def test_a_contrast_of_shares_is_mcnemars():
    values = (1.0,) * 7 + (-1.0,) * 2 + (0.0,) * 4
    two_sided = mcnemar([[4, 7], [2, 0]], exact=True).pvalue
    assert 2 * PairedProportions(values).p(above=True) == pytest.approx(two_sided)


def test_a_share_is_binomial():
    share = Proportion((1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert share.interval == pytest.approx(proportion_confint(3, 8, method="beta"))
    assert share.p(0.1, above=True) == pytest.approx(stats.binom.sf(2, 8, 0.1))
    assert share.p(0.9, above=False) == pytest.approx(stats.binom.cdf(3, 8, 0.9))


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
        assert share.power(0.5, n, level, above=False)[k] == pytest.approx(sum(chance[w] for w in below))
        above = [w for w in range(size + 1) if stats.binom.sf(w - 1, size, 0.01) <= level]
        assert share.power(0.01, n, level, above=True)[k] == pytest.approx(sum(chance[w] for w in above))


def test_a_share_cannot_lie_outside_0_and_1():
    share = Proportion((1.0, 1.0, 0.0))
    assert (share.p(-0.1, above=True), share.p(1.1, above=False)) == (0, 0)
    assert (share.p(1.1, above=True), share.p(-0.1, above=False)) == (1, 1)
    assert share.least_p(0.05, above=True) == Proportion((1.0,) * 3).p(0.05, above=True)
    assert share.least_p(0.05, above=False) == pytest.approx(Proportion((0.0,) * 3).p(0.05, above=False))


def test_a_count_is_certain():
    assert (ExactCount((5.0,)).p(4, above=True), ExactCount((5.0,)).p(4, above=False)) == (0.0, 1.0)
    assert ExactCount((5.0,)).interval is None
