"""Vega-Lite specs of the figures that show errors: by epoch, against an axis, by cell, by block taken out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ablations.charts.looks import OKABE_ITO, Looks, Spec
from ablations.charts.specs import LABELS, ZOOM, error_axis, faceted, tip

SPREAD = (("mean", "mean"), ("low", "least"), ("high", "most"))
MEANS, RUNS = {"filter": "datum.single == 0"}, {"filter": "datum.single == 1"}
ERROR_TIPS = [tip("label", "cell"), tip("run", "of"), tip("part", "set"), tip("mean", "error (%)", ".2f")]


def curves(top: float, epochs: float, looks: Looks, panels: Sequence[str] | None) -> Spec:
    """Errors by epoch: training thin, validation thick, a band over the seeds.

    A cell that diverged in its first epoch is one point, with a note.
    """
    parts = {"domain": ["training", "validation"], "range": [1.1, 2.8]}
    width = {"field": "part", "type": "ordinal", "scale": parts, "legend": None}
    tips = [tip("label", "cell"), tip("part", "set"), tip("epoch", "epoch"), tip("n", "seeds")]
    tips += [tip(name, f"{words} (%)", ".2f") for name, words in SPREAD]
    y, detail = error_axis(top), [{"field": "cell"}, {"field": "part"}]
    grey = "#888888"
    layer = [
        {
            "mark": {"type": "area", "opacity": 0.16, "clip": True},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}, "detail": detail},
        },
        {
            "params": [ZOOM],
            "mark": {"type": "line", "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "strokeWidth": width, **dashed(looks), "detail": detail},
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
                "color": {"value": grey},
            },
        },
        {
            "name": "hover",
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": tips},
        },
    ]
    x = {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": {"grid": False, "tickMinStep": 1}}
    x["scale"] = {"domain": [1, max(2, epochs)], "nice": False}
    return faceted("panel", {"height": 240, "encoding": {"x": x, "color": looks.colour}, "layer": layer}, panels)


def against(axis: str, xs: Sequence[float], top: float, looks: Looks) -> Spec:
    """Errors at the end against a numeric axis: means ± sd joined by lines, every run a small dot."""
    wide = xs[0] > 0 and xs[-1] / xs[0] >= 4
    room = (xs[-1] / xs[0]) ** 0.09 if wide else 0.09 * (xs[-1] - xs[0])
    domain = [xs[0] / room, min(xs[-1] * room, sys.float_info.max)] if wide else [xs[0] - room, xs[-1] + room]
    x = {
        "field": "x",
        "type": "quantitative",
        "title": axis + (" (log scale)" if wide else ""),
        "scale": {"type": "log" if wide else "linear", "domain": domain, "nice": False},
        "axis": {"values": list(xs), "grid": False, "format": ".6~g", "labelOverlap": True},
    }
    y = error_axis(top)
    mean = {"y": {"field": "mean", **y}}
    line = {**mean, **dashed(looks), "detail": [{"field": "series"}, {"field": "part"}]}
    shape = {"shape": looks.colour} if looks.shape else {}
    layer = [
        {"transform": [MEANS], "params": [ZOOM], "mark": {"type": "line", "strokeWidth": 2.2, "clip": True}}
        | {"encoding": line},
        {"transform": [MEANS], "mark": BAR, "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {"transform": [RUNS], "mark": {**RUN, "xOffset": 7}, "encoding": {**mean, "tooltip": ERROR_TIPS}},
        {"transform": [MEANS], "mark": MEAN, "encoding": {**mean, "tooltip": ERROR_TIPS, **shape}},
    ]
    inner = {"height": 260, "encoding": {"x": x, "color": looks.colour}, "layer": layer}
    return faceted("part", inner, ["training", "test"])


def by_cell(top: float) -> Spec:
    """Errors at the end, a line a cell: mean ± sd, every run a small dot below."""
    x = error_axis(top)
    blue = {"color": OKABE_ITO[1]}
    layer = [
        {"transform": [MEANS], "mark": BAR | blue, "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}}},
        {"transform": [RUNS], "mark": {**RUN, **blue, "yOffset": 6}}
        | {"encoding": {"x": {"field": "mean", **x}, "tooltip": ERROR_TIPS}},
        {"transform": [MEANS], "mark": MEAN | blue}
        | {"encoding": {"x": {"field": "mean", **x}, "tooltip": ERROR_TIPS}},
    ]
    y = {**LABELS, "axis": {"labelLimit": 240, "grid": True}}
    return faceted("part", {"height": {"step": 24}, "encoding": {"y": y}, "layer": layer}, ["training", "test"])


BAR = {"type": "rule", "strokeWidth": 1.6, "clip": True}
RUN = {"type": "point", "filled": True, "size": 20, "opacity": 0.5, "clip": True}
MEAN = {"type": "point", "filled": True, "size": 75, "opacity": 1, "clip": True}


def damages(looks: Looks, panels: Sequence[str] | None) -> Spec:
    """The error added by taking out each block: a line through the means, a bar over the seeds."""
    x = {"field": "block", "type": "quantitative", "title": "block", "axis": {"grid": False, "tickMinStep": 1}}
    y = {"type": "quantitative", "title": "damage (points)"}
    tips = [tip("label", "cell"), tip("block", "block"), tip("n", "seeds")]
    tips += [tip(name, words, "+.2f") for name, words in SPREAD]
    mean = {"y": {"field": "mean", **y}, "detail": {"field": "cell"}}
    layer = [
        {"mark": {"type": "rule", "opacity": 0.5}, "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {
            "params": [ZOOM],
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {**mean, **dashed(looks)},
        },
        {"mark": {"type": "point", "filled": True, "size": 50, "opacity": 1}, "encoding": {**mean, "tooltip": tips}},
    ]
    return faceted("panel", {"height": 240, "encoding": {"x": x, "color": looks.colour}, "layer": layer}, panels)


def dashed(looks: Looks) -> Spec:
    """The encoding of a line's dash, where colours are not enough."""
    return {"strokeDash": looks.dash} if looks.dash else {}
