"""The figures of a page as Vega-Lite: what is drawn how. Data, colours, width and theme are filled in by who shows it.

Rows come with `label` (of the cell), `colour`, `panel` and `series` (texts made from its axes, as the reader chooses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.figures import TICKS

Spec = dict[str, Any]

ZOOM = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
COLOUR: Spec = {"field": "colour", "type": "nominal", "legend": {"orient": "top", "symbolType": "circle"}}
HEADER = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start"}
MARKS = {"supported": "#009E73", "contradicted": "#D55E00", "inconclusive": "#E69F00", "no verdict": "#999999"}


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
    tips = [_tip("label", "cell"), _tip("part", "set"), _tip("epoch", "epoch"), _tip("n", "seeds")]
    tips += [
        _tip(name, f"{words} (%)", ".2f") for name, words in (("mean", "mean"), ("low", "least"), ("high", "most"))
    ]
    y = error_scale(top)
    layer = [
        {
            "mark": {"type": "area", "opacity": 0.16, "clip": True},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}, "detail": _detail()},
        },
        {
            "params": [ZOOM],
            "mark": {"type": "line", "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "strokeWidth": width, "detail": _detail()},
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
    tips = [_tip("label", "cell"), _tip("run", "of"), _tip("part", "set"), _tip("mean", "error (%)", ".2f")]
    y, means, each = error_scale(top), {"filter": "datum.of == 0"}, {"filter": "datum.of == 1"}
    detail = [{"field": "series"}, {"field": "part"}]
    layer = [
        {
            "transform": [means],
            "params": [ZOOM],
            "mark": {"type": "line", "strokeWidth": 2, "clip": True},
            "encoding": {"y": {"field": "mean", **y}, "detail": detail},
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
    y = {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 150}}
    tips = [_tip("label", "cell"), _tip("run", "of"), _tip("part", "set"), _tip("mean", "error (%)", ".2f")]
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


def forest(unit: str, names: Sequence[str], edges: Sequence[float]) -> Spec:
    """Contrasts of one unit: estimate, 95% interval, the region that was expected, the published number."""
    x = {
        "type": "quantitative",
        "title": unit,
        "scale": {"domain": list(edges), "nice": False},
        "axis": {"tickCount": 8},
    }
    y = {"field": "claim", "type": "nominal", "sort": list(names), "title": None, "axis": {"labelFontSize": 13}}
    tips = [_tip("says", "claim"), _tip("effect", "effect"), _tip("expect", "expected"), _tip("outcome", "verdict")]
    tips += [_tip("published", "published")]
    kinds = {"field": "outcome", "type": "nominal", "legend": None}
    kinds["scale"] = {"domain": list(MARKS), "range": list(MARKS.values())}
    layer = [
        {
            "mark": {"type": "rule", "strokeDash": [3, 3], "opacity": 0.7},
            "encoding": {"x": {"datum": 0, **x}, "y": None},
        },
        {
            "mark": {"type": "bar", "opacity": 0.13, "height": {"band": 0.8}, "clip": True, "color": "#888888"},
            "encoding": {"x": {"field": "from", **x}, "x2": {"field": "to"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.4, "clip": True},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "color": kinds},
        },
        {
            "params": [{**ZOOM, "select": {**ZOOM["select"], "encodings": ["x"]}}],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": {"field": "mean", **x}, "color": kinds, "tooltip": tips},
        },
        {
            "mark": {"type": "point", "shape": "diamond", "size": 130, "strokeWidth": 2, "color": "#CC79A7"},
            "encoding": {"x": {"field": "published", **x}, "tooltip": tips},
        },
    ]
    return {"height": {"step": 30}, "encoding": {"y": y}, "layer": layer}


def heat(title: str, *, log: bool) -> Spec:
    """A diagnostic over block × epoch, a panel a cell, the same colours in all of them."""
    scale: Spec = {"scheme": "viridis", "type": "log"} if log else {"scheme": "viridis", "domain": [0, 1]}
    encoding = {
        "x": {"field": "epoch", "type": "ordinal", "title": "epoch", "axis": {"labelOverlap": True, "labelAngle": 0}},
        "y": {"field": "block", "type": "ordinal", "title": "block", "sort": "descending"},
        "color": {
            "field": "value",
            "type": "quantitative",
            "title": title,
            "scale": scale,
            "legend": {"orient": "top"},
        },
        "tooltip": [_tip("label", "cell"), _tip("name", "block"), _tip("epoch", "epoch"), _tip("value", title, ".3g")],
    }
    encoding["y"]["axis"] = {"labelOverlap": True}
    inner = {"height": 150, "mark": {"type": "rect"}, "encoding": encoding}
    return {"facet": {"field": "label", "type": "nominal", "sort": None, "header": HEADER}, "spec": inner}


def damages() -> Spec:
    """What is lost with each block: a line through the means, a rule from the least to the most."""
    x = {"field": "block", "type": "quantitative", "title": "block", "axis": {"grid": False, "tickMinStep": 1}}
    y = {"type": "quantitative", "title": "damage (points)"}
    tips = [_tip("label", "cell"), _tip("block", "block"), _tip("n", "seeds")]
    tips += [_tip(name, words, "+.2f") for name, words in (("mean", "mean"), ("low", "least"), ("high", "most"))]
    mean = {"y": {"field": "mean", **y}, "detail": {"field": "cell"}}
    layer = [
        {"mark": {"type": "rule", "opacity": 0.5}, "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}}},
        {"params": [ZOOM], "mark": {"type": "line", "strokeWidth": 2, "clip": True}, "encoding": mean},
        {"mark": {"type": "point", "filled": True, "size": 50, "opacity": 1}, "encoding": {**mean, "tooltip": tips}},
    ]
    inner = {"height": 240, "encoding": {"x": x, "color": COLOUR}, "layer": layer}
    return {"facet": {"field": "panel", "type": "nominal", "header": HEADER}, "spec": inner}


def columns() -> Spec:
    """What each cell costs."""
    parts = ["parameters", "multiply-adds", "seconds"]
    x = {"field": "value", "type": "quantitative", "title": None, "axis": {"format": "~s", "tickCount": 4}}
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 150}}
    tips = [_tip("label", "cell"), _tip("part", "of"), _tip("value", "value", ",.4~r")]
    inner = {"height": {"step": 18}, "mark": {"type": "bar", "cornerRadiusEnd": 2}}
    inner["encoding"] = {"x": x, "y": y, "color": COLOUR, "tooltip": tips}
    resolve = {"scale": {"x": "independent"}, "axis": {"x": "independent"}}
    facet = {"field": "part", "type": "nominal", "sort": parts, "header": HEADER}
    return {"facet": facet, "spec": inner, "resolve": resolve}


def interaction(axes: tuple[str, str], levels: Mapping[str, Sequence[str]], metric: str) -> Spec:
    """Two axes together: parallel lines, where they do not interact."""
    across, by = axes
    x = {"field": "x", "type": "nominal", "sort": list(levels[across]), "title": across, "axis": {"labelAngle": 0}}
    y = {"field": "mean", "type": "quantitative", "title": f"mean {metric}", "scale": {"zero": True}}
    colour = {**COLOUR, "field": "by", "title": by, "scale": {"domain": list(levels[by])}}
    tips = [_tip("x", across), _tip("by", by), _tip("mean", metric, ".4g"), _tip("n", "cells")]
    encoding = {"x": x, "y": y, "color": colour, "tooltip": tips}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 70, "filled": True}}
    return {"height": 240, "mark": mark, "encoding": encoding}


def _tip(field: str, title: str, form: str | None = None) -> Spec:
    return {"field": field, "title": title, **({"format": form, "type": "quantitative"} if form else {})}


def _detail() -> list[Spec]:
    return [{"field": "cell"}, {"field": "part"}]
