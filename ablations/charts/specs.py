"""Vega-Lite specs of claims, heat maps, costs, and two axes together.

A spec has no data, no theme and no size; `figures.py` adds the rows, the page or `pictures.py` the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from ablations.charts.looks import HIGHLIGHT, NEUTRAL, SPLIT, Axis, Spec, colours, dashes

ZOOM = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
HEADER = {
    **{"title": None, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start", "labelLimit": 0},
    "labelExpr": SPLIT,
}
OUTCOMES = {"supported": "circle", "contradicted": "cross", "inconclusive": "diamond", "no verdict": "diamond"}
LINE = 13  # pixels of a line of text
EPOCHS = {"grid": False, "tickMinStep": 1, "format": "d"}  # whole numbers on every tick


def forest(unit: Sequence[str], names: Sequence[str], edges: Sequence[float], texts: int, *, zero: bool) -> Spec:
    """The claims of one unit: estimate, 95% interval, expected region, published number; an arrow where infinite.

    Args:
        unit: the title of the axis, in lines.
        names: the claims in their order.
        edges: the ends of the horizontal axis.
        texts: how many lines the longest claim has, written above its estimate.
        zero: whether zero has a meaning here, as it has for a difference.
    """
    x = {
        "type": "quantitative",
        "title": list(unit),
        "scale": {"domain": list(edges), "nice": False, "zero": False},
        "axis": {"tickCount": 6, "titleLimit": 0, "grid": False},
    }
    step = LINE * texts + 26
    y = {"field": "claim", "type": "nominal", "sort": list(names), "title": None, "axis": None}
    tips = [tip("says", "claim"), tip("effect", "effect"), tip("expect", "expected"), tip("outcome", "verdict")]
    tips += [tip("published", "published")]
    shape = {"field": "mark", "type": "nominal", "legend": None}
    shape["scale"] = {
        "domain": [*OUTCOMES, "∞", "-∞"],
        "range": [*OUTCOMES.values(), "triangle-right", "triangle-left"],
    }
    low = {"yOffset": (step - 12) / 2 - 6}  # the marks lie below the words
    layer = [
        {
            "mark": {"type": "bar", "opacity": 0.16, "height": 14, "clip": True, "color": NEUTRAL, **low},
            "encoding": {"x": {"field": "from", **x}, "x2": {"field": "to"}},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.4, "clip": True, "color": NEUTRAL, **low},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
        {
            "params": [{**ZOOM, "select": {**ZOOM["select"], "encodings": ["x"]}}],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1, "color": NEUTRAL, **low},
            "encoding": {"x": {"field": "mean", **x}, "shape": shape, "tooltip": tips},
        },
        {
            "mark": {"type": "point", "shape": "diamond", "size": 110, "strokeWidth": 2, "color": HIGHLIGHT, **low},
            "encoding": {"x": {"field": "published", **x}, "tooltip": tips},
        },
        {
            "mark": {"type": "text", "align": "left", "baseline": "top", "lineBreak": "\n", "lineHeight": LINE}
            | {"fontSize": 11, "dy": -(step / 2) + 4, "name": "words"},
            "encoding": {"x": {"value": 0}, "text": {"field": "words"}, "tooltip": tips},
        },
    ]
    if zero:
        mark = {"type": "tick", "color": NEUTRAL, "thickness": 1.2, "height": 18, **low}
        layer.insert(0, {"mark": mark, "encoding": {"x": {"datum": 0, **x}}})
    return {"height": {"step": step}, "encoding": {"y": y}, "layer": layer}


def heat_maps(title: str, blocks: int, *, log: bool) -> Spec:
    """A diagnostic by block and epoch: a panel a cell, one colour scale."""
    scale: Spec = {"scheme": "viridis", "type": "log"} if log else {"scheme": "viridis", "domain": [0, 1]}
    encoding = {
        "x": {
            "field": "epoch",
            "type": "ordinal",
            "title": "epoch",
            "axis": {"labelOverlap": True, "labelAngle": 0, "ticks": False, "format": "d"},
        },
        "y": {"field": "block", "type": "ordinal", "title": "block", "sort": "descending"},
        "color": {
            "field": "value",
            "type": "quantitative",
            "title": title,
            "scale": scale,
            "legend": {
                "orient": "top",
                "gradientLength": 260,
                "tickCount": 4,
                "labelOverlap": True,
                **({"format": ".0e"} if log else {}),
            },
        },
        "tooltip": [tip("label", "cell"), tip("name", "block"), tip("epoch", "epoch"), tip("value", title, ".3g")],
    }
    encoding["y"]["axis"] = {"labelOverlap": True, "ticks": False}
    height = {"step": min(14, max(2, round(170 / max(1, blocks))))}
    return faceted("panel", {"height": height, "mark": {"type": "rect"}, "encoding": encoding}, None)


def costs(lines: int) -> Spec:
    """Parameters, multiply-adds and seconds of each cell.

    Args:
        lines: of the longest name of a cell.
    """
    x = {"field": "value", "type": "quantitative", "title": None, "axis": {"format": "~s", "tickCount": 4}}
    tips = [tip("label", "cell"), tip("part", "of"), tip("value", "value", ",.4~r")]
    mark = {"type": "bar", "cornerRadiusEnd": 2, "color": NEUTRAL}
    inner = {"height": {"step": 6 + LINE * lines}, "mark": mark, "encoding": {"x": x, "y": LABELS, "tooltip": tips}}
    resolve = {"scale": {"x": "independent"}, "axis": {"x": "independent"}}
    return faceted("part", inner, ["parameters", "multiply-adds", "seconds"]) | {"resolve": resolve}


LABELS: Spec = {"field": "row", "type": "nominal", "sort": None, "title": None}
LABELS["axis"] = {"labelLimit": 0, "labelExpr": SPLIT, "ticks": False}


def interaction(across: Axis, by: Axis, scale: Spec, *, hue: bool) -> Spec:
    """A metric against one axis, a line for each value of another.

    Args:
        scale: the encoding of the metric's axis.
        hue: whether that other axis is the one that has colours.
    """
    x = {"field": "x", "type": "nominal", "sort": across.values, "title": across.label}
    x["axis"] = {"labelAngle": 0}
    y = {"field": "mean", **scale, "title": f"mean {scale['title']}"}
    tips = [tip("x", across.label), tip("by", by.label), tip("mean", scale["title"], ".4~g"), tip("n", "cells")]
    encoding = {"x": x, "y": y, "color": colours(by if hue else None, "by"), "tooltip": tips}
    if not hue:
        encoding["strokeDash"] = dashes(by.values, "by") | {"title": by.label}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 70, "filled": True}}
    return {"height": 240, "mark": mark, "encoding": encoding}


def faceted(field: str, inner: Spec, sort: Sequence[str] | None) -> Spec:
    """A panel for each value of a field."""
    return {"facet": {"field": field, "type": "nominal", "sort": sort, "header": HEADER}, "spec": inner}


def tip(field: str, title: str, form: str | None = None) -> Spec:
    """A line of a tooltip."""
    return {"field": field, "title": title, **({"format": form, "type": "quantitative"} if form else {})}
