"""Colours, dashes and names mean one thing in all charts of a study."""

from __future__ import annotations

import pytest

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import result_rows
from ablations.charts import looks
from ablations.charts.answer_figure import FigureContent
from ablations.charts.figures import figures_of
from ablations.charts.looks import axes_of, cell_names, numeric_axis, row_names
from ablations.charts.options import FigureOptions
from ablations.charts.pictures import panels_of
from ablations.report.answer import Answer
from ablations.report.lines import wrapped
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, write_study


def colours_of(spec):
    """Every colour encoding by field, and every colour that is written out."""
    for panel in panels_of(spec):
        for view in (panel, *panel.get("layer", [])):
            if "color" in (mark := view.get("mark") or {}):
                yield None, mark["color"]
            if (colour := view["encoding"].get("color")) is not None:
                yield colour.get("field"), colour


GRIDS = {
    "two": {"block": ["plain", "residual"], "depth": [8, 20, 56]},
    "three": {"block": ["plain", "residual"], "body": ["basic", "bottleneck"], "depth": [8, 20]},
    "many": {"block": ["a", "b"], "init": ["he", "xavier", "torch"], "norm": ["batch", "none"], "depth": [8, 56]},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_block_has_one_colour_in_all_charts_and_nothing_else_has_it(tmp_path, grid):
    plan = make_plan(grid, seeds=(0,))
    records = make_records(plan, lambda axes, seed: 5.0 + axes["depth"] * (2 if axes["block"] == "plain" else 1))
    write_study(tmp_path, plan, records.values(), blocks=2)
    domains = []
    for figure in figures_of(Answer(plan, records, tmp_path)):
        for field, colour in colours_of(figure.spec):
            if field is None:
                assert (colour.get("value") if isinstance(colour, dict) else colour) not in looks.LIGHT, figure.name
            elif field != "value":  # the heat of a heat map
                domains.append((figure.name, tuple(colour["scale"]["domain"])))
                assert "range" not in colour["scale"], "the theme's colours, in the order of the values"
    assert {name for name, _ in domains} >= {"errors", "curves"}
    assert {domain for _, domain in domains} == {tuple(grid["block"])}


def test_another_order_leaves_each_value_its_colour():
    plan = make_plan(GRIDS["two"], seeds=(0,))
    rows = result_rows(plan, make_records(plan))
    usual, other = (axes_of(plan, rows, FigureOptions(order=order))[0] for order in ({}, {"block": ["residual"]}))
    assert looks.colours(other)["scale"] == looks.colours(usual)["scale"]
    assert looks.colours(other)["legend"]["values"] == other.values == usual.values[::-1]


def test_what_stands_out_has_no_colour_of_a_value(tmp_path):
    assert {looks.NEUTRAL, looks.HIGHLIGHT} & {*looks.LIGHT, *looks.DARK} == set()
    assert len({*looks.LIGHT}) == len(looks.LIGHT) == len(looks.DARK) == len({*looks.DARK})
    plan = make_plan({"block": ["plain"], "depth": [20]}, seeds=(0,))
    objectives = ["val_error", "macs"]
    plan["study"] |= {"space": {"depth": [8, 20]}, "search": {"trials": 3, "objectives": objectives}}
    plan["study"]["tunings"] = [{"name": "t-12345678", "point": {}}]
    for number in range(3):
        values = dict(zip(objectives, (30.0 - number, 1e6 * (number + 1)), strict=True))
        about = {"tuning": "t-12345678", "number": number, "point": {}, "suggested": {}, "constraints": {}, "runs": []}
        write_trial(
            trial_folder(tmp_path, plan["name"], "t-12345678", number),
            about | {"cell": f"c{number}", "label": "l", "state": "complete", "values": values},
        )
    (figure,) = [one for one in figures_of(Answer(plan, make_records(plan), tmp_path)) if one.name == "search"]
    for _, colour in colours_of(figure.spec):
        written = colour["scale"]["range"] if isinstance(colour, dict) else [colour]
        assert not {*written} & {*looks.LIGHT}


def test_the_axis_that_the_claims_compare_has_the_colours():
    grid = {"block": ["plain", "residual"], "norm": ["batch", "none"], "depth": [8, 56]}
    sides = {"plus": {"norm": "none", "block": "plain", "depth": 8}, "minus": {"norm": "batch", "block": "plain"}}
    sides["minus"]["depth"] = 8
    for claims, hue in (([], "block"), ([CLAIM | {"contrast": sides}], "norm")):
        plan = make_plan(grid, claims=claims)
        answer = Answer(plan, make_records(plan), None)
        assert FigureContent.of(answer, FigureOptions()).hue.name == hue
        assert FigureContent.of(answer, FigureOptions(colour="depth")).hue.name == "depth"


def test_a_value_is_named_with_its_axis():
    plan = make_plan({"block": ["plain", "residual"], "depth": [20, 56]})
    rows = result_rows(plan, make_records(plan))
    axes = axes_of(plan, rows)
    assert cell_names(axes)[0] == "block=plain, depth=20"
    assert cell_names(axes, without={"block"})[0] == "depth=20"
    named = axes_of(plan, rows, FigureOptions(labels={"residual": "ResNet", "depth": "layers"}))
    assert cell_names(named)[2] == "ResNet, layers=20"


@pytest.mark.parametrize(
    ("rates", "shown"),
    [
        ([0.014553356178, 0.1, 3], ["0.01455", "0.1", "3"]),
        ([0.014553356178, 0.014553356179], ["0.014553356178", "0.014553356179"]),
        ([1.4553356178e-05, 1000000.0], ["1.455e-05", "1000000.0"]),
    ],
)
def test_a_drawn_number_has_the_digits_that_can_be_read_and_tell_it_apart(rates, shown):
    plan = make_plan({"block": ["plain"], "recipe.lr": rates})
    (axis,) = axes_of(plan, result_rows(plan, make_records(plan)))
    assert axis.values == shown


def test_what_all_cells_have_is_said_once():
    plan = make_plan({"block": ["plain", "residual"], "norm": ["batch", "none"], "depth": [8, 20]})
    axes = axes_of(plan, result_rows(plan, make_records(plan)))
    names, shared = row_names(axes, [0, 2])
    assert names == {0: "norm=batch", 2: "norm=none"}
    assert shared == ["block=plain", "depth=8"]
    assert row_names(axes, [0]) == ({0: "block=plain, norm=batch, depth=8"}, [])


def test_a_long_name_is_broken_and_never_cut():
    name = "block=plain, activation=sigmoid, norm=batch, depth=56"
    assert max(map(len, wrapped(name).split("\n"))) <= 30
    assert wrapped(name).replace("\n", " ") == name


def test_a_number_along_which_no_line_goes_is_no_axis():
    plan = make_plan({"block": ["plain", "residual"], "depth": [20, 56]})
    plan["cells"] = [
        cell for cell in plan["cells"] if (cell["axes"]["block"] == "plain") == (cell["axes"]["depth"] == 20)
    ]
    rows = result_rows(plan, make_records(plan))
    assert numeric_axis(rows) is None, "each block has one depth"
    assert cell_names(axes_of(plan, rows)) == ["block=plain, depth=20", "block=residual, depth=56"]


def test_of_two_axes_of_numbers_errors_are_drawn_against_the_one_that_claims_compare():
    plan = make_plan({"depth": [8, 20], "gate_bias": [-2, 0]})
    rows = result_rows(plan, make_records(plan))
    assert numeric_axis(rows) == "depth"
    assert numeric_axis(rows, {"gate_bias": 1}) == "gate_bias"


def test_a_matched_width_breaks_no_line(tmp_path):
    plan = make_plan({"block": ["plain", "residual"], "depth": [8, 20], BUDGET: ["matched"]})
    plan["swept"] = [*plan["swept"], "width"]
    for number, cell in enumerate(plan["cells"]):
        cell["axes"]["width"] = 16 + number
    (figure,) = [one for one in figures_of(Answer(plan, make_records(plan), tmp_path)) if one.name == "errors"]
    assert {*zip(figure.rows["hue"], figure.rows["rest"], strict=True)} == {("plain", ""), ("residual", "")}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("block=permutation_hyper_connections", ["block=permutation_hyper_", "connections"]),
        ("manifold_hyper_connections", ["manifold_hyper_connections"]),
        ("residual, norm=batch, init=he_fan_out", ["residual, norm=batch,", "init=he_fan_out"]),
        ("x" * 40, ["x" * 30, "x" * 10]),
    ],
)
def test_a_long_name_is_broken_between_its_words(text, lines):
    assert wrapped(text).split("\n") == lines
