"""Vega-Lite specs of the figures that show no errors: claims, heat maps, costs, two axes together, searches.

A spec has no data, no theme and no size; `figures.py` adds the rows, the page or `pictures.py` the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablations.charts.looks import OKABE_ITO, Spec, scaled

ZOOM = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
HEADER = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start"}
MARKS = {"supported": "#009E73", "contradicted": "#D55E00", "inconclusive": "#E69F00", "no verdict": "#999999"}
TICKS = [0, 1, 5, 10, 20, 40, 60, 80, 100]


def forest(unit: str, names: Sequence[str], edges: Sequence[float]) -> Spec:
    """The claims of one unit: estimate, 95% interval, expected region, published number; an arrow where infinite."""
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


def heat_maps(title: str, blocks: int, *, log: bool) -> Spec:
    """A diagnostic by block and epoch: a panel a cell, one colour scale."""
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
    height = {"step": min(14, max(2, round(170 / max(1, blocks))))}
    return faceted("label", {"height": height, "mark": {"type": "rect"}, "encoding": encoding}, None)


def costs() -> Spec:
    """Parameters, multiply-adds and seconds of each cell."""
    x = {"field": "value", "type": "quantitative", "title": None, "axis": {"format": "~s", "tickCount": 4}}
    tips = [tip("label", "cell"), tip("part", "of"), tip("value", "value", ",.4~r")]
    mark = {"type": "bar", "cornerRadiusEnd": 2, "color": OKABE_ITO[1]}
    inner = {"height": {"step": 18}, "mark": mark, "encoding": {"x": x, "y": LABELS, "tooltip": tips}}
    resolve = {"scale": {"x": "independent"}, "axis": {"x": "independent"}}
    return faceted("part", inner, ["parameters", "multiply-adds", "seconds"]) | {"resolve": resolve}


LABELS: Spec = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 240}}


def interaction(axes: tuple[str, str], levels: Mapping[str, Sequence[str]], metric: str) -> Spec:
    """A metric against one axis, a line for each value of another."""
    across, by = axes
    x = {"field": "x", "type": "nominal", "sort": list(levels[across]), "title": across, "axis": {"labelAngle": 0}}
    y = {"field": "mean", "type": "quantitative", "title": f"mean {metric}", "scale": {"zero": True}}
    tips = [tip("x", across), tip("by", by), tip("mean", metric, ".4g"), tip("n", "cells")]
    encoding = {"x": x, "y": y, "color": scaled("by", levels[by], by), "tooltip": tips}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 70, "filled": True}}
    return {"height": 240, "mark": mark, "encoding": encoding}


def faceted(field: str, inner: Spec, sort: Sequence[str] | None) -> Spec:
    """A panel for each value of a field."""
    return {"facet": {"field": field, "type": "nominal", "sort": sort, "header": HEADER}, "spec": inner}


def error_axis(top: float) -> Spec:
    """An axis of errors in percent, by their square root where some are above 15."""
    tall = top > 15
    return {
        "type": "quantitative",
        "scale": {"type": "sqrt" if tall else "linear", "domain": [0, max(top, 0.1) * 1.06], "nice": False},
        "axis": {"values": [tick for tick in TICKS if tick <= top * 1.06]} if tall else {"tickCount": 6},
        "title": "error (%, square-root scale)" if tall else "error (%)",
    }


def tip(field: str, title: str, form: str | None = None) -> Spec:
    """A line of a tooltip."""
    return {"field": field, "title": title, **({"format": form, "type": "quantitative"} if form else {})}
