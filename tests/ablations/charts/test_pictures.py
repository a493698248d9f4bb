"""The figures as pictures: every one can be drawn, no two lines look alike, and what they show is written on them."""

from __future__ import annotations

import pytest

from ablations.charts.figures import figures_of
from ablations.charts.looks import OKABE_ITO
from ablations.charts.pictures import picture_spec, png, study_picture, svg
from ablations.report.answer import Answer
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, write_curve, write_study


@pytest.mark.parametrize("blocks", [0, 3])
def test_every_figure_is_a_picture_too(tmp_path, blocks):
    plan = make_plan(claims=[CLAIM])
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed * (1 + (axes["block"] == "plain")))
    write_study(tmp_path, plan, records.values(), blocks=blocks)
    figures = figures_of(Answer(plan, records, tmp_path))
    for one in figures:
        drawn = svg(one)
        assert drawn.count("<path") + drawn.count("<rect") + drawn.count("<line") > 10, one.name


GRIDS = {
    "two axes": {"block": ["plain", "residual"], "depth": [8, 20, 56]},
    "three": {"block": ["plain", "residual"], "body": ["basic", "bottleneck"], "depth": [8, 20]},
    "many cells": {"block": ["a", "b"], "init": ["he", "xavier", "torch"], "norm": ["batch", "none"], "depth": [8, 56]},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_no_two_lines_of_a_panel_look_alike(tmp_path, grid):
    plan = make_plan(grid, seeds=(0,))
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    figures = figures_of(Answer(plan, records, tmp_path))
    for name in ("errors", "curves"):
        spec = picture_spec(next(one for one in figures if one.name == name))
        rows, inner = spec["data"]["values"], spec["spec"]
        (line,) = [view["encoding"] for view in inner["layer"] if view["mark"]["type"] == "line"]
        told = line | inner["encoding"]
        looks = [told[channel] for channel in ("color", "strokeDash") if channel in told]
        seen = {}
        for row in rows:
            look = [row[spec["facet"]["field"]]]
            for one in looks:
                domain, shades = one["scale"]["domain"], one["scale"].get("range") or OKABE_ITO * 4
                look.append(str(shades[domain.index(row[one["field"]])]))
            seen.setdefault(tuple(look), set()).add(row["series"] if name == "errors" else row["cell"])
        assert all(len(lines) == 1 for lines in seen.values()), name
        assert len({row["series"] if name == "errors" else row["cell"] for row in rows}) > 1


def test_pictures_say_what_they_show_in_the_order_of_the_grid(tmp_path):
    claim = {**CLAIM, "contrast": {"plus": {"depth": 8}, "minus": {"depth": 20}}, "expect": "within 9"}
    plan = make_plan({"depth": [8, 20, 110]}, claims=[claim])
    records = make_records(plan)
    write_study(tmp_path, plan, records.values(), blocks=2)
    figures = figures_of(Answer(plan, records, tmp_path))
    pictures = {one.name: picture_spec(one) for one in figures}
    assert pictures["gradient_norm"]["facet"]["sort"] == ["8", "20", "110"]
    for one in figures:
        words = " ".join(pictures[one.name]["title"]["subtitle"])
        assert pictures[one.name]["title"]["text"] == one.title
        assert words.startswith(one.caption)
    assert "1 ✓ Plain is worse." in " ".join(pictures["claims-0"]["title"]["subtitle"])
    assert "Thin: training; thick: validation" in pictures["curves"]["title"]["subtitle"][0]


def test_what_diverged_is_drawn_and_said(tmp_path):
    sides = {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}}
    claims = [
        {**CLAIM, "metric": "train_loss", "contrast": sides},
        {**CLAIM, "contrast": {**sides, "minus": {"block": "c"}}},
    ]
    plan = make_plan(claims=claims)
    lost = {"status": "diverged", "cause": "nan", "epochs": 1}
    records = make_records(plan, lambda axes, seed: lost if axes["block"] == "plain" else 5.0)
    write_study(tmp_path, plan, records.values())
    for record in records.values():
        if record["status"] == "diverged":
            write_curve(tmp_path / record["folder"], epochs=1)
    figures = figures_of(Answer(plan, records, tmp_path))
    figures = {one.name: one for one in figures}
    assert figures["claims-0"].rows["end"] == ["∞"]
    assert "an arrow: infinite. No interval, not drawn: 2." in figures["claims-0"].caption
    assert "A single dot: every run diverged in its first epoch." in figures["curves"].caption
    drawn = svg(figures["curves"])
    assert drawn.count("diverged in the first epoch") == drawn.count("block plain")


def test_the_picture_of_a_study_is_headed_by_its_question(plan, records, tmp_path):
    figure = study_picture(Answer(plan, records, tmp_path))
    assert plan["study"]["question"] in svg(figure)
    assert png(figure).startswith(b"\x89PNG")


def test_depth_alone_is_one_line_with_its_own_ticks(tmp_path):
    plan = make_plan({"depth": [8, 14]})
    figures = figures_of(Answer(plan, make_records(plan), tmp_path))
    spec = picture_spec(figures[0])
    assert {row["colour"] for row in spec["data"]["values"]} == {"all"}
    assert ">14<" in svg(figures[0])
