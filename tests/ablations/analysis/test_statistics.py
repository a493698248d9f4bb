"""Effects, powers and corrected p values equal those of SciPy and statsmodels, and hand-computed ones."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from ablations.analysis.statistics import ALPHA, bootstrap_interval, difference_of, holm


def paired(plus, minus):
    differences = [a - b for a, b in zip(plus, minus, strict=True)]
    return difference_of(differences, scale=max(map(abs, [*plus, *minus])))


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.3, 4.0])
def test_equals_scipy(n, shift):
    draw = random.Random(n)
    plus = [draw.gauss(5 + shift, 1) for _ in range(n)]
    minus = [draw.gauss(5, 1) for _ in range(n)]
    ours, theirs = paired(plus, minus), stats.ttest_rel(plus, minus)
    assert 2 * min(ours.p(above=True), ours.p(above=False)) == pytest.approx(theirs.pvalue, rel=1e-9)
    assert ours.p(above=True) == pytest.approx(stats.ttest_rel(plus, minus, alternative="greater").pvalue, rel=1e-9)
    assert ours.p(above=False) == pytest.approx(stats.ttest_rel(plus, minus, alternative="less").pvalue, rel=1e-9)
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=1e-9)


def test_equals_the_hand_computed_case():
    found = paired([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])  # differences 1, 2, 3: mean 2, sd 1, t = 2√3
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    half = 4.302652729911275 / 3**0.5  # t(0.975; 2)
    assert found.interval == pytest.approx((2 - half, 2 + half))
    assert 2 * found.p(above=True) == pytest.approx(0.0741799, abs=1e-6)


def test_a_bound_shifts_the_hypothesis():
    found = paired([3.0, 5.0, 7.5], [2.0, 3.0, 4.0])
    shifted = paired([2.5, 4.5, 7.0], [2.0, 3.0, 4.0])
    assert found.p(0.5, above=True) == pytest.approx(shifted.p(above=True))
    assert found.p(0.5, above=False) == pytest.approx(shifted.p(above=False))


def test_the_interval_and_the_p_value_agree():
    found = paired([3.0, 5.0, 7.0], [2.0, 3.0, 4.0])
    low, high = found.interval
    assert found.p(low, above=True) == pytest.approx(ALPHA / 2)
    assert found.p(high, above=False) == pytest.approx(ALPHA / 2)


def test_without_spread_the_sign_test_speaks():
    found = paired([90.3, 50.3, 20.3], [90.2, 50.2, 20.2])  # equal but for rounding
    assert found.sd == 0
    assert found.interval is None
    assert found.p(above=True) == 0.5**3
    assert found.p(above=False) == 1.0
    assert paired([1.0, 2.0], [1.0, 2.0]).p(above=True) == 1.0


@pytest.mark.parametrize(
    ("plus", "minus", "words"),
    [
        ([1.0], [1.0], "at least 2"),
        ([1.0, float("inf")], [1.0, 2.0], "diverged"),
        ([1.0, float("inf")], [1.0, float("inf")], "diverged"),
    ],
)
def test_refuses_in_one_sentence(plus, minus, words):
    with pytest.raises(ValueError, match=words):
        paired(plus, minus)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # 4·.005, 3·.01, 2·.03, then not below .06
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
    ],
)
def test_holm(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted)


def test_holm_is_monotone_and_between_the_p_value_and_bonferroni():
    draw = random.Random(0)
    p_values = [draw.random() ** 3 for _ in range(12)]
    adjusted = holm(p_values)
    ordered = [adjusted[i] for i in sorted(range(12), key=lambda i: p_values[i])]
    assert ordered == sorted(ordered)
    assert all(p <= a <= min(1, 12 * p) for p, a in zip(p_values, adjusted, strict=True))


def test_holm_is_that_of_statsmodels():
    draw = random.Random(1)
    for size in (1, 2, 5, 12):
        p_values = [draw.random() ** 2 for _ in range(size)]
        assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_two_one_sided_tests_are_those_of_statsmodels():
    plus, minus = np.array([3.1, 5.0, 7.2, 4.0]), np.array([2.9, 5.3, 7.0, 4.1])
    ours = paired(list(plus), list(minus))
    theirs, lower, upper = ttost_paired(plus, minus, -0.5, 0.5)
    assert max(ours.p(-0.5, above=True), ours.p(0.5, above=False)) == pytest.approx(theirs)
    assert (ours.p(-0.5, above=True), ours.p(0.5, above=False)) == pytest.approx((lower[1], upper[1]))


@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_power_is_that_of_statsmodels(level):
    found = paired([5.0, 7.0, 9.5], [4.0, 4.5, 9.9])
    n = np.arange(2, 41)
    size = found.mean / found.sd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of its own search
        theirs = [TTestPower().power(size, int(k), level, alternative="larger") for k in n]
        below = [TTestPower().power((found.mean - 2) / found.sd, int(k), level, alternative="smaller") for k in n]
    assert found.power(0.0, n, level, above=True) == pytest.approx(theirs, abs=1e-6)
    assert found.power(2.0, n, level, above=False) == pytest.approx(below, abs=1e-6)


def test_power_is_a_probability_and_grows_however_large_the_effect():
    n = np.arange(2, 101)
    for shift in (1e-9, 1.0, 100.0, 1e6):
        found = paired([shift, shift + 0.5, shift - 0.5], [0.0] * 3)
        for power in (found.power(0.0, n, 0.05, above=True), 1 - found.power(0.0, n, 0.05, above=False)):
            assert ((power >= 0) & (power <= 1)).all()
            assert (np.diff(power) >= -1e-9).all()


def test_the_bootstrap_is_scipys_and_always_the_same():
    values = (1.0, 2.5, 4.0, 3.5, 0.5)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=50_000, random_state=7).confidence_interval
    assert (low, high) == pytest.approx(tuple(theirs), abs=0.08)
    assert bootstrap_interval((2.0, 2.0)) is None
    assert bootstrap_interval((2.0, float("inf"))) is None
