"""Betting tests the mean of bounded numbers, whatever their distribution, at every look."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ablations.analysis.betting import BETS, BoundedMean
from ablations.analysis.statistics import ALPHA


def errors(values, low=0.0, high=100.0):
    return BoundedMean(tuple(values), low, high)


def by_definition(values, bound):
    """1 / the largest capital of a player who bets, from the first number on, that the mean of [0, 100] is above."""
    bets, largest = [(k + 0.5) / BETS for k in range(BETS)], 0.0
    for n in range(1, len(values) + 1):
        capitals = [np.prod([1 + bet * (x - bound) / bound for x in values[:n]]) for bet in bets]
        largest = max(largest, float(np.mean(capitals)))
    return min(1.0, 1 / largest)


@pytest.mark.parametrize("n", [1, 3, 8, 20])
def test_p_is_one_over_the_largest_capital(n):
    values = np.random.default_rng(n).uniform(0, 100, n) ** 2 / 100
    for bound in (5.0, 20.0, 33.0, 60.0):
        assert errors(values).p(bound, above=True) == pytest.approx(by_definition(values, bound))
        assert errors(values).p(bound, above=False) == pytest.approx(by_definition(100 - values, 100 - bound))


def test_the_order_of_numbers_that_all_win_does_not_matter():
    values = (12.0, 40.0, 90.0, 13.0)
    every = {round(errors(order).p(10.0, above=True), 12) for order in itertools.permutations(values)}
    assert len(every) == 1


def test_other_ends_are_another_scale():
    values = np.array([3.0, 50.0, 4.0, 2.0])
    shifted = errors(2 * values - 100, -100.0, 100.0)
    assert shifted.p(-20.0, above=False) == pytest.approx(errors(values).p(40.0, above=False))
    assert shifted.mean == pytest.approx(2 * errors(values).mean - 100)


def test_a_bound_outside_is_certain():
    certain = errors([0.0, 100.0])
    assert (certain.p(-1.0, above=True), certain.p(101.0, above=False)) == (0.0, 0.0)
    assert (certain.p(100.0, above=True), certain.p(0.0, above=False), certain.p(0.0, above=True)) == (1.0, 1.0, 1.0)


def test_the_interval_holds_the_mean_and_ends_where_p_is_at_its_level():
    for seed in range(20):
        values = np.random.default_rng(seed).beta(0.2, 0.5, 3 + 2 * seed) * 100
        effect = errors(values)
        low, high = effect.interval
        assert 0 <= low <= effect.mean <= high <= 100
        for end, above in ((low, True), (high, False)):
            if end not in (0, 100):
                assert effect.p(end, above=above) == pytest.approx(ALPHA / 2, rel=1e-3)


@pytest.mark.parametrize("fails", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("above", [True, False])
def test_it_is_rarely_wrong_of_a_cell_that_sometimes_fails(fails, above):
    """At any of 40 looks; most seeds end near 3%, some at 90%. The bound is the true mean."""
    studies, horizon = 1000, 40
    random = np.random.default_rng(3)
    failed = random.random((studies, horizon)) < fails
    values = np.where(failed, 90.0, random.uniform(1, 5, (studies, horizon)))
    truth = fails * 90.0 + (1 - fails) * 3.0
    last = [errors(study) for study in values]  # its p is the least of all looks
    wrong = np.mean([one.p(truth, above=above) <= ALPHA for one in last])
    assert wrong <= 0.055


def test_more_seeds_never_take_a_p_back():
    values = np.random.default_rng(0).uniform(0, 60, 30)
    for above in (True, False):
        found = [errors(values[:n]).p(40.0, above=above) for n in range(1, 31)]
        assert found == sorted(found, reverse=True)


def test_power_grows_to_1_where_the_best_bet_gains_enough():
    effect = errors([2.0, 3.0, 2.5, 90.0])
    power = effect.power(50.0, np.arange(4, 200), ALPHA, above=False)
    assert 0 < power[0] < power[-1] == 1
    assert (np.diff(power) >= 0).all()
    assert effect.power(50.0, 10_000, ALPHA, above=True) == 0
