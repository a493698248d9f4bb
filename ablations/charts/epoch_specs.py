"""Vega-Lite specs of the figures with a panel for each set of choices: errors by epoch, and by block taken out."""

from __future__ import annotations

from collections.abc import Sequence

from ablations.charts import scales
from ablations.charts.looks import NEUTRAL, Spec
from ablations.charts.specs import EPOCHS, ZOOM, faceted, tip

SPREAD = (("mean", "mean"), ("low", "least"), ("high", "most"))
PALE = {"condition": {"test": "datum.light", "value": 0.4}, "value": 1}


def curves(ends: Sequence[float], epochs: float, looks: Spec, panels: Sequence[str], metric: str = "error") -> Spec:
    """Errors, or another metric, by epoch: training thin, validation thick, a band over the seeds.

    A cell that diverged in its first epoch is one point, with a note.

    Args:
        ends: the numbers that the axis of errors has to show.
        looks: the encodings that tell the cells of a panel apart.
    """
    parts = {"domain": ["training", "validation"], "range": [1.1, 2.8]}
    width = {"field": "part", "type": "ordinal", "scale": parts, "legend": None}
    tips = [tip("label", "cell"), tip("part", "set"), tip("epoch", "epoch"), tip("n", "seeds")]
    error = metric == "error"
    tips += [tip(name, f"{words} (%)" if error else words, ".2f" if error else ".4g") for name, words in SPREAD]
    y, detail = scales.errors(ends) if error else scales.numbers(ends, metric), [{"field": "cell"}, {"field": "part"}]
    colour = {"color": looks["color"]}
    layer = [
        {
            "mark": {"type": "area", "opacity": 0.16, "clip": True},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}, "detail": detail},
        },
        {
            "params": [ZOOM],
            "mark": {"type": "line", "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "strokeWidth": width, **looks, "detail": detail, "opacity": PALE},
        },
        {
            "transform": [{"filter": "datum.note != ''"}],
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
            "encoding": {"y": {"field": "mean", **y}},
        },
        {
            "transform": [
                {"joinaggregate": [{"op": "max", "field": "epoch", "as": "last"}], "groupby": ["panel"]},
                {"filter": "datum.last == 1 && datum.note != ''"},
                {"aggregate": [{"op": "count", "as": "rows"}], "groupby": ["panel", "note"]},
            ],
            "mark": {"type": "text", "align": "left", "fontSize": 12},
            "encoding": {
                "text": {"field": "note"},
                "x": {"value": 12},
                "y": {"value": 120},
                "color": {"value": NEUTRAL},
            },
        },
        {
            "name": "hover",
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": tips},
        },
    ]
    x = {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": EPOCHS}
    x["scale"] = {"domain": [1, max(2, epochs)], "nice": False}
    return faceted("panel", {"height": 200, "encoding": {"x": x, **colour}, "layer": layer}, panels)


def damages(ends: Sequence[float], looks: Spec, panels: Sequence[str]) -> Spec:
    """The error added by taking out each block: a line through the means, a bar over the seeds."""
    x = {"field": "block", "type": "quantitative", "title": "block", "axis": EPOCHS}
    y = scales.numbers([0.0, *ends], "damage (points)")  # zero: the block does nothing
    tips = [tip("label", "cell"), tip("block", "block"), tip("n", "seeds")]
    tips += [tip(name, words, "+.2f") for name, words in SPREAD]
    mean = {"y": {"field": "mean", **y}, "detail": {"field": "cell"}}
    layer = [
        {"mark": {"type": "rule", "opacity": 0.5}, "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {
            "params": [ZOOM],
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {**mean, **looks},
        },
        {"mark": {"type": "point", "filled": True, "size": 50, "opacity": 1}, "encoding": {**mean, "tooltip": tips}},
    ]
    inner = {"height": 240, "encoding": {"x": x, "color": looks["color"]}, "layer": layer}
    return faceted("panel", inner, panels)
