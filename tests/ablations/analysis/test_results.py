"""There is one row for each cell, in the order of the grid; diverged, failed and missing runs are counted."""

from __future__ import annotations

import math
import statistics

import pytest

from ablations.analysis.results import Spread, best_row, invalid_points, result_rows
from tests.ablations.conftest import make_plan, make_records


def row_of(rows, **shown):
    (found,) = [row for row in rows if all(row.shown[axis] == value for axis, value in shown.items())]
    return found


def test_mean_and_sample_deviation_are_those_computed_by_hand():
    spread = Spread.of([1.0, 2.0, 6.0])
    assert (spread.mean, spread.n) == (3.0, 3)
    assert spread.sd == pytest.approx(math.sqrt((4 + 1 + 9) / 2))  # n − 1
    assert spread.sd == pytest.approx(statistics.stdev([1, 2, 6]))


def test_one_run_has_a_mean_and_no_deviation():
    assert Spread.of([4.0]) == Spread(mean=4.0, sd=None, n=1)
    assert Spread.of([]) == Spread(mean=None, sd=None, n=0)


def test_a_mean_is_over_all_runs_or_not_given():
    assert Spread.of([1.0, None, 3.0]).mean is None
    assert Spread.of([1.0, math.inf]) == Spread(mean=math.inf, sd=None, n=2)


def test_rows_are_in_grid_order_whatever_the_order_of_cells():
    plan = make_plan({"block": ["residual", "plain"], "depth": [56, 8, 20]})
    wanted = [(block, depth) for block in ("residual", "plain") for depth in (56, 8, 20)]
    plan["cells"].sort(key=lambda cell: cell["cell"])
    rows = result_rows(plan, {})
    assert [tuple(row.shown.values()) for row in rows] == wanted


def test_a_diverged_run_counts_as_the_worst(plan):
    diverge = {"status": "diverged", "cause": "nan", "metrics": {"train_error": 90.0, "train_loss": None}}
    records = make_records(plan, lambda axes, seed: diverge if (axes["depth"], seed) == (56, 1) else 6.0)
    row = row_of(result_rows(plan, records), block="plain", depth=56)
    assert (row.n, row.diverged, row.planned) == (3, 1, 3)
    assert row.metrics["train_error"].mean == pytest.approx((6 + 100 + 6) / 3)
    assert row.metrics["train_loss"].mean == math.inf
    assert row.metrics["val_loss"].mean == math.inf  # though a number was recorded


def test_failed_and_missing_runs_are_visible_and_uncounted(plan):
    fates = {0: 3.0, 1: {"status": "failed", "cause": "oom"}, 2: None}
    rows = result_rows(plan, make_records(plan, lambda axes, seed: fates[seed]))
    assert {(row.n, row.planned, row.failed, row.missing) for row in rows} == {(1, 3, 1, 1)}
    assert rows[0].metrics["test_error"] == Spread(mean=3.0, sd=None, n=1)


def test_an_inactive_axis_shows_nothing_and_the_cell_is_one_row():
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B", "C"]})
    rows = result_rows(plan, {})
    assert [tuple(row.shown.values()) for row in rows] == [
        ("plain", None),
        ("residual", "A"),
        ("residual", "B"),
        ("residual", "C"),
    ]
    assert len(rows[0].points) == 3


def test_an_axis_no_cell_calls_active_shows_what_the_grid_says():
    plan = make_plan({"block": ["plain", "residual"], "recipe.epochs": [5, 10]})
    for cell in plan["cells"]:
        cell["axes"].pop("recipe.epochs")
    assert [row.shown["recipe.epochs"] for row in result_rows(plan, {})] == [5, 10, 5, 10]


def test_the_best_cell_is_chosen_by_validation_where_the_test_set_disagrees(plan):
    val, test = {8: 1.0, 20: 2.0, 56: 3.0}, {8: 9.0, 20: 0.1, 56: 0.2}
    records = make_records(
        plan, lambda axes, seed: {"metrics": {"val_error": val[axes["depth"]], "test_error": test[axes["depth"]]}}
    )
    assert best_row(result_rows(plan, records)).shown["depth"] == 8


def test_the_best_cell_is_that_of_the_better_side_of_what_its_task_is_judged_by(plan, records):
    def best(**judged):
        return best_row(result_rows({**plan, "study": {**plan["study"], **judged}}, records))

    rows = {row.cell: row.metrics["val_error"].mean for row in result_rows(plan, records)}
    known = {cell: mean for cell, mean in rows.items() if mean is not None}
    assert best().cell == min(known, key=known.get)
    assert best(judged=["val_error", "higher"]).cell == max(known, key=known.get)
    assert best(judged=None) is None, "cells of different tasks are not compared"


def test_nothing_measured_has_no_best_cell(plan):
    assert best_row(result_rows(plan, {})) is None


def test_an_invalid_point_is_a_sentence(plan):
    plan["invalid"] = [{"point": {"depth": 21}, "reason": "depth=21 is not 6n+2; the nearest are 20 and 26"}]
    assert invalid_points(plan) == ["depth=21: depth=21 is not 6n+2; the nearest are 20 and 26"]
