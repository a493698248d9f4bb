"""The figures of a page in which errors are drawn: along the epochs, against an axis, by cell, by block left out."""

from __future__ import annotations

from collections.abc import Sequence

from ablations.html.specs import COLOUR, DASH, HEADER, ZOOM, Spec, tip
from ablations.report.figures import TICKS


def error_scale(top: float) -> Spec:
    """The vertical axis of errors in percent: by their square root where some are large."""
    tall = top > 15
    axis = {"values": [tick for tick in TICKS if tick <= top * 1.06]} if tall else {"tickCount": 6}
    title = "error (%, square-root scale)" if tall else "error (%)"
    scale = {"type": "sqrt" if tall else "linear", "domain": [0, max(top, 0.1) * 1.06], "nice": False}
    return {"type": "quantitative", "scale": scale, "axis": axis, "title": title}


def curves(top: float) -> Spec:
    """Thin: training; thick: validation; the band spans the seeds."""
    width = {
        "field": "part",
        "type": "ordinal",
        "scale": {"domain": ["training", "validation"], "range": [1.1, 2.8]},
        "legend": None,
    }
    tips = [tip("label", "cell"), tip("part", "set"), tip("epoch", "epoch"), tip("n", "seeds")]
    tips += [tip(name, f"{words} (%)", ".2f") for name, words in (("mean", "mean"), ("low", "least"), ("high", "most"))]
    y = error_scale(top)
    layer = [
        {
            "mark": {"type": "area", "opacity": 0.16, "clip": True},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}, "detail": _detail()},
        },
        {
            "params": [ZOOM],
            "mark": {"type": "line", "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "strokeWidth": width, "strokeDash": DASH, "detail": _detail()},
        },
        {
            "name": "once",  # a line of one point is not seen
            "transform": [{"filter": "datum.note != ''"}],
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
            "encoding": {"y": {"field": "mean", **y}},
        },
        {
            "name": "once_words",
            "transform": [
                {"joinaggregate": [{"op": "max", "field": "epoch", "as": "last"}], "groupby": ["panel"]},
                {"filter": "datum.last == 1 && datum.note != ''"},
                {"aggregate": [{"op": "count", "as": "rows"}], "groupby": ["panel", "note"]},
            ],
            "mark": {"type": "text", "align": "left", "fontSize": 12, "color": "#888888"},
            "encoding": {
                "text": {"field": "note"},
                "x": {"value": 12},
                "y": {"value": 120},
                "color": {"value": "#888888"},
            },
        },
        {
            "name": "hover",
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 0, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": tips},
        },
    ]
    x = {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": {"grid": False, "tickMinStep": 1}}
    x["scale"] = {"nice": False}
    inner = {"height": 240, "encoding": {"x": x, "color": COLOUR}, "layer": layer}
    return {"facet": {"field": "panel", "type": "nominal", "header": HEADER}, "spec": inner}


def against(axis: str, xs: Sequence[float], top: float) -> Spec:
    """Error at the end against a numeric axis: means ± sd, every run a small dot."""
    wide = xs[0] > 0 and xs[-1] / xs[0] >= 4
    room = (xs[-1] / xs[0]) ** 0.09 if wide else 0.09 * (xs[-1] - xs[0])
    domain = [xs[0] / room, xs[-1] * room] if wide else [xs[0] - room, xs[-1] + room]
    x = {
        "field": "x",
        "type": "quantitative",
        "title": axis + (" (log scale)" if wide else ""),
        "scale": {"type": "log" if wide else "linear", "domain": domain, "nice": False},
        "axis": {"values": list(xs), "grid": False, "format": ".6~g", "labelOverlap": True},
    }
    tips = [tip("label", "cell"), tip("run", "of"), tip("part", "set"), tip("mean", "error (%)", ".2f")]
    y, means, each = error_scale(top), {"filter": "datum.of == 0"}, {"filter": "datum.of == 1"}
    detail = [{"field": "series"}, {"field": "part"}]
    layer = [
        {
            "transform": [means],
            "params": [ZOOM],
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "strokeDash": DASH, "detail": detail},
        },
        {
            "transform": [means],
            "mark": {"type": "rule", "strokeWidth": 1.6, "clip": True},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}},
        },
        {
            "transform": [each],
            "mark": {"type": "point", "filled": True, "size": 20, "opacity": 0.5, "xOffset": 7, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": tips},
        },
        {
            "transform": [means],
            "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": tips, "shape": {**COLOUR}},
        },
    ]
    inner = {"height": 260, "encoding": {"x": x, "color": COLOUR}, "layer": layer}
    return {
        "facet": {"field": "part", "type": "nominal", "sort": ["training", "test"], "header": HEADER},
        "spec": inner,
    }


def dots(top: float) -> Spec:
    """Error at the end of each cell, where no axis is a number."""
    x = error_scale(top)
    y = {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 240}}
    tips = [tip("label", "cell"), tip("run", "of"), tip("part", "set"), tip("mean", "error (%)", ".2f")]
    means, each = {"filter": "datum.of == 0"}, {"filter": "datum.of == 1"}
    layer = [
        {
            "transform": [means],
            "mark": {"type": "rule", "strokeWidth": 1.6},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
        {
            "transform": [each],
            "mark": {"type": "point", "filled": True, "size": 20, "opacity": 0.5, "yOffset": 6},
            "encoding": {"x": {"field": "mean", **x}, "tooltip": tips},
        },
        {
            "transform": [means],
            "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
            "encoding": {"x": {"field": "mean", **x}, "tooltip": tips, "shape": {**COLOUR}},
        },
    ]
    inner = {"height": {"step": 26}, "encoding": {"y": y, "color": COLOUR}, "layer": layer}
    return {
        "facet": {"field": "part", "type": "nominal", "sort": ["training", "test"], "header": HEADER},
        "spec": inner,
    }


def damages() -> Spec:
    """What is lost with each block: a line through the means, a rule from the least to the most."""
    x = {"field": "block", "type": "quantitative", "title": "block", "axis": {"grid": False, "tickMinStep": 1}}
    y = {"type": "quantitative", "title": "damage (points)"}
    tips = [tip("label", "cell"), tip("block", "block"), tip("n", "seeds")]
    tips += [tip(name, words, "+.2f") for name, words in (("mean", "mean"), ("low", "least"), ("high", "most"))]
    mean = {"y": {"field": "mean", **y}, "detail": {"field": "cell"}}
    layer = [
        {"mark": {"type": "rule", "opacity": 0.5}, "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {
            "params": [ZOOM],
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {**mean, "strokeDash": DASH},
        },
        {"mark": {"type": "point", "filled": True, "size": 50, "opacity": 1}, "encoding": {**mean, "tooltip": tips}},
    ]
    inner = {"height": 240, "encoding": {"x": x, "color": COLOUR}, "layer": layer}
    return {"facet": {"field": "panel", "type": "nominal", "header": HEADER}, "spec": inner}


def _detail() -> list[Spec]:
    return [{"field": "cell"}, {"field": "part"}]
