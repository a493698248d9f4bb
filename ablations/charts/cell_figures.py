"""Draw what cells cost, and how two axes act together."""

from __future__ import annotations

import math

from ablations.analysis.anova import AxisEffects
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import INACTIVE, Plan
from ablations.charts import scales, series
from ablations.charts.answer_figure import FigureContent
from ablations.charts.figure import Figure
from ablations.charts.focus import MOST_CELLS
from ablations.charts.looks import NEUTRAL, colours, dashes
from ablations.charts.specs import LABELS, LINE, faceted, tip
from ablations.report.lines import wrapped


def cost_figure(chosen: FigureContent) -> Figure | None:
    """Parameters, multiply-adds and seconds of each cell."""
    names, lines = chosen.names, []
    for cell, row in enumerate(chosen.rows):
        if len(chosen.rows) <= MOST_CELLS or cell in chosen.focus.shown:
            about = {"cell": cell, "label": names[cell], "row": wrapped(names[cell])}
            known = {"parameters": row.params, "multiply-adds": row.macs, "seconds": row.seconds.mean}
            lines += [{**about, "part": part, "value": value} for part, value in known.items() if value is not None]
    if all(row.params is None for row in chosen.rows):
        return None
    step = 6 + LINE * max(line["row"].count("\n") + 1 for line in lines)
    shown = {"labelExpr": "format(datum.value, datum.value < 1 ? '~g' : '~s')", "tickCount": 4}
    x = {"field": "value", "type": "quantitative", "title": None, "axis": shown}
    tips = [tip("label", "cell"), tip("part", "of"), tip("value", "value", ",.4~r")]
    mark = {"type": "bar", "cornerRadiusEnd": 2, "color": NEUTRAL}
    inner = {"height": {"step": step}, "mark": mark, "encoding": {"x": x, "y": LABELS, "tooltip": tips}}
    spec = faceted("part", inner, ["parameters", "multiply-adds", "seconds"])
    spec["resolve"] = {"scale": {"x": "independent"}, "axis": {"x": "independent"}}
    caption = "Parameters, multiply-adds for one image forward, and mean training seconds of a run."
    return Figure("costs", "What each cell costs", caption, spec, series.columns(lines), panels=3)


def interaction_figure(effects: AxisEffects | str, chosen: FigureContent, plan: Plan) -> Figure | None:
    """A metric against one axis, a line for each value of another: the two that explain the most beyond each alone."""
    if isinstance(effects, str):
        return None
    known = {axis.name: axis for axis in chosen.axes}
    pairs = [term for term in effects.terms if len(term.axes) == 2 and term.df and not term.within]
    pairs = [term for term in pairs if all(name in known for name in term.axes)]
    if not pairs:
        return None
    first, second = (known[name] for name in max(pairs, key=lambda term: term.share).axes)
    if first is chosen.hue or (second is not chosen.hue and len(first.values) < len(second.values)):
        first, second = second, first
    means: dict[tuple[str, str], list[float]] = {}
    for cell, row in enumerate(chosen.rows):
        mean, at = row.metrics[effects.metric].mean, (first.levels[cell], second.levels[cell])
        if mean is not None and math.isfinite(mean) and INACTIVE not in at:
            means.setdefault(at, []).append(mean)
    lines = [
        {"x": x, "by": by, "mean": math.fsum(cells) / len(cells), "n": len(cells)} for (x, by), cells in means.items()
    ]
    if not lines:
        return None
    scale = scales.of_metric(
        read_metric(effects.metric, plan["study"].get("metrics")), [line["mean"] for line in lines]
    )
    tips = [tip("x", first.label), tip("by", second.label), tip("mean", scale["title"], ".4~g"), tip("n", "cells")]
    encoding = {
        "x": {"field": "x", "type": "nominal", "sort": first.values, "title": first.label, "axis": {"labelAngle": 0}},
        "y": {"field": "mean", **scale, "title": f"mean {scale['title']}"},
        "color": colours(second if second is chosen.hue else None, "by"),
        "tooltip": tips,
    }
    if second is not chosen.hue:
        encoding["strokeDash"] = dashes(second.values, "by") | {"title": second.label}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 70, "filled": True}}
    spec = {"height": 240, "mark": mark, "encoding": encoding}
    caption = "Means over the cells. Where the lines are parallel, the two axes do not interact."
    return Figure("interaction", f"{first.label} × {second.label}", caption, spec, series.columns(lines))
