"""The stress card has a line for each block, in which each depth has its shade, and loses none."""

from __future__ import annotations

from ablations.charts.pictures import panels_of, svg
from tests.ablations.charts.test_figures import drawn, headings, lines_of
from tests.ablations.conftest import make_plan

BLOCKS = [f"block{k}" for k in range(10)]


def measured(axes, seed):
    """Block 3 learns at no rate with 56 layers in one seed."""
    rate = 0.0 if (axes["block"], axes["depth"], seed) == ("block3", 56, 1) else 2.0 ** (1 + int(axes["block"][-1]))
    return {"metrics": {"stress_rate": rate, "stress_gain": 10.0 * axes["depth"]}}


def card(**asked):
    return drawn(make_plan({"block": BLOCKS, "depth": [20, 56]}), measured, **asked)


def test_every_block_has_a_line_in_every_panel_and_each_depth_a_shade():
    figure = card()
    assert figure.name == "stress"
    assert headings(figure) == ["log10 stress rate", "log10 stress gain", "training error", "seconds"]
    for panel in range(2):
        lines = [line for line in lines_of(figure) if line["panel"] == panel]
        assert {(line["row"], line["hue"]) for line in lines} == {
            (f"block={block}", depth) for block in BLOCKS for depth in ("20", "56")
        }
    for panel in panels_of(figure.spec):
        assert panel["encoding"]["yOffset"]["sort"] == ["20", "56"]
    assert svg(figure).count("block=block3") >= 2


def test_what_is_not_finite_in_a_seed_lies_at_the_edge_and_is_said():
    figure = card()
    lost = [line for line in lines_of(figure) if line["panel"] == 0 and line["single"]]
    (edge, _) = panels_of(figure.spec)[0]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert [(line["row"], line["hue"], line["mean"]) for line in lost] == [("block=block3", "56", edge)]
    assert "×: in one seed at least infinite, or zero" in figure.caption
    assert min(line["mean"] for line in lines_of(figure) if line["panel"] == 0 and not line["single"]) > edge


def test_who_asks_for_a_metric_or_an_axis_gets_that_instead():
    assert card(metrics=("stress_rate",)).name == "answer"
    assert card(x="depth", metrics=("stress_gain",)).name == "answer"
