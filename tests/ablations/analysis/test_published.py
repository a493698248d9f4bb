"""Agreement with a published number: Welch's test where its spread is known, and stated assumptions where it is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablations.analysis.looking import t_critical, t_looked
from ablations.analysis.published import agreement
from ablations.analysis.statistics import ALPHA
from ablations.analysis.verdicts import judge
from benchmarks.crossed import false_agreements
from tests.ablations.conftest import make_plan, make_records

OURS = [6.2, 6.9, 6.4, 7.3, 6.6]


def test_a_known_spread_gives_welchs_test() -> None:
    theirs = np.array([6.1, 6.5, 5.9, 6.3])
    found = agreement(OURS, theirs.mean(), theirs.std(ddof=1), 4)
    welch = stats.ttest_ind(OURS, theirs, equal_var=False, alternative="greater")
    assert found.mean == pytest.approx(np.mean(OURS) - theirs.mean())
    assert found.df == pytest.approx(welch.df)
    assert found.p(above=True) == pytest.approx(welch.pvalue)
    assert found.p(above=False) == pytest.approx(1 - welch.pvalue)
    both = stats.ttest_ind(OURS, theirs, equal_var=False).confidence_interval(1 - ALPHA)
    assert found.interval == pytest.approx((both.low, both.high))


def test_an_unknown_spread_is_ours_and_an_unknown_number_of_runs_one() -> None:
    """A new run of ours is the published one: the prediction interval."""
    found, s = agreement(OURS, 6.0), np.std(OURS, ddof=1)
    assert found.standard_error == pytest.approx(s * math.sqrt(1 / 5 + 1))
    assert found.df == 4
    assert agreement(OURS, 6.0, None, 5).standard_error == pytest.approx(s * math.sqrt(2 / 5))


def test_less_that_is_published_never_shows_more() -> None:
    """From an sd and its number of runs to neither: the interval only widens."""
    widths = [
        high - low
        for low, high in (
            agreement(OURS, 6.0, *known).interval or (0, 0) for known in [(0.3, 5), (0.3, 3), (0.3, None)]
        )
    ]
    assert widths == sorted(widths)
    assert agreement(OURS, 6.0, 0.3, 1).interval == agreement(OURS, 6.0, 0.3, None).interval


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ((0.16, 5), "published sd 0.16 of 5 runs"),
        ((0.16, None), "published sd 0.16, number of runs unknown, taken as one"),
        ((None, 5), "published spread unknown, taken to be ours (5 runs)"),
        ((None, 1), "published spread unknown, taken to be ours (1 run)"),
        ((None, None), "published spread unknown, taken to be ours; number of runs unknown, taken as one"),
    ],
)
def test_it_says_what_it_assumes(known: tuple, words: str) -> None:
    assert agreement(OURS, 6.0, *known).words == words


def test_where_nothing_scatters_there_is_no_interval() -> None:
    assert agreement([0.1 + 0.2, 0.3, 0.3], 0.3).interval is None, "rounding is no scatter"
    for found in (agreement([5.0] * 4, 5.0), agreement([5.0] * 4, 5.0, 0.0, 3)):
        assert found.interval is None
        assert found.p(-0.5, above=True) == 0.5**4
        assert found.p(0.0, above=True) == 1
        assert list(found.power(-0.5, [4, 5], 0.05, above=True)) == [0, 1]
    known = agreement([5.0] * 4, 5.0, 0.2, 5)
    assert known.df == 4
    assert known.interval == pytest.approx(stats.t.interval(0.95, 4, 0, 0.2 / math.sqrt(5)))


def test_looks_are_allowed_for_as_by_the_t_test() -> None:
    found = agreement(OURS, 6.0, 0.2, 5)
    assert found.p(0.1, horizon=30, above=True) == t_looked(found.p(0.1, above=True), 30) > found.p(0.1, above=True)
    assert found.p(0.1, horizon=30, above=True) == pytest.approx(found.p(2 * found.mean - 0.1, horizon=30, above=False))
    assert found.critical(ALPHA, 30, 0.0, above=True) == t_critical(ALPHA, 30)


def test_one_published_number_is_not_drawn_again() -> None:
    assert agreement(OURS * 3, 6.0).bootstrap is None


def test_seeds_of_ours_cannot_buy_what_one_published_run_does_not_hold() -> None:
    found, n = agreement(OURS, 6.68), np.array([5, 100])
    assert (found.power(-0.1, n, 0.05, above=True) < 0.2).all()
    assert found.power(-4.0, n, 0.05, above=True)[1] > 0.99


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_it_is_rarely_wrong_at_the_edge_of_its_margin(seeds: int, runs: int, known: bool) -> None:
    supported, contradicted = false_agreements(seeds, runs, known=known, draws=2000)
    limit = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 2000)
    assert supported <= limit
    assert contradicted <= limit


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([5.0], 5.0), "at least 2 runs"),
        (([5.0, math.inf], 5.0), "finite values"),
        (([5.0, 6.0], 5.0, -0.1), "0 or more"),
        (([5.0, 6.0], 5.0, 0.1, 0), "1 run or more"),
    ],
)
def test_what_cannot_be_compared_is_refused(given: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        agreement(*given)


@pytest.mark.parametrize(("expect", "assumed"), [("within 1 of published", True), ("within 1", False)])
def test_a_published_difference_scatters_too(expect: str, *, assumed: bool) -> None:
    deep, shallow = {"block": "plain", "depth": 56}, {"block": "plain", "depth": 20}
    claim = {"says": "As published.", "metric": "test_error", "contrast": {"plus": deep, "minus": shallow}}
    plan = make_plan(seeds=range(9), claims=[claim | {"expect": expect, "published": 3.0}])
    records = make_records(plan, lambda axes, seed: 5 + 3 * (axes["depth"] == 56) + 0.1 * (seed * axes["depth"] % 5))
    (verdict,) = judge(plan, records)
    assert ("published spread unknown, taken to be ours" in verdict.reason) == assumed
    assert verdict.effect is not None
    assert verdict.effect.mean == pytest.approx(0.0 if assumed else 3.0, abs=0.3)
    assert verdict.outcome == ("supported" if assumed else "contradicted")
