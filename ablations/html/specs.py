"""The figures of a page as Vega-Lite: what is drawn how. Data, colours, width and theme are filled in by who shows it.

Rows come with `label` (of the cell), `colour`, `panel` and `series` (texts made from its axes, as the reader chooses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Spec = dict[str, Any]

ZOOM = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
COLOUR: Spec = {"field": "colour", "type": "nominal", "legend": {"orient": "top", "symbolType": "circle"}}
DASH: Spec = {
    "field": "dash",
    "type": "nominal",
    "legend": {"orient": "top", "symbolType": "stroke", "symbolSize": 500},
}
HEADER = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start"}
MARKS = {"supported": "#009E73", "contradicted": "#D55E00", "inconclusive": "#E69F00", "no verdict": "#999999"}


def forest(unit: str, names: Sequence[str], edges: Sequence[float]) -> Spec:
    """Contrasts of one unit: estimate, 95% interval, the region that was expected, the published number.

    What is infinite is an arrow at the edge.
    """
    x = {
        "type": "quantitative",
        "title": unit,
        "scale": {"domain": list(edges), "nice": False},
        "axis": {"tickCount": 8},
    }
    y = {"field": "claim", "type": "nominal", "sort": list(names), "title": None, "axis": {"labelFontSize": 13}}
    tips = [tip("says", "claim"), tip("effect", "effect"), tip("expect", "expected"), tip("outcome", "verdict")]
    tips += [tip("published", "published")]
    kinds = {"field": "outcome", "type": "nominal", "legend": None}
    kinds["scale"] = {"domain": list(MARKS), "range": list(MARKS.values())}
    ends = {"field": "end", "type": "nominal", "legend": None}
    ends["scale"] = {"domain": ["", "∞", "-∞"], "range": ["circle", "triangle-right", "triangle-left"]}
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
            "encoding": {"x": {"field": "mean", **x}, "color": kinds, "shape": ends, "tooltip": tips},
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
        "x": {
            "field": "epoch",
            "type": "ordinal",
            "title": "epoch",
            "axis": {"labelOverlap": True, "labelAngle": 0, "ticks": False},
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
    inner = {"height": 150, "mark": {"type": "rect"}, "encoding": encoding}
    return {"facet": {"field": "label", "type": "nominal", "sort": None, "header": HEADER}, "spec": inner}


def columns() -> Spec:
    """What each cell costs."""
    parts = ["parameters", "multiply-adds", "seconds"]
    x = {"field": "value", "type": "quantitative", "title": None, "axis": {"format": "~s", "tickCount": 4}}
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 240}}
    tips = [tip("label", "cell"), tip("part", "of"), tip("value", "value", ",.4~r")]
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
    tips = [tip("x", across), tip("by", by), tip("mean", metric, ".4g"), tip("n", "cells")]
    encoding = {"x": x, "y": y, "color": colour, "tooltip": tips}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 70, "filled": True}}
    return {"height": 240, "mark": mark, "encoding": encoding}


def tip(field: str, title: str, form: str | None = None) -> Spec:
    return {"field": field, "title": title, **({"format": form, "type": "quantitative"} if form else {})}
