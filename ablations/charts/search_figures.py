"""Draw the trials of a search: error against size with the front, or the best value by trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablations.analysis.results import Row
from ablations.charts.figure import Figure
from ablations.charts.looks import OKABE_ITO, Spec, scaled
from ablations.charts.series import Table
from ablations.charts.specs import TICKS, faceted, tip
from ablations.question.search_space import SIZES, read_search
from ablations.report.answer import Answer
from ablations.report.search_report import heading
from ablations.search.trials import Trial, distinct_trials, pareto_front, read_trials

TRIAL, FRONT, FRESH = "trial", "front", "fresh seeds, mean ± sd"
KINDS = {TRIAL: "#999999", FRONT: OKABE_ITO[0], FRESH: OKABE_ITO[1]}


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
        panel = tuning["name"].rpartition("-")[0] or tuning["name"]
        lines += [{"tuning": panel, **line} for line in found]
    if not lines:
        return None
    if len(names) > 1:
        spec = _front(*names, fresh=any(line["kind"] == FRESH for line in lines))
        caption = "Every trial; the line joins those that no other trial beats in both objectives."
    else:
        lost = any(line["value"] is None for line in lines)
        spec = _history(names[0], lost=lost)
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
        spread = row.metrics.get(y)
        if spread is not None and spread.mean is not None:
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


def _front(y: str, x: str, *, fresh: bool) -> Spec:
    size = x in SIZES
    across = {
        "field": "x",
        "type": "quantitative",
        "title": heading(x) + (" (log scale)" if size else ""),
        "scale": {"type": "log", "nice": False, "padding": 15} if size else {"zero": False},
        "axis": {"format": "~s", "tickCount": 5, "grid": False},
    }
    kinds = [kind for kind in KINDS if fresh or kind != FRESH]
    colour = scaled("kind", kinds, "")
    colour["scale"] |= {"range": [KINDS[kind] for kind in kinds]}
    height, only = _objective(y), {kind: {"filter": f"datum.kind == '{kind}'"} for kind in KINDS}
    at = {"y": {"field": "y", **height}}
    tips = [tip("label", "cell"), tip("x", heading(x), ",.4~r"), tip("y", heading(y), ".4g")]
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "color": OKABE_ITO[0]}
    dot, diamond = {"type": "point", "filled": True, "size": 55}, {"shape": "diamond", "size": 80}
    layer: list[Spec] = [
        {"transform": [only[FRONT]], "mark": line, "encoding": at},
        {"mark": {**dot, "opacity": 0.9}, "encoding": {**at, "color": colour, "tooltip": tips}}
        | {"transform": [{"filter": f"datum.kind != '{FRESH}'"}]},
    ]
    if fresh:  # an empty layer would have no scale
        ends = {"y": {"field": "low", **height}, "y2": {"field": "high"}}
        layer += [
            {"transform": [only[FRESH]], "mark": {"type": "rule"}, "encoding": {**ends, "color": colour}},
            {"transform": [only[FRESH]], "mark": {**dot, **diamond, "opacity": 1}}
            | {"encoding": {**at, "color": colour, "tooltip": tips}},
        ]
    return faceted("tuning", {"height": 300, "encoding": {"x": across}, "layer": layer}, None)


def _history(name: str, *, lost: bool) -> Spec:
    height, there = _objective(name), {"filter": "datum.value != null"}
    across = {"field": "trial", "type": "quantitative", "title": "trial", "axis": {"grid": False, "tickMinStep": 1}}
    tips = [tip("label", "cell"), tip("value", heading(name), ".4g")]
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "color": OKABE_ITO[0]}
    dot = {"type": "point", "filled": True, "size": 55, "opacity": 0.9, "color": KINDS[TRIAL]}
    tick = {"type": "tick", "color": OKABE_ITO[4], "thickness": 1.5, "height": 9}
    layer = [
        {"transform": [there], "mark": line, "encoding": {"y": {"field": "best", **height}}},
        {"transform": [there], "mark": dot, "encoding": {"y": {"field": "value", **height}, "tooltip": tips}},
    ]
    if lost:
        layer.append(
            {"transform": [{"filter": "datum.value == null"}], "mark": tick, "encoding": {"y": {"value": 296}}}
        )
    return faceted("tuning", {"height": 300, "encoding": {"x": across}, "layer": layer}, None)


def _objective(name: str) -> Spec:
    """The vertical axis of an objective: errors by their square root, so that small ones can be told apart."""
    error = name.endswith("error")
    title = heading(name) + (" (square-root scale)" if error else "")
    scale = {"type": "sqrt" if error else "linear", "nice": False}
    return {"type": "quantitative", "title": title, "scale": scale, "axis": {"values": TICKS} if error else {}}
