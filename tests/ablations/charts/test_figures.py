"""A study's figure shows what its claims judge, with the numbers of the rows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ablations.charts.figures import figures_of, main_figure
from ablations.charts.options import FigureOptions
from ablations.charts.pictures import panels_of, svg
from ablations.report.answer import Answer
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, write_study


def by_depth(axes, seed):
    return {8: 1.0, 20: 2.0, 56: 60.0}[axes["depth"]] + seed


def drawn(plan, errors=by_depth, runs=Path("runs"), **asked):
    return main_figure(Answer(plan, make_records(plan, errors), runs), FigureOptions(**asked))


def lines_of(figure):
    return [dict(zip(figure.rows, line, strict=True)) for line in zip(*figure.rows.values(), strict=True)]


def headings(figure):
    return [panel["title"]["text"] for panel in panels_of(figure.spec)]


def against(figure):
    """Whether each panel is drawn against an axis, rather than a line a cell."""
    return ["x" in panel["encoding"] for panel in panels_of(figure.spec)]


def test_it_holds_the_means_their_deviation_and_every_run(plan):
    figure = drawn(plan)
    means = [line for line in lines_of(figure) if not line["single"]]
    assert {(line["hue"], line["x"], line["mean"]) for line in means} == {
        (block, depth, mean) for block in ("plain", "residual") for depth, mean in ((8, 2.0), (20, 3.0), (56, 61.0))
    }
    assert {(line["low"], line["high"]) for line in means if line["x"] == 56} == {(60.0, 62.0)}
    runs = [line for line in lines_of(figure) if line["single"]]
    assert len({(line["panel"], line["hue"], line["x"], line["mean"]) for line in runs}) == 2 * 18
    assert {line["n"] for line in means} == {3}
    assert figure.caption == "Mean ± sd over 3 seeds; small dots are single runs."
    assert headings(figure) == ["training error", "test error"]


def test_a_search_with_claims_is_answered_by_what_they_judge_and_another_by_its_trials():
    tuning = {"name": "t", "point": {"block": "plain"}}
    for claims, there in (([CLAIM], True), ([], False)):
        plan = make_plan(claims=claims)
        plan["study"] |= {"space": {"recipe.lr": [0.1, 1]}, "search": {"seeds": [10]}, "tunings": [tuning]}
        assert (drawn(plan) is not None) == there, "no trial is in this folder"


def test_where_no_axis_is_a_number_it_has_a_line_a_cell_and_without_runs_it_is_not_there(plan):
    words = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]})
    figure = drawn(words, lambda axes, seed: 5.0)
    assert {line["row"] for line in lines_of(figure)} == {
        "block=plain",
        "block=residual, shortcut=A",
        "block=residual, shortcut=B",
    }
    assert against(figure) == [False, False]
    assert main_figure(Answer(plan, {}, Path("runs"))) is None


def test_a_cell_without_the_axis_is_not_lost():
    plan = make_plan({"block": ["residual"], "gate_bias": [-6, -3, 0]})
    lone = make_plan({"block": ["plain"]})["cells"]
    plan["cells"] += lone
    figure = drawn(plan, lambda axes, seed: 5.0 + seed)
    assert against(figure) == [False, False]
    assert {line["cell"] for line in lines_of(figure)} == {0, 1, 2, 3}


def claim(metric, plus, minus):
    return {**CLAIM, "metric": metric, "contrast": {"plus": plus, "minus": minus}, "published": None}


LESION = claim("lesion_mean", {"block": "plain", "depth": 8}, {"block": "residual", "depth": 8})


def test_the_panels_are_the_metrics_that_claims_judge():
    lesions = {"metrics": {"lesion_mean": 20.0}}
    figure = drawn(make_plan(claims=[LESION]), lambda axes, seed: lesions)
    assert headings(figure) == ["lesion mean"]
    assert {line["mean"] for line in lines_of(figure)} == {20.0}
    both = [LESION, claim("train_error", {"block": "plain", "depth": 56}, {"block": "residual", "depth": 56})]
    assert headings(drawn(make_plan(claims=both), lambda axes, seed: lesions)) == ["lesion mean", "training error"]
    plan = make_plan(claims=[LESION])
    names = [one.name for one in figures_of(Answer(plan, make_records(plan, lambda axes, seed: lesions), Path("runs")))]
    assert names[1:3] == ["answer", "errors"], "the errors are there too"


MANY = {"block": ["plain", "residual"], "norm": list("abcdef"), "init": ["he", "xavier"], "depth": [8, 56]}


def test_of_a_large_study_only_the_cells_that_claims_compare_are_drawn(tmp_path):
    sides = [{"block": "plain", "norm": norm, "init": "he", "depth": 56} for norm in "ab"]
    plan = make_plan(MANY, seeds={"from": 3, "most": 10}, claims=[claim("train_error", *sides)])
    for cell in plan["cells"]:
        if not any(all(cell["axes"][axis] == value for axis, value in side.items()) for side in sides):
            cell["runs"], cell["further"] = cell["runs"][:1], []
    figure = drawn(plan, lambda axes, seed: 5.0 + seed)
    assert len({line["cell"] for line in lines_of(figure)}) == 2
    assert "46 more cells" in figure.caption
    assert {line["row"] for line in lines_of(figure)} == {"norm=a", "norm=b"}
    (subtitle,) = {tuple(panel["title"]["subtitle"]) for panel in panels_of(figure.spec)}
    assert " ".join(subtitle) == "block=plain, init=he, depth=56"


def test_in_a_large_study_each_metric_has_the_cells_that_are_compared_by_it():
    sides = [{"block": "plain", "norm": norm, "init": "he", "depth": 56} for norm in "abcd"]
    claims = [claim("lesion_mean", *sides[:2]), claim("train_error", *sides[2:])]
    figure = drawn(make_plan(MANY, claims=claims), lambda axes, seed: {"metrics": {"lesion_mean": 3.0 + seed}})
    rows = {panel: {line["row"] for line in lines_of(figure) if line["panel"] == panel} for panel in (0, 1)}
    assert rows == {0: {"norm=a", "norm=b"}, 1: {"norm=c", "norm=d"}}


def test_what_is_only_context_is_pale():
    sides = [{"block": block, "depth": 8} for block in ("plain", "residual")]
    plan = make_plan(seeds={"from": 3, "most": 10}, claims=[claim("train_error", *sides)])
    for cell in plan["cells"]:
        if cell["axes"]["depth"] != 8:
            cell["runs"] = cell["runs"][:1]
    figure = drawn(plan)
    assert {(line["x"], line["light"]) for line in lines_of(figure)} == {(8, 0), (20, 1), (56, 1)}
    assert "Pale: cells that no claim names" in figure.caption


def test_while_a_study_trains_only_what_is_there_decides_how_it_is_drawn():
    plan = make_plan()
    figure = drawn(plan, lambda axes, seed: 5.0 + seed if axes["depth"] == 8 else None)
    assert against(figure) == [False, False]
    assert "more cell" not in figure.caption


def test_infinite_numbers_are_counted_and_not_drawn():
    sides = [{"block": "plain", "depth": 8}, {"block": "plain", "depth": 56}]
    lost = {"status": "diverged", "cause": "nan"}
    figure = drawn(
        make_plan(claims=[claim("train_loss", *sides)]), lambda axes, seed: lost if axes["depth"] == 56 else 5.0
    )
    assert "6 infinite numbers cannot be drawn" in figure.caption
    assert all(math.isfinite(line["mean"]) for line in lines_of(figure))


def test_a_person_chooses_metric_axis_colour_order_labels_and_cells(plan):
    figure = drawn(plan, metrics=("val_error",), x="block", colour="depth", labels={"residual": "ResNet"})
    assert headings(figure) == ["validation error"]
    assert {line["x"] for line in lines_of(figure)} == {"plain", "ResNet"}
    assert {line["hue"] for line in lines_of(figure)} == {"8", "20", "56"}
    asked = drawn(plan, order={"block": ("residual", "plain")})
    (panel, _) = panels_of(asked.spec)
    assert panel["encoding"]["color"]["legend"]["values"] == ["residual", "plain"]
    assert {line["hue"] for line in lines_of(drawn(plan, where={"block": "plain"}))} == {"plain"}
    with pytest.raises(ValueError, match=r"does not sweep dept; did you mean depth|does not sweep dept"):
        drawn(plan, x="dept")


def test_a_note_of_the_data_and_what_diverged_are_said(plan):
    lost = {"note": "synthetic: no result", "status": "diverged"}
    figure = drawn(plan, lambda axes, seed: lost if seed == 0 else 5.0)
    assert figure.caption.endswith("6 diverged, which counts as an error of 100%. synthetic: no result")


def write_trials(runs, plan, objectives, trials, axes=("depth",)):
    """Complete trials of each tuning, but the second, which is pruned; the first axis decides the value."""
    for tuning in plan["study"]["tunings"]:
        for number in range(trials):
            values = dict(zip(objectives, (30.0 - 2 * number, 1e6 * (number + 1)), strict=False))
            state = {"state": "pruned", "values": {}} if number == 1 else {"state": "complete", "values": values}
            at = {axis: (8, 20)[(number >= trials / 2) if k == 0 else number % 2] for k, axis in enumerate(axes)}
            about = {"tuning": tuning["name"], "number": number, "point": at, "suggested": at, "constraints": {}}
            about |= {"runs": [], "cell": f"c{number}", "label": "l", **state}
            write_trial(trial_folder(runs, plan["name"], tuning["name"], number), about)


def search_plan(objectives, axes=("depth",)):
    plan = make_plan({"block": ["plain", "residual"]}, seeds=(0,))
    plan["study"] |= {"space": {axis: [8, 20] for axis in axes}, "search": {"trials": 3, "objectives": objectives}}
    plan["study"]["tunings"] = [
        {"name": f"{block}-12345678", "point": {"block": block}} for block in ("plain", "residual")
    ]
    return plan


@pytest.mark.parametrize("objectives", [["val_error", "macs"], ["val_error"]], ids=["front", "history"])
def test_a_panel_for_each_tuning_has_its_trials_and_its_own_winners(tmp_path, objectives):
    plan = search_plan(objectives)
    write_trials(tmp_path, plan, objectives, 3)
    figure = drawn(plan, lambda axes, seed: 3.0, tmp_path)
    lines = [line for line in lines_of(figure) if line["tuning"] == "block=plain"]
    if len(objectives) > 1:
        assert [line["kind"] for line in lines] == ["front", "front", "fresh seeds, mean ± sd"]
        assert lines[2]["odds"] is None, "one seed says nothing"
    else:
        assert [(line["trial"], line["value"], line["best"]) for line in lines] == [
            (0, 30.0, 30.0),
            (1, None, None),
            (2, 26.0, 26.0),
        ]
    assert svg(figure).count("<path") > 6


def test_importances_are_bars_beside_what_noise_reaches(tmp_path):
    plan = search_plan(["val_error"], axes=("depth", "width"))
    write_trials(tmp_path, plan, ["val_error"], 24, axes=("depth", "width"))
    answer = Answer(plan, make_records(plan), tmp_path)
    (figure,) = [one for one in figures_of(answer) if one.name == "importance"]
    lines = [line for line in lines_of(figure) if line["tuning"] == "block=plain"]
    assert {line["row"]: line["named"] for line in lines} == {"depth": 1, "width": 0}
    assert all(line["named"] == (line["share"] > line["floor"]) for line in lines)
    assert sum(line["share"] for line in lines) == pytest.approx(1, abs=0.001)
    assert "depth" in svg(figure)


def test_a_slice_has_every_complete_trial_by_each_axis(tmp_path):
    axes = ("depth", "recipe.lr")
    plan = search_plan(["val_error"], axes=axes)
    write_trials(tmp_path, plan, ["val_error"], 6, axes=axes)
    (figure,) = [one for one in figures_of(Answer(plan, make_records(plan), tmp_path)) if one.name == "slices"]
    assert [panel["encoding"]["x"]["title"] for panel in panels_of(figure.spec)] == ["depth", "lr"]
    lines = lines_of(figure)
    assert len(lines) == 2 * 2 * 5, "two axes, two tunings, six trials of which one was pruned"
    assert {line["x"] for line in lines if line["panel"] == 0 and line["y"] > 24} == {8}
    assert panels_of(figure.spec)[0]["encoding"]["x"]["axis"]["values"] == [8, 20], "ticks at what was tried"
    assert svg(figure).count("<path") > 10


def test_over_all_axes_a_trial_is_a_line_and_the_best_quarter_stands_out(tmp_path):
    axes = ("depth", "recipe.lr", "width")
    plan = search_plan(["val_error"], axes=axes)
    write_trials(tmp_path, plan, ["val_error"], 8, axes=axes)
    (figure,) = [one for one in figures_of(Answer(plan, make_records(plan), tmp_path)) if one.name == "parallel"]
    lines = [line for line in lines_of(figure) if line["tuning"] == "block=plain"]
    assert len(lines) == 3 * 7, "three axes, eight trials of which one was pruned"
    assert {line["trial"] for line in lines if line["good"]} == {7}
    assert [(line["text"], line["at"]) for line in lines if line["axis"] == "depth" and line["text"]] == [
        ("8", 0),
        ("20", 1),
    ], "each value is named once"
    assert svg(figure).count("<path") > 14


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_the_best_so_far_has_a_band_where_its_trial_has_several_seeds(tmp_path, spread):
    plan = search_plan(["val_error"])
    for tuning in plan["study"]["tunings"]:
        for number, value in enumerate((9.0, 5.0, 7.0)):
            about = {"tuning": tuning["name"], "number": number, "point": {}, "suggested": {}, "constraints": {}}
            about |= {
                "runs": [],
                "cell": f"c{number}",
                "label": "l",
                "state": "complete",
                "values": {"val_error": value},
            }
            about |= {"seed_values": {"10": value - spread, "11": value + spread}}
            write_trial(trial_folder(tmp_path, plan["name"], tuning["name"], number), about)
    figure = drawn(plan, lambda axes, seed: 3.0, tmp_path)
    found = [(line["best"], line["high"] - line["low"]) for line in lines_of(figure) if line["tuning"] == "block=plain"]
    sd = spread * math.sqrt(2)
    assert found == [(9, pytest.approx(2 * sd, rel=1e-3)), *[(5, pytest.approx(2 * sd, rel=1e-3))] * 2]
    assert ("band" in figure.caption) == bool(spread)


def test_claims_are_named_on_their_axis_and_nothing_is_cut(tmp_path):
    says = "Plain nets get worse on the training set as they get deeper, and they do so from twenty layers on."
    plan = make_plan(claims=[{**CLAIM, "says": says}])
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    figure = figures_of(Answer(plan, records, tmp_path))[0]
    (words,) = figure.rows["words"]
    assert says in " ".join(words.split())
    assert max(map(len, words.split("\n"))) <= 44, "as many letters as a phone has room for"
    text = svg(figure)
    assert all(line in text for line in words.split("\n"))
    assert "…" not in text
