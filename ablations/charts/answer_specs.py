"""Vega-Lite specs of the panels of an answer: a metric against an axis, or a line a cell."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ablations.charts.looks import SPLIT, Axis, Spec, colours, dashes, shapes
from ablations.charts.specs import ZOOM, layer, tip

MEANS, RUNS = "datum.single == 0", "datum.single == 1"
LOST = 2  # `single` of a mean that is not finite
STRONG = {"condition": {"test": "datum.light", "value": 0.35}, "value": 1}
FAINT = {**STRONG, "value": 0.5}
DOT = {"filled": True, "clip": True}


def side_by_side(views: Sequence[Spec]) -> Spec:
    """Panels with scales of their own, and one legend."""
    shared = {"color": "shared", "strokeDash": "shared", "shape": "shared"}
    return {"concat": list(views), "resolve": {"scale": shared}}


def against(axis: Axis, xs: Sequence[float], y: Spec, hue: Axis | None, rest: Sequence[str]) -> Spec:
    """A metric against an axis: means ± sd joined by lines, every run a small dot beside its mean."""
    x = _across(axis, xs)
    at = {"y": {"field": "mean", **y}}
    colour = {"color": colours(hue)}
    line, shape = {**at, "detail": [{"field": "hue"}, {"field": "rest"}]}, {}
    if len(rest) > 1:
        line["strokeDash"], shape = dashes(rest, "rest"), {"shape": shapes(rest, "rest")}
    tips = _tips(y)
    ends = {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    runs, means = {**at, "tooltip": tips, "opacity": FAINT}, {**at, **shape, "tooltip": tips, "opacity": STRONG}
    layers = [
        {"params": [ZOOM], **layer("line", line, where=MEANS, strokeWidth=2.2, clip=True)},
        layer("rule", {**ends, "opacity": STRONG}, where=MEANS, strokeWidth=1.6, clip=True),
        layer("point", runs, where=RUNS, size=20, xOffset=7, **DOT),
        layer("point", means, where=MEANS, size=75, **DOT),
    ]
    return {"height": 240, "encoding": {"x": x, **colour}, "layer": layers}


def by_cell(x: Spec, names: Sequence[str], hue: Axis | None) -> Spec:
    """A metric, a line a cell: mean ± sd, every run a small dot below."""
    at = {"x": {"field": "mean", **x}, "tooltip": _tips(x)}
    colour = {"color": {**colours(hue), "legend": None}} if hue else {"color": colours(None)}
    axis = {"labelExpr": SPLIT, "labelLimit": 0, "grid": True, "ticks": False, "labelPadding": 6, "title": None}
    y = {"field": "row", "type": "nominal", "sort": list(names), "axis": axis, "title": None}
    ends = {"x": {"field": "low", **x}, "x2": {"field": "high"}}
    layers = [
        layer("rule", {**ends, "opacity": STRONG}, where=MEANS, strokeWidth=1.6, clip=True),
        layer("point", {**at, "opacity": FAINT}, where=RUNS, size=20, yOffset=6, **DOT),
        layer("point", {**at, "opacity": STRONG}, where=MEANS, size=75, **DOT),
    ]
    lines = max((name.count("\n") + 1 for name in names), default=1)
    return {"height": {"step": 12 + 13 * lines}, "encoding": {"y": y, **colour}, "layer": layers}


def by_name(x: Spec, names: Sequence[str], within: Axis | None) -> Spec:
    """A metric, a line a name: mean ± sd, of each value of an axis in its shade and a little lower; × at an edge."""
    panel = by_cell(x, names, within)
    if within:
        panel["encoding"]["yOffset"] = {"field": "hue", "type": "nominal", "sort": within.values}
        panel["encoding"]["color"] = colours(within)
        panel["height"] = {"step": max(panel["height"]["step"], 8 + 9 * len(within.values)), "for": "position"}
    bars, _, means = panel["layer"]
    lost, cross = f"datum.single == {LOST}", {"shape": "cross", "angle": 45, "filled": True, "size": 60}
    return {**panel, "layer": [bars, means, layer("point", means["encoding"], where=lost, **cross)]}


def _across(axis: Axis, values: Sequence[float]) -> Spec:
    """The horizontal axis: logarithmic where it spans much, evenly spaced where zero or words are among the values."""
    x: Spec = {"field": "x", "title": axis.label}
    if not axis.numeric:
        return {**x, "type": "nominal", "sort": axis.values, "axis": {"labelAngle": 0}}
    xs = sorted({*values})
    if len(xs) > 2 and xs[0] <= 0 and xs[-1] > 20 * abs(xs[1]):
        return {**x, "type": "ordinal", "sort": xs, "axis": {"labelAngle": 0, "grid": False, "format": ".6~g"}}
    wide = xs[0] > 0 and xs[-1] / xs[0] >= 4
    room = (xs[-1] / xs[0]) ** 0.09 if wide else 0.09 * (xs[-1] - xs[0]) or 1
    ends = [xs[0] / room, min(xs[-1] * room, sys.float_info.max)] if wide else [xs[0] - room, xs[-1] + room]
    x |= {"type": "quantitative", "title": axis.label + (" (log scale)" if wide else "")}
    x["scale"] = {"domain": ends, "nice": False, **({"type": "log"} if wide else {"zero": False})}
    return {**x, "axis": {"values": xs, "grid": False, "format": ".6~g", "labelOverlap": True}}


def _tips(encoding: Spec) -> list[Spec]:
    return [tip("label", "cell"), tip("of", "of"), tip("mean", encoding["title"], ".4~g"), tip("n", "seeds")]
