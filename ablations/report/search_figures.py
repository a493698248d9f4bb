"""A search as a picture: error against size with the front, or the best value so far against the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.results import Plan, Row
from ablations.question.search_space import SIZES, read_search
from ablations.report.figures import OKABE_ITO, TICKS
from ablations.report.search_report import heading
from ablations.search.trials import Trial, distinct_trials, pareto_front

STATES = ["complete", "pruned", "failed"]


def search_chart(plan: Plan, trials: Mapping[str, Sequence[Trial]], rows: Sequence[Row]) -> Any:
    """An altair chart; None before a trial is complete.

    Args:
        trials: by tuning.
        rows: what fresh seeds made of the winners.
    """
    if not any(distinct_trials(found) for found in trials.values()):
        return None
    search = read_search(plan["study"])
    import altair as alt

    def draw(name: str, found: Sequence[Trial]) -> Any:
        several = len(search.objectives) > 1
        chart = _front(found, rows, search.objectives[:2]) if several else _history(found, search.objectives[0])
        return chart.properties(title=name.rpartition("-")[0])

    side_by_side = alt.hconcat(*(draw(name, found) for name, found in trials.items() if distinct_trials(found)))
    return (
        side_by_side.resolve_scale(y="shared")
        .properties(title=alt.TitleParams(plan["study"].get("question") or plan["name"], fontSize=15, anchor="start"))
        .properties(background="white", padding=12)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=11, titleFontSize=12, titleFontWeight="normal", gridColor="#e6e6e6")
    )


def _front(trials: Sequence[Trial], rows: Sequence[Row], names: Sequence[str]) -> Any:
    """Every trial as a dot, those on the front joined by a line, fresh seeds with their spread."""
    import altair as alt

    y, x = names
    best = {trial["number"] for trial in pareto_front(trials, names)}
    dots = []
    for trial in distinct_trials(trials):
        kind = "front" if trial["number"] in best else "trial"
        dots.append({"x": trial["values"][x], "y": trial["values"][y], "label": trial["label"], "kind": kind})
    again = []
    for row in rows:
        spread = row.metrics.get(y)
        if x in SIZES and spread is not None and spread.mean is not None:
            ends = {"low": spread.mean - (spread.sd or 0.0), "high": spread.mean + (spread.sd or 0.0)}
            again.append({"x": getattr(row, x), "y": spread.mean, "kind": "fresh seeds, mean ± sd", **ends})
    kinds = ["trial", "front", "fresh seeds, mean ± sd"]
    wide = x in SIZES
    scale = alt.Scale(type="log", nice=False, padding=15) if wide else alt.Scale(zero=False)
    axis = alt.Axis(format="~s", tickCount=5, grid=False)
    ex = alt.X("x:Q", title=heading(x) + (" (log scale)" if wide else ""), scale=scale, axis=axis)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=["#999999", OKABE_ITO[0], OKABE_ITO[1]]),
        legend=alt.Legend(title=None, orient="top"),
    )
    base = alt.Chart(alt.Data(values=dots))
    line = (
        alt.Chart(alt.Data(values=[dot for dot in dots if dot["kind"] == "front"]))
        .mark_line(interpolate="step-after", strokeWidth=1.6, color=OKABE_ITO[0])
        .encode(x=ex, y=_height(alt, "y:Q", y))
    )
    dot = base.mark_point(filled=True, size=55, opacity=0.9).encode(
        x=ex, y=_height(alt, "y:Q", y), color=colour, tooltip=["label:N", "x:Q", "y:Q"]
    )
    fresh = alt.Chart(alt.Data(values=again))
    bars = fresh.mark_rule(strokeWidth=1.6).encode(x=ex, y="low:Q", y2="high:Q", color=colour)
    means = fresh.mark_point(filled=True, shape="diamond", size=80, opacity=1).encode(x=ex, y="y:Q", color=colour)
    layers = [line, dot, *([bars, means] if again else [])]  # an empty layer would be complained of in the browser
    return alt.layer(*layers).properties(width=460, height=300)


def _history(trials: Sequence[Trial], name: str) -> Any:
    """Every trial in its order, and the best value so far."""
    import altair as alt

    done = sorted((t for t in trials if t["state"] == "complete"), key=lambda trial: trial["number"])
    dots, best = [], []
    for trial in done:
        dots.append({"trial": trial["number"], "value": trial["values"][name], "label": trial["label"]})
        best.append({"trial": trial["number"], "value": min(dot["value"] for dot in dots)})
    lost = [{"trial": t["number"]} for t in trials if t["state"] in STATES[1:]]
    x = alt.X("trial:Q", title="trial", axis=alt.Axis(grid=False))
    y = _height(alt, "value:Q", name)
    points = (
        alt.Chart(alt.Data(values=dots))
        .mark_point(filled=True, size=55, opacity=0.9, color="#999999")
        .encode(x=x, y=y, tooltip=["label:N", "value:Q"])
    )
    line = alt.Chart(alt.Data(values=best)).mark_line(interpolate="step-after", strokeWidth=2, color=OKABE_ITO[0])
    ticks = alt.Chart(alt.Data(values=lost)).mark_tick(color=OKABE_ITO[4], thickness=1.5, height=9, yOffset=0)
    layers = [line.encode(x=x, y=y), points, *([ticks.encode(x=x, y=alt.value(296))] if lost else [])]
    return alt.layer(*layers).properties(width=360, height=300)


def _height(alt: Any, field: str, name: str) -> Any:
    """The vertical scale of an objective: errors by their square root, so that small ones can be told apart."""
    error = name.endswith("error")
    title = heading(name) + (" (square-root scale)" if error else "")
    axis = alt.Axis(values=TICKS) if error else alt.Axis()
    return alt.Y(field, title=title, scale=alt.Scale(type="sqrt" if error else "linear", nice=False), axis=axis)
