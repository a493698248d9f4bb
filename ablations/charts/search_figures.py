"""Draw a search: error against size with the front, or the best value by trial; and what each axis decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablations.analysis.results import Row
from ablations.charts import scales
from ablations.charts.figure import Figure
from ablations.charts.looks import HIGHLIGHT, NEUTRAL, Spec, legend
from ablations.charts.series import Table
from ablations.charts.specs import LABELS, LINE, faceted, tip
from ablations.question.search_space import SIZES, read_search
from ablations.report.answer import Answer
from ablations.report.search_report import heading, objective_spread
from ablations.search.trials import Trial, distinct_trials, pareto_front, read_trials

TRIAL, FRONT, FRESH = "trial", "front", "fresh seeds, mean ± sd"
KINDS = {TRIAL: NEUTRAL, FRONT: HIGHLIGHT, FRESH: HIGHLIGHT}  # no colour of a block
MARKS = {TRIAL: "circle", FRONT: "circle", FRESH: "diamond"}


def search_figure(answer: Answer) -> Figure | None:
    """A panel for each tuning; None before a trial is complete."""
    lines: list[dict[str, Any]] = []
    names = read_search(answer.plan["study"]).objectives[:2]
    for tuning in answer.plan["study"]["tunings"]:
        trials, _ = read_trials(answer.runs, answer.plan["name"], [tuning["name"]])
        if not distinct_trials(trials):
            continue
        point = tuning["point"].items()
        winners = [row for row in answer.rows if all(row.axes.get(axis, value) == value for axis, value in point)]
        found = _front_lines(trials, winners, names) if len(names) > 1 else _history_lines(trials, names[0])
        lines += [{"tuning": _panel(tuning["name"]), **line} for line in found]
    if not lines:
        return None
    if len(names) > 1:
        spec = _front(names[0], names[1], lines)
        caption = "Every trial; the line joins those that no other trial beats in both objectives."
    else:
        lost = any(line["value"] is None for line in lines)
        spec = _history(names[0], [line["value"] for line in lines], lost=lost)
        caption = "Every trial, and the lowest value so far" + "; ticks at the bottom: pruned or failed" * lost + "."
    rows: Table = {name: [line[name] for line in lines] for name in lines[0]}
    return Figure("search", "Search", caption, spec, rows, panels=min(2, len({*rows["tuning"]})), least=340)


def _front_lines(trials: Sequence[Trial], rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    y, x = names
    best = {trial["number"] for trial in pareto_front(trials, names)}
    lines = [
        {"kind": FRONT if trial["number"] in best else TRIAL, "label": trial["label"], "low": None, "high": None}
        | {"x": trial["values"][x], "y": trial["values"][y]}
        for trial in distinct_trials(trials)
    ]
    for row in rows if x in SIZES else ():
        spread = objective_spread(row, y)
        if spread.mean is not None:
            mean, sd = spread.mean, spread.sd or 0.0
            ends = {"low": mean - sd, "high": mean + sd}
            lines.append({"kind": FRESH, "label": f"{row.n} fresh seeds", **ends, "x": getattr(row, x), "y": mean})
    return lines


def _history_lines(trials: Sequence[Trial], name: str) -> list[dict[str, Any]]:
    lines, best = [], float("inf")
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        if trial["state"] == "complete":
            value = trial["values"][name]
            best = min(best, value)
            lines.append({"trial": trial["number"], "value": value, "best": best, "label": trial["label"]})
        elif trial["state"] in ("pruned", "failed"):
            lines.append({"trial": trial["number"], "value": None, "best": None, "label": trial["label"]})
    return lines


def importance_figure(answer: Answer) -> Figure | None:
    """The importance of each axis as a bar, with the floor that noise reaches; None where the trials are too few."""
    from ablations.search.importance import importance_caption

    names = read_search(answer.plan["study"]).objectives
    lines = [
        {"tuning": _panel(one.tuning), "row": axis, "label": axis, "share": share, "floor": one.floor}
        | {"named": int(axis in one.named), "trials": one.trials}
        for one in answer.importance
        for axis, share in one.shares.items()
    ]
    if not lines:
        return None
    caption = f"{importance_caption(names)} The line: what noise gives; bars below it are pale."
    rows: Table = {name: [line[name] for line in lines] for name in lines[0]}
    tips = [
        tip("label", "axis"),
        tip("share", "importance", ".0%"),
        tip("floor", "noise", ".0%"),
        tip("trials", "trials"),
    ]
    x: Spec = {"type": "quantitative", "title": "share of the importances"}
    x |= {"scale": {"domain": [0, 1], "nice": False}, "axis": {"format": "%", "tickCount": 5}}
    y = {**LABELS, "sort": list(dict.fromkeys(rows["row"]))}
    pale = {"condition": {"test": "datum.named", "value": 1}, "value": 0.35}
    layer = [
        {"mark": {"type": "bar", "color": NEUTRAL, "height": {"band": 0.7}}}
        | {"encoding": {"x": {"field": "share", **x}, "y": y, "opacity": pale, "tooltip": tips}},
        {"mark": {"type": "tick", "color": HIGHLIGHT, "thickness": 2.5, "height": 18}}
        | {"encoding": {"x": {"field": "floor", **x}, "y": y, "tooltip": tips}},
    ]
    spec = faceted("tuning", {"height": {"step": LINE + 9}, "encoding": {"y": y}, "layer": layer}, None)
    spec["resolve"] = {"scale": {"y": "independent"}}
    panels = min(2, len({*rows["tuning"]}))
    return Figure("importance", "What mattered", caption, spec, rows, panels=panels, least=300)


def _panel(tuning: str) -> str:
    return tuning.rpartition("-")[0] or tuning


def _front(y: str, x: str, lines: Sequence[Mapping[str, Any]]) -> Spec:
    size, fresh = x in SIZES, any(line["kind"] == FRESH for line in lines)
    across = {
        "field": "x",
        "type": "quantitative",
        "title": heading(x) + (" (log scale)" if size else ""),
        "scale": {"type": "log", "nice": False, "padding": 15} if size else {"zero": False},
        "axis": {"format": "~s", "tickCount": 5, "grid": False},
    }
    kinds = [kind for kind in KINDS if fresh or kind != FRESH]
    colour = {"field": "kind", "type": "nominal", "title": None, "legend": legend()}
    colour["scale"] = {"domain": kinds, "range": [KINDS[kind] for kind in kinds]}
    colour["legend"] = {key: value for key, value in legend().items() if key != "symbolType"}
    shape = {**colour, "scale": {"domain": kinds, "range": [MARKS[kind] for kind in kinds]}}
    height, only = (
        objective_axis(y, [line[end] for line in lines for end in ("y", "low", "high")]),
        {kind: {"filter": f"datum.kind == '{kind}'"} for kind in KINDS},
    )
    at = {"y": {"field": "y", **height}}
    tips = [tip("label", "cell"), tip("x", heading(x), ",.4~r"), tip("y", heading(y), ".4g")]
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "color": HIGHLIGHT}
    dot = {"type": "point", "filled": True, "size": 60}
    layer: list[Spec] = [
        {"transform": [only[FRONT]], "mark": line, "encoding": at},
        {"mark": {**dot, "opacity": 0.9}, "encoding": {**at, "color": colour, "shape": shape, "tooltip": tips}}
        | {"transform": [{"filter": f"datum.kind != '{FRESH}'"}]},
    ]
    if fresh:  # an empty layer would have no scale
        ends = {"y": {"field": "low", **height}, "y2": {"field": "high"}}
        layer += [
            {"transform": [only[FRESH]], "mark": {"type": "rule"}, "encoding": {**ends, "color": colour}},
            {"transform": [only[FRESH]], "mark": {**dot, "size": 80, "opacity": 1}}
            | {"encoding": {**at, "color": colour, "shape": shape, "tooltip": tips}},
        ]
    return faceted("tuning", {"height": 300, "encoding": {"x": across}, "layer": layer}, None)


def _history(name: str, values: Sequence[float | None], *, lost: bool) -> Spec:
    height, there = objective_axis(name, values), {"filter": "datum.value != null"}
    across = {
        "field": "trial",
        "type": "quantitative",
        "title": "trial",
        "axis": {"grid": False, "tickMinStep": 1, "format": "d"},
    }
    tips = [tip("label", "cell"), tip("value", heading(name), ".4g")]
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "color": HIGHLIGHT}
    dot = {"type": "point", "filled": True, "size": 55, "opacity": 0.9, "color": KINDS[TRIAL]}
    tick = {"type": "tick", "color": HIGHLIGHT, "thickness": 1.5, "height": 9}
    layer = [
        {"transform": [there], "mark": line, "encoding": {"y": {"field": "best", **height}}},
        {"transform": [there], "mark": dot, "encoding": {"y": {"field": "value", **height}, "tooltip": tips}},
    ]
    if lost:
        layer.append(
            {"transform": [{"filter": "datum.value == null"}], "mark": tick, "encoding": {"y": {"value": 296}}}
        )
    return faceted("tuning", {"height": 300, "encoding": {"x": across}, "layer": layer}, None)


def objective_axis(name: str, values: Iterable[float | None]) -> Spec:
    """The vertical axis of an objective."""
    if name.endswith("error"):
        return scales.errors(values, heading(name))
    values = list(values)
    negative = any(value is not None and value < 0 for value in values)
    return scales.numbers(values, heading(name), **({} if negative else {"least": 0.0}))
