"""The picture shows the rows' numbers, every line told apart, and nothing where there is no numeric axis."""

from __future__ import annotations

import pytest

from ablations.analysis.results import result_rows
from ablations.report.dot_plot import dot_chart, names_of
from ablations.report.figures import DASHES, OKABE_ITO, error_chart, in_turn, numeric_axis, series_of
from tests.ablations.conftest import make_plan, make_records


def by_depth(axes, seed):
    return {8: 1.0, 20: 2.0, 56: 60.0}[axes["depth"]] + seed


@pytest.fixture
def rows(plan):
    return result_rows(plan, make_records(plan, by_depth))


def values_of(chart, key):
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(item for item in node.get("values", []) if isinstance(item, dict) and key in item)
            node = list(node.values())
        for child in node if isinstance(node, list) else []:
            walk(child)

    walk(chart.to_dict())
    return found


def test_lines_hold_the_means_in_order_of_x(rows):
    assert series_of(rows, "train_error") == {
        "plain": [(8, 2.0), (20, 3.0), (56, 61.0)],
        "residual": [(8, 2.0), (20, 3.0), (56, 61.0)],
    }


def test_a_grid_without_numbers_or_without_runs_has_no_picture(plan):
    words = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]})
    rows = result_rows(words, make_records(words))
    assert numeric_axis(rows) is None
    assert error_chart(words, rows) is None
    assert error_chart(plan, result_rows(plan, {})) is None


def test_the_chart_holds_every_run_and_the_deviation(plan, rows):
    chart = error_chart(plan, rows)
    points = values_of(chart, "error")
    assert len({(p["metric"], p["series"], p["x"], p["error"]) for p in points}) == 2 * 18
    bars = {(m["low"], m["mean"], m["high"]) for m in values_of(chart, "mean") if m["x"] == 56}
    assert bars == {(60.0, 61.0, 62.0)}
    assert chart.to_dict()["title"]["text"] == plan["study"]["question"]


def test_further_axes_name_the_line():
    plan = make_plan({"depth": [8, 20], "block": ["plain", "residual"], "shortcut": ["A", "B"]})
    rows = result_rows(plan, make_records(plan))
    assert list(series_of(rows, "test_error")) == ["plain", "residual, A", "residual, B"]


@pytest.mark.parametrize("n", [7, 24, len(OKABE_ITO) * len(DASHES)])
def test_lines_are_told_apart_by_colour_and_dash(n):
    pairs = list(zip(*in_turn([str(i) for i in range(n)]), strict=True))
    assert all(one not in pairs[:i] for i, one in enumerate(pairs))
    assert (n > len(OKABE_ITO)) == any(dash != DASHES[0] for _, dash in pairs)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_it_can_be_saved(plan, rows, tmp_path, kind):
    path = tmp_path / f"headline.{kind}"
    error_chart(plan, rows).save(str(path))
    start = path.read_bytes()[:8]
    assert start.startswith(b"<svg" if kind == "svg" else b"\x89PNG")


def test_a_data_note_is_in_the_picture(plan):
    rows = result_rows(plan, make_records(plan, lambda axes, seed: {"note": "synthetic: no result"}))
    for chart in (error_chart(plan, rows), dot_chart(plan, rows)):
        assert "synthetic: no result" in chart.to_dict()["title"]["subtitle"]


def test_a_number_along_which_no_line_goes_is_no_axis_and_cells_are_named_by_what_tells_them_apart():
    grid = {"block": ["plain", "residual"], "norm": ["batch"], "depth": [20, 56]}
    plan = make_plan(grid)
    plan["cells"] = [
        cell for cell in plan["cells"] if (cell["axes"]["block"] == "plain") == (cell["axes"]["depth"] == 20)
    ]
    rows = result_rows(plan, make_records(plan, by_depth))
    assert numeric_axis(rows) is None, "each block has one depth"
    assert names_of(rows) == ["plain", "residual"]
    means = values_of(dot_chart(plan, rows), "mean")
    assert {(one["metric"], one["cell"], one["mean"]) for one in means} == {
        (metric, cell, mean)
        for metric in ("train_error", "test_error")
        for cell, mean in (("plain", 3.0), ("residual", 61.0))
    }
    assert dot_chart(plan, result_rows(plan, {})) is None


def test_names_take_a_further_axis_only_where_one_is_not_enough():
    plan = make_plan({"block": ["plain", "residual"], "norm": ["batch"], "shortcut": ["A", "B"]})
    assert names_of(result_rows(plan, {})) == ["plain", "residual, A", "residual, B"]
