"""A figure shows the numbers of the rows, tells its lines apart, and is not there where there is nothing to draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import result_rows
from ablations.charts.figures import main_figure
from ablations.charts.looks import axes_of, cell_names, looks_of, numeric_axis
from ablations.charts.pictures import svg
from ablations.report.answer import Answer
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records


def by_depth(axes, seed):
    return {8: 1.0, 20: 2.0, 56: 60.0}[axes["depth"]] + seed


def drawn(plan, errors=by_depth, runs=Path("runs")):
    return main_figure(Answer(plan, make_records(plan, errors), runs))


def lines_of(figure):
    return [dict(zip(figure.rows, line, strict=True)) for line in zip(*figure.rows.values(), strict=True)]


def test_it_holds_the_means_their_deviation_and_every_run(plan):
    figure = drawn(plan)
    means = [line for line in lines_of(figure) if not line["single"]]
    assert {(line["series"], line["x"], line["mean"]) for line in means} == {
        (block, depth, mean) for block in ("plain", "residual") for depth, mean in ((8, 2.0), (20, 3.0), (56, 61.0))
    }
    assert {(line["low"], line["high"]) for line in means if line["x"] == 56} == {(60.0, 62.0)}
    assert len({(line["part"], line["series"], line["x"], line["mean"]) for line in lines_of(figure)}) == 2 * 18
    assert figure.caption == "Mean ± sd over 3 seeds; small dots are single runs."


def test_where_no_axis_is_a_number_it_has_a_line_a_cell_and_without_runs_it_is_not_there(plan):
    words = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]})
    figure = drawn(words, lambda axes, seed: 5.0)
    assert {line["label"] for line in lines_of(figure)} == {"plain", "residual, A", "residual, B"}
    assert "shape" not in str(figure.spec)
    assert main_figure(Answer(plan, {}, Path("runs"))) is None


def test_a_number_along_which_no_line_goes_is_no_axis():
    plan = make_plan({"block": ["plain", "residual"], "depth": [20, 56]})
    plan["cells"] = [
        cell for cell in plan["cells"] if (cell["axes"]["block"] == "plain") == (cell["axes"]["depth"] == 20)
    ]
    rows = result_rows(plan, make_records(plan, by_depth))
    assert numeric_axis(rows) is None, "each block has one depth"
    assert cell_names(axes_of(plan, rows)) == ["plain, depth=20", "residual, depth=56"]


def test_a_matched_width_breaks_no_line():
    plan = make_plan({"block": ["plain", "residual"], "depth": [8, 20], BUDGET: ["matched"]})
    plan["swept"] = [*plan["swept"], "width"]
    for number, cell in enumerate(plan["cells"]):
        cell["axes"]["width"] = 16 + number
    figure = drawn(plan)
    assert {line["series"] for line in lines_of(figure)} == {"plain", "residual"}


GRIDS = {
    "seven": {"a": list("1234567")},
    "two axes": {"depth": [8, 14, 20, 26], "a": list("xyz")},
    "in turn": {"a": list("stuvwxyz"), "b": list("xyz")},
    "in order": {"depth": list(range(8, 68, 6))},
    "many": {"a": list("stuvwxyz"), "b": list("uvwxyz")},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_no_two_cells_look_alike(grid):
    plan = make_plan(grid, seeds=(0,))
    rows = result_rows(plan, make_records(plan, lambda axes, seed: 5.0))
    looks = looks_of(axes_of(plan, rows), without=(), cells=len(rows))
    assert len(set(zip(*looks.columns.values(), strict=True))) == len(rows)
    colours, dash = looks.colour["scale"]["domain"], looks.dash
    many = "scheme" in looks.colour["scale"]
    assert many == (grid in (GRIDS["in order"], GRIDS["many"]))
    if not many:
        pairs = set()
        for cell in range(len(rows)):
            colour = colours.index(looks.columns["colour"][cell]) % 7
            scale = dash and dash["scale"]
            at = dash and scale["range"][scale["domain"].index(looks.columns[dash["field"]][cell])]
            pairs.add((colour, str(at)))
        assert len(pairs) == len(rows)


def test_a_note_of_the_data_and_what_diverged_are_said(plan):
    lost = {"note": "synthetic: no result", "status": "diverged"}
    figure = drawn(plan, lambda axes, seed: lost if seed == 0 else 5.0)
    assert figure.caption.endswith("6 diverged, drawn with the error as measured. synthetic: no result")


@pytest.mark.parametrize("objectives", [["val_error", "macs"], ["val_error"]], ids=["front", "history"])
def test_a_panel_for_each_tuning_has_its_trials_and_its_own_winners(tmp_path, objectives):
    plan = make_plan({"block": ["plain", "residual"]}, seeds=(0,))
    plan["study"] |= {"space": {"depth": [8, 20]}, "search": {"trials": 3, "objectives": objectives}}
    plan["study"]["tunings"] = [
        {"name": f"{block}-12345678", "point": {"block": block}} for block in ("plain", "residual")
    ]
    for tuning in plan["study"]["tunings"]:
        for number in range(3):
            values = dict(zip(objectives, (30.0 - 2 * number, 1e6 * (number + 1)), strict=False))
            state = {"state": "pruned", "values": {}} if number == 1 else {"state": "complete", "values": values}
            about = {"tuning": tuning["name"], "number": number, "point": {}, "suggested": {}, "constraints": {}}
            about |= {"runs": [], "cell": f"c{number}", "label": "l", **state}
            write_trial(trial_folder(tmp_path, plan["name"], tuning["name"], number), about)
    figure = drawn(plan, lambda axes, seed: 3.0, tmp_path)
    lines = [line for line in lines_of(figure) if line["tuning"] == "plain"]
    if len(objectives) > 1:
        assert [line["kind"] for line in lines] == ["front", "front", "fresh seeds, mean ± sd"]
    else:
        assert [(line["trial"], line["value"], line["best"]) for line in lines] == [
            (0, 30.0, 30.0),
            (1, None, None),
            (2, 26.0, 26.0),
        ]
    assert svg(figure).count("<path") > 6
