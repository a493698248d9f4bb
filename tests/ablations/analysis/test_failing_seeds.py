"""Cells whose seeds end far apart are found, and the seeds of them that failed to train."""

from __future__ import annotations

import pytest

from ablations.analysis.claim_effects import FINEST
from ablations.analysis.failing_seeds import Scatter, not_excluded, training_scatter, wide_scatter
from ablations.analysis.results import result_rows
from ablations.analysis.verdicts import judge
from ablations.report.verdict_list import reading_notes
from tests.ablations.analysis.test_verdicts import DEEP, SHALLOW, claim
from tests.ablations.conftest import make_plan, make_records

NEAR = None  # each other


@pytest.mark.parametrize(
    ("values", "failed"),
    [
        ([3.0, 2.0, 90.0], [2]),
        ([90.0, 3.0, 88.0, 2.0], [0, 2]),
        ([0.0, 0.0, 0.0, 89.0], [3]),
        ([3.0, 90.0], [1]),
        ([3.0, 2.0, 4.0], NEAR),
        ([90.0, 89.0, 90.0], NEAR),  # it never trains
        ([3.0, 2.0, 20.0], NEAR),  # less than a quarter of the range
        ([5.0, 25.0, 45.0, 65.0], []),  # it varies
        ([1.0, 20.0, 60.0], []),  # a gap of 40 beside seeds that lie 19 apart
        ([0.0, 30.0, 90.0], []),
        ([0.0, 1.0, 40.0, 70.0, 90.0], []),  # what lies beyond the gap lies farther apart than it is wide
        ([50.0], NEAR),
        ([], NEAR),
    ],
)
def test_which_seeds_failed(values, failed):
    width = max(values, default=0) - min(values, default=0)
    expected = None if failed is NEAR else Scatter(width, frozenset(failed))
    assert wide_scatter(dict(enumerate(values)), 0.0, 100.0) == expected
    mirrored = {seed: 100 - value for seed, value in enumerate(values)}
    assert wide_scatter(mirrored, 0.0, 100.0, worse=-1) == expected
    order = dict(reversed(list(enumerate(values))))
    assert wide_scatter(order, 0.0, 100.0) == expected


def test_a_row_is_looked_at_by_its_training_error_and_only_in_the_seeds_that_are_judged():
    plan = make_plan(seeds=range(5))
    fates = {0: 3.0, 1: 4.0, 2: 90.0, 3: {"status": "diverged", "error": 5.0}, 4: 3.5}
    row = result_rows(plan, make_records(plan, lambda axes, seed: fates[seed]))[0]
    assert training_scatter(row, range(5)) == Scatter(97.0, frozenset({2, 3}))
    assert training_scatter(row, [0, 1, 4]) is None


@pytest.mark.parametrize(("n", "rate"), [(3, 0.63), (5, 0.45), (10, 0.26)])
def test_so_few_seeds_do_not_exclude_that_failures_happen(n, rate):
    assert not_excluded(n) == pytest.approx(rate, abs=0.005)
    assert (1 - not_excluded(n)) ** n == pytest.approx(0.05)


def judged(deep, **about):
    plan = make_plan(claims=[claim(**about)], seeds=range(len(deep)))
    values = {56: deep, 20: [2.0 + 0.1 * seed for seed in range(len(deep))], 8: [1.0] * len(deep)}
    return judge(plan, make_records(plan, lambda axes, seed: values[axes["depth"]][seed]))[0]


def test_a_cell_that_sometimes_fails_is_judged_by_betting_and_said():
    found = judged([3.0, 90.0, 4.0, 3.5, 2.5])
    assert (found.outcome, found.effect.judged) == ("inconclusive", "mean, by betting")
    assert (found.effect.low, found.effect.high) == (-100.0, 100.0)
    said = "plain-56 fails to train in 1 of 5 seeds, the typical seed +1.20, 5 of 5 seeds above 0"
    assert found.reason == said


def test_a_cell_that_varies_is_judged_so_too():
    found = judged([5.0, 25.0, 45.0, 65.0])
    assert found.effect.judged == "mean, by betting"
    assert found.reason.startswith("the seeds of plain-56 end up to 60 points of error apart, the typical seed")


def test_a_loss_without_ends_is_judged_by_signs_there():
    found = judged([3.0, 90.0, 4.0, 3.5, 2.5], metric="test_loss")
    assert found.effect.judged == "median, by signs"
    assert "plain-56 fails to train in 1 of 5 seeds" in found.reason


def test_a_metric_without_a_better_side_is_judged_there_as_elsewhere():
    plan = make_plan(claims=[claim(metric="diverged")], seeds=range(5))
    records = make_records(plan, lambda axes, seed: {"status": "diverged"} if seed == 1 else 3.0)
    found = judge(plan, records)[0]
    assert (found.effect.judged, found.reason) == ("share of the seeds", "")


def test_beside_few_seeds_stands_what_they_do_not_exclude():
    found = judged([3.0, 4.0, 3.5])
    said = "Failures that are not excluded where none was seen"
    assert f"{said}: 3 seeds 63% of all seeds." in reading_notes([found], 0.05)
    assert said not in "".join(reading_notes([judged([3.0 + 0.1 * seed**2 for seed in range(25)])], 0.05))


def test_the_step_of_a_metric_is_at_most_a_part_of_its_range():
    """0, 0, 0 and 10, 10, 10: nobody knows the step, and it is not 10."""
    plan = make_plan({"block": ["plain"], "depth": [20, 56]}, claims=[claim()])
    records = make_records(plan, lambda axes, seed: 10.0 if axes["depth"] == DEEP["depth"] else 0.0)
    assert {SHALLOW["depth"], DEEP["depth"]} == {20, 56}
    assert judge(plan, records)[0].effect.sd == pytest.approx(100 / FINEST / 2)
