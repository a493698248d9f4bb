"""An axis fits the numbers that it shows, and has zero where zero tells something: one rule for all charts."""

from __future__ import annotations

import math
import re

import pytest

from ablations.analysis.metrics import read_metric
from ablations.charts import scales
from ablations.charts.figures import figures_of
from ablations.charts.options import Print
from ablations.charts.pictures import panels_of, svg
from ablations.report.answer import Answer
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, write_study

DATA = {"far from zero": [55.0, 60.0, 65.0], "wide": [0.0, 3.0, 80.0], "near zero": [3.0, 9.0], "below": [-4.0, 30.0]}
DATA |= {"equal": [5.0, 5.0], "nothing": [], "one infinite": [5.0, 6.0, math.inf], "huge": [1e9, 1.2e9]}


@pytest.mark.parametrize("values", DATA.values(), ids=DATA)
@pytest.mark.parametrize("least", [0.0, -math.inf])
def test_numbers_fill_at_least_half_of_their_axis_and_lie_on_it(values, least):
    low, high = scales.domain(values, least=least)
    known = [value for value in values if math.isfinite(value)]
    assert low < high
    if known:
        assert low <= min(known) <= max(known) < high
        spread = max(known) - min(known)
        assert spread == 0 or spread >= 0.45 * (high - low)


def test_zero_is_there_where_it_tells_something():
    assert scales.domain([55, 65], least=0)[0] > 50
    assert scales.domain([3, 9], least=0)[0] == 0
    assert scales.domain([0, 80], least=0)[0] == 0, "not below what there can be"
    assert scales.domain([100, 101])[0] > 99


@pytest.mark.parametrize(
    ("values", "kind"), [([0, 80], "sqrt"), ([55, 65], "linear"), ([20, 60], "linear"), ([0.1, 9], "linear")]
)
def test_errors_have_a_square_root_scale_only_where_small_ones_must_be_told_apart(values, kind):
    found = scales.errors(values)
    assert found["scale"]["type"] == kind
    assert ("square-root" in found["title"]) == (kind == "sqrt")


def test_a_metric_is_said_as_a_person_says_it():
    said = {text: scales.words(read_metric(text)) for text in ("train_error", "log10 diagnostics.gradient_ratio@1")}
    assert [*said.values()] == ["training error", "log10 gradient ratio, epoch 1"]
    assert scales.words(read_metric("epochs until train_error <= 5")) == "epochs until training error <= 5"


def test_every_axis_of_errors_in_every_figure_fits(tmp_path):
    plan = make_plan(claims=[CLAIM])
    records = make_records(plan, lambda axes, seed: 57.0 + axes["depth"] / 20 + seed)
    write_study(tmp_path, plan, records.values(), blocks=2)
    found = {figure.name: figure for figure in figures_of(Answer(plan, records, tmp_path))}
    for name in ("errors", "interaction"):
        for panel in panels_of(found[name].spec):
            (y,) = {
                str(view["encoding"]["y"]["scale"]["domain"])
                for view in panel.get("layer", [panel])
                if "scale" in view["encoding"].get("y", {})
            }
            low, high = eval(y)
            assert 50 < low < high < 70, name


@pytest.mark.parametrize("epochs", [2, 3, 11, 30])
def test_epochs_are_whole_on_every_tick_and_none_is_there_twice(tmp_path, epochs):
    plan = make_plan({"block": ["plain"]}, seeds=(0,))
    records = make_records(plan)
    write_study(tmp_path, plan, records.values(), epochs=epochs)
    (curves,) = [one for one in figures_of(Answer(plan, records, tmp_path)) if one.name == "curves"]
    curves.spec["spec"]["encoding"]["x"] |= {"title": None}
    for layer in curves.spec["spec"]["layer"]:
        layer["encoding"].get("y", {})["axis"] = None
    ticks = [int(text) for text in re.findall(r">(\d+)</text>", svg(curves, Print(900, font=11)))]
    assert ticks == sorted({*ticks})
    assert {*ticks} <= {*range(1, epochs + 1)}
    assert ticks == [*range(1, epochs + 1)] or len(ticks) >= 5


def test_the_only_number_of_an_axis_is_on_it_and_its_ticks_can_be_read():
    low, high = scales.domain([0.016154821218], least=0.0)
    assert low < 0.01615 < high, "as it is drawn"
    assert high - low > 0.001
