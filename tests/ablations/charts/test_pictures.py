"""The figures as pictures: every one can be drawn, no two lines look alike, and a picture has the size of the paper."""

from __future__ import annotations

import io
import re

import numpy as np
import PIL.Image
import pytest
import vl_convert

from ablations.charts.figures import figures_of
from ablations.charts.looks import LIGHT
from ablations.charts.options import Print, points
from ablations.charts.pictures import panels_of, picture, picture_spec, study_picture, svg
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


@pytest.mark.parametrize("paper", [None, Print(width=points("column"))])
def test_a_png_has_few_bytes_and_looks_the_same(tmp_path, paper):
    plan = make_plan(GRIDS["many blocks"], claims=[])
    figure = study_picture(Answer(plan, make_records(plan), tmp_path))
    text = svg(figure, paper).replace('pt"', '"', 2)
    whole = vl_convert.svg_to_png(text, scale=2) if paper is None else vl_convert.svg_to_png(text, ppi=300)
    small = picture(figure, "png", paper)
    assert len(small) < len(whole) / 3
    before, after = (PIL.Image.open(io.BytesIO(png)) for png in (whole, small))
    assert (after.size, after.info["dpi"]) == (before.size, before.info["dpi"])
    apart = np.abs(np.subtract(before.convert("RGB"), after.convert("RGB"), dtype=int))
    assert apart.max() < 48
    assert apart.mean() < 0.1


GRIDS = {
    "two axes": {"block": ["plain", "residual"], "depth": [8, 20, 56]},
    "three": {"block": ["plain", "residual"], "body": ["basic", "bottleneck"], "depth": [8, 20]},
    "many cells": {"block": ["a", "b"], "init": ["he", "xavier", "torch"], "norm": ["batch", "none"], "depth": [8, 56]},
    "many blocks": {"block": list("abcdefghij"), "depth": [8, 20]},
    "in order": {"depth": list(range(8, 68, 6))},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_no_two_lines_of_a_panel_look_alike(tmp_path, grid):
    plan = make_plan(grid, seeds=(0,))
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    for figure in figures_of(Answer(plan, records, tmp_path)):
        if figure.name not in ("errors", "curves"):
            continue
        spec = picture_spec(figure)
        for panel in panels_of(spec):
            if panel["encoding"].get("y", {}).get("field") == "row":
                assert len({*figure.rows["row"]}) == len({*figure.rows["cell"]})
                continue
            (line,) = [view["encoding"] for view in panel["layer"] if view["mark"]["type"] == "line"]
            told = [one for name in ("color", "strokeDash") if (one := (line | panel["encoding"]).get(name))]
            seen = {}
            for row in spec["data"]["values"]:
                look = [str(row["panel"])]
                for one in told:
                    if "field" in one:
                        place = one["scale"]["domain"].index(row[one["field"]])
                        shades = one["scale"].get("range") or (LIGHT if "scheme" not in one["scale"] else range(99))
                        look.append(str(shades[place % len(shades)]))
                seen.setdefault(tuple(look), set()).add((row["hue"], row.get("rest", "")))
            assert all(len(lines) == 1 for lines in seen.values()), figure.name


def test_pictures_say_what_they_show_in_the_order_of_the_grid(tmp_path):
    claim = {**CLAIM, "contrast": {"plus": {"depth": 8}, "minus": {"depth": 20}}, "expect": "within 9"}
    plan = make_plan({"depth": [8, 20, 110]}, claims=[claim])
    records = make_records(plan)
    write_study(tmp_path, plan, records.values(), blocks=2)
    figures = figures_of(Answer(plan, records, tmp_path))
    pictures = {one.name: picture_spec(one) for one in figures}
    assert pictures["gradient_norm"]["facet"]["sort"] == ["depth=8", "depth=20", "depth=110"]
    for one in figures:
        words = " ".join(pictures[one.name]["title"]["subtitle"])
        assert pictures[one.name]["title"]["text"] == [one.title]
        assert words.startswith(one.caption)
    assert "Thin: training; thick: validation" in pictures["curves"]["title"]["subtitle"][0]


def test_what_is_said_of_all_claims_stands_below_the_last_of_their_pictures(tmp_path):
    sides = {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}}
    plan = make_plan(claims=[{**CLAIM, "metric": metric, "contrast": sides} for metric in ("test_error", "seconds")])
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    first, second = (one for one in figures_of(Answer(plan, records, tmp_path)) if one.name.startswith("claims-"))
    assert (first.caption, second.caption[:24]) == ("", "Estimate and 95% interva")


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
    assert figures["claims-0"].rows["mark"] == ["∞"]
    assert "an arrow: infinite. No interval, not drawn: 2." in figures["claims-0"].caption
    assert "A single dot: every run diverged in its first epoch." in figures["curves"].caption


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_curve_of_one_epoch_is_a_dot(tmp_path, epochs):
    plan = make_plan({"block": ["plain"]}, seeds=[0])
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    for record in records.values():
        write_curve(tmp_path / record["folder"], epochs=epochs)
    (curves,) = (one for one in figures_of(Answer(plan, records, tmp_path)) if one.name == "curves")
    assert ("A single dot: there is one epoch." in curves.caption) == (epochs == 1)
    assert len(re.findall('aria-roledescription="point"', svg(curves))) == 2 * (epochs == 1), "training and validation"


