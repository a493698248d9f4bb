"""Draw the trials of a search: the front of error and size, and the best value so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ablations.analysis.front_odds import front_odds
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import Row, Spread
from ablations.charts import scales
from ablations.charts.figure import Figure
from ablations.charts.looks import HIGHLIGHT, NEUTRAL, Spec, legend
from ablations.charts.series import columns
from ablations.charts.specs import faceted, layer, tip
from ablations.question.search_space import SIZES, read_search
from ablations.report.answer import Answer
from ablations.report.search_report import heading, objective_spread, tunings_of
from ablations.search.trials import Trial, distinct_trials, pareto_front

TRIAL, FRONT, FRESH = "trial", "front", "fresh seeds, mean ± sd"
KINDS = {TRIAL: NEUTRAL, FRONT: HIGHLIGHT, FRESH: HIGHLIGHT}  # no colour of a block
MARKS = {TRIAL: "circle", FRONT: "circle", FRESH: "diamond"}
DOT = {"filled": True, "size": 60, "opacity": 0.9}
STEPS = {"interpolate": "step-after", "color": HIGHLIGHT}


def search_figures(answer: Answer) -> list[Figure]:
    """The front where there are several objectives, and the first objective by trial; none before there are trials."""
    names = read_search(answer.plan["study"]).objectives
    history, front = [], []
    for name, trials, rows in drawn_tunings(answer):
        history += [{"tuning": name, **line} for line in _history_lines(trials, names[0])]
        if len(names) > 1:
            front += [{"tuning": name, **line} for line in _front_lines(trials, rows, names)]
    figures = [_front(names[0], names[1], front)] if front else []
    return figures + ([_history(names[0], history, "progress" if front else "search")] if history else [])


def drawn_tunings(answer: Answer) -> list[tuple[str, list[Trial], list[Row]]]:
    """Of each tuning with a complete trial: its name, its trials, and its networks that were trained again."""
    found = []
    for tuning, name, trials, _ in tunings_of(answer):
        point = tuning["point"].items()
        rows = [row for row in answer.rows if all(row.axes.get(axis, value) == value for axis, value in point)]
        if distinct_trials(trials):
            found.append((name, trials, rows))
    return found


def objective_axis(name: str, values: Iterable[float | None]) -> Spec:
    """The axis of an objective."""
    if name.endswith("error"):
        return scales.errors(values, f"{scales.words(read_metric(name))} (%)")
    return scales.numbers(values, heading(name))


def _front_lines(trials: Sequence[Trial], rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    y, x = names[:2]
    best = {trial["number"] for trial in pareto_front(trials, names)}
    lines = [
        {"kind": FRONT if trial["number"] in best else TRIAL, "label": trial["label"], "low": None, "high": None}
        | {"x": trial["values"][x], "y": trial["values"][y], "odds": None}
        for trial in distinct_trials(trials)
    ]
    fresh = [[objective_spread(row, name) for name in names] for row in rows]
    for row, (up, along, *_), odds in zip(rows, fresh, front_odds(fresh), strict=True):
        if up.mean is not None and along.mean is not None:
            about = {"kind": FRESH, "label": f"{row.n} fresh seeds", "odds": odds, "x": along.mean, "y": up.mean}
            lines.append(about | {"low": up.mean - (up.sd or 0.0), "high": up.mean + (up.sd or 0.0)})
    return lines


def _front(y: str, x: str, lines: list[dict[str, Any]]) -> Figure:
    size, fresh = x in SIZES, any(line["kind"] == FRESH for line in lines)
    across: Spec = {"field": "x", "type": "quantitative", "title": heading(x) + (" (log scale)" if size else "")}
    across["scale"] = {"type": "log", "nice": False, "padding": 15} if size else {"zero": False}
    across["axis"] = {"format": "~s", "tickCount": 5, "grid": False}
    kinds = [kind for kind in KINDS if fresh or kind != FRESH]
    words = {key: value for key, value in legend().items() if key != "symbolType"}
    colour = {"field": "kind", "type": "nominal", "title": None, "legend": words}
    colour["scale"] = {"domain": kinds, "range": [KINDS[kind] for kind in kinds]}
    shape = {**colour, "scale": {"domain": kinds, "range": [MARKS[kind] for kind in kinds]}}
    height = objective_axis(y, [line[end] for line in lines for end in ("y", "low", "high")])
    at = {"y": {"field": "y", **height}}
    tips = [tip("label", "cell"), tip("x", heading(x), ",.4~r"), tip("y", heading(y), ".4g")]
    dots = {**at, "color": colour, "shape": shape, "tooltip": tips}
    layers = [
        layer("line", at, where=f"datum.kind == '{FRONT}'", strokeWidth=1.6, **STEPS),
        layer("point", dots, where=f"datum.kind != '{FRESH}'", **DOT),
    ]
    if fresh:  # an empty layer would have no scale
        ends = {"y": {"field": "low", **height}, "y2": {"field": "high"}}
        share = {"field": "odds", "type": "quantitative", "format": ".0%"}
        again = {**dots, "tooltip": [*tips, tip("odds", "on the front", ".0%")]}
        layers += [
            layer("rule", {**ends, "color": colour}, where=f"datum.kind == '{FRESH}'"),
            layer("point", again, where=f"datum.kind == '{FRESH}'", filled=True, size=80, opacity=1),
            layer("text", {**at, "text": share}, where="datum.odds != null", dx=8, dy=-8, align="left"),
        ]
    caption = "Every trial; the line joins those that no other trial beats in both objectives."
    if any(line["odds"] is not None for line in lines):
        caption += " Percent: how likely a network is to be on the front of those that were trained again, judged by"
        caption += " their fresh seeds alone."
    spec = faceted("tuning", {"height": 300, "encoding": {"x": across}, "layer": layers}, None)
    return _figure("search", "Search", caption, spec, lines)


def _history_lines(trials: Sequence[Trial], name: str) -> list[dict[str, Any]]:
    """Each trial, and the best so far ± the deviation over its seeds."""
    lines, best, sd = [], float("inf"), 0.0
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        about = {"trial": trial["number"], "label": trial["label"]}
        if trial["state"] == "complete":
            if (value := trial["values"][name]) < best:
                best, sd = value, Spread.of([*(trial.get("seed_values") or {}).values()]).sd or 0.0
            lines.append(about | {"value": value, "best": best, "low": best - sd, "high": best + sd})
        elif trial["state"] in ("paused", "pruned", "failed"):
            lines.append(about | dict.fromkeys(("value", "best", "low", "high")))
    return lines


def _history(name: str, lines: list[dict[str, Any]], figure: str) -> Figure:
    there = "datum.value != null"
    height = objective_axis(name, [line[end] for line in lines for end in ("value", "low", "high")])
    dots = {"y": {"field": "value", **height}, "tooltip": [tip("label", "cell"), tip("value", heading(name), ".4g")]}
    layers = [
        layer("line", {"y": {"field": "best", **height}}, where=there, strokeWidth=2, **STEPS),
        layer("point", dots, where=there, color=NEUTRAL, **DOT),
    ]
    caption = "Every trial, and the lowest value so far"
    if any(line["low"] != line["high"] for line in lines):
        caption += "; band: ± sd over the seeds of that trial"
        band = {"y": {"field": "low", **height}, "y2": {"field": "high"}}
        layers.insert(0, layer("area", band, where=there, opacity=0.2, **STEPS))
    if any(line["value"] is None for line in lines):
        caption += "; ticks at the bottom: paused, pruned or failed"
        look = {"color": HIGHLIGHT, "thickness": 1.5, "height": 9}
        layers.append(layer("tick", {"y": {"value": 236}}, where="datum.value == null", **look))
    x: Spec = {"field": "trial", "type": "quantitative", "title": "trial"}
    x["axis"] = scales.whole(line["trial"] for line in lines)
    spec = faceted("tuning", {"height": 240, "encoding": {"x": x}, "layer": layers}, None)
    return _figure(figure, "Best so far" if figure == "progress" else "Search", f"{caption}.", spec, lines)


def _figure(name: str, title: str, caption: str, spec: Spec, lines: list[dict[str, Any]]) -> Figure:
    panels = min(2, len({line["tuning"] for line in lines}))
    return Figure(name, title, caption, spec, columns(lines), panels=panels, least=340)