def test_the_picture_of_a_study_is_headed_by_its_question(plan, records, tmp_path):
    figure = study_picture(Answer(plan, records, tmp_path))
    assert plan["study"]["question"] in svg(figure)
    assert picture(figure, "png").startswith(b"\x89PNG")


def test_depth_alone_is_one_line_with_its_own_ticks(tmp_path):
    plan = make_plan({"depth": [8, 14]})
    figures = figures_of(Answer(plan, make_records(plan), tmp_path))
    assert {*figures[0].rows["hue"]} == {""}
    assert ">14<" in svg(figures[0])


@pytest.fixture
def figures(tmp_path):
    plan = make_plan({"block": ["plain", "residual"], "body": ["basic", "se"], "depth": [8, 20]}, claims=[])
    plan["study"]["claims"] = [{**CLAIM, "contrast": {"plus": {"block": "plain", "body": "se", "depth": 8}}}]
    plan["study"]["claims"][0]["contrast"]["minus"] = {"block": "residual", "body": "se", "depth": 20}
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed)
    write_study(tmp_path, plan, records.values(), blocks=3)
    return {figure.name: figure for figure in figures_of(Answer(plan, records, tmp_path))}


@pytest.mark.parametrize("width", ["84mm", "column", "17cm"])
@pytest.mark.parametrize("name", ["claims-0", "errors", "curves", "costs", "gradient_norm"])
def test_a_figure_is_as_wide_as_the_paper_wants(figures, name, width):
    drawn = picture(figures[name], "pdf", Print(points(width)))
    (box,) = re.findall(rb"MediaBox ?\[0 0 ([\d.]+) [\d.]+\]", drawn)
    room = len({*figures[name].rows["epoch"]}) * 3 if name == "gradient_norm" else 1.5  # whole points a column
    assert abs(float(box) - points(width)) <= room


def test_words_have_the_size_that_was_asked_for(figures):
    text = svg(figures["errors"], Print(points("84mm"), font=7))
    wide = float(re.findall(r'width="([0-9.]+)pt"', text)[0])
    assert 237 <= wide <= 239
    scale = wide / float(re.findall(r'viewBox="0 0 ([0-9.]+)', text)[0])
    sizes = {scale * float(size) for size in re.findall(r'font-size="([\d.]+)px"', text)}
    assert min(sizes) == pytest.approx(7, abs=0.01)
    assert max(sizes) < 9


def test_a_print_has_300_pixels_an_inch(figures):
    drawn = PIL.Image.open(io.BytesIO(picture(figures["errors"], "png", Print(points("3.25in")))))
    assert abs(drawn.width - 3.25 * 300) <= 4


def test_there_are_as_many_panels_in_a_row_as_asked(figures):
    for count in (1, 2):
        assert picture_spec(figures["errors"], Print(400, panels=count))["columns"] == count
    tall = picture_spec(figures["errors"], Print(400, height=99))
    assert {panel["height"] for panel in panels_of(tall)} == {99 * 11 / 8}, "letters of 11 pixels become 8 points"


def test_paper_has_no_title_unless_it_is_wanted(figures):
    assert "title" not in picture_spec(figures["errors"], Print(400))
    assert figures["errors"].caption in svg(figures["errors"], Print(800, title=True))


@pytest.mark.parametrize(("text", "length"), [("25.4mm", 72), ("3.25in", 234), ("240pt", 240), ("column", 234)])
def test_lengths_are_read(text, length):
    if length < 100:
        with pytest.raises(ValueError, match="too small"):
            points(text)
    else:
        assert points(text) == pytest.approx(length)
    with pytest.raises(ValueError, match="a number with its unit"):
        points("84")
