"""A study's answer as a picture where nothing that is swept is a number: a line a cell, its errors as dots along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablations.analysis.results import Plan, Row
from ablations.report.figures import OKABE_ITO, PANELS, TICKS, data_of, notes_of


def names_of(rows: Sequence[Row]) -> list[str]:
    """What tells the cells apart in as few words as can be, in the order of the swept axes: `highway, matched`."""
    axes: list[str] = []

    def names(some: Sequence[str]) -> list[str]:
        values = [[row.shown[axis] for axis in some] for row in rows]
        return [", ".join(str(value) for value in line if value is not None) or "all" for line in values]

    for axis in rows[0].shown if rows else ():
        if len(set(names([*axes, axis]))) > len(set(names(axes))):
            axes.append(axis)
    return names(axes)


def dot_chart(plan: Plan, rows: Sequence[Row]) -> Any:
    """An altair chart of training and test error: mean ± sd and every run of each cell; None without a run."""
    names = dict(zip((row.cell for row in rows), names_of(rows), strict=True))
    drawn = [row for row in rows if row.n]
    means, points = data_of(drawn, lambda row: {"cell": names[row.cell]})
    if not means:
        return None
    import altair as alt

    top = max(point["error"] for point in points) * 1.06 + 0.1
    tall = top > 15
    scale = alt.Scale(type="sqrt" if tall else "linear", domain=[0, top], nice=False)
    ticks = alt.Axis(values=[tick for tick in TICKS if tick <= top]) if tall else alt.Axis(tickCount=6)
    about = {"scale": scale, "axis": ticks, "title": "error (%, square-root scale)" if tall else "error (%)"}

    def panel(metric: str, heading: str, first: bool) -> Any:
        order = [names[row.cell] for row in drawn]
        side = alt.Axis(labelLimit=260, grid=True) if first else None
        y = alt.Y("cell:N", sort=order, title=None, axis=side)
        base = alt.Chart(alt.Data(values=[mean for mean in means if mean["metric"] == metric])).encode(y=y)
        runs = alt.Chart(alt.Data(values=[point for point in points if point["metric"] == metric])).encode(y=y)
        colour = OKABE_ITO[1]
        bar = base.mark_rule(strokeWidth=1.6, color=colour, clip=True).encode(x=alt.X("low:Q", **about), x2="high:Q")
        dot = base.mark_point(filled=True, size=75, opacity=1, color=colour).encode(x=alt.X("mean:Q", **about))
        cloud = runs.mark_point(filled=True, size=22, opacity=0.45, yOffset=5, color=colour)
        return (bar + cloud.encode(x=alt.X("error:Q", **about)) + dot).properties(
            width=300, height={"step": 20}, title=heading
        )

    kinds = [metric for metric in PANELS if any(mean["metric"] == metric for mean in means)]
    question = plan["study"].get("question") or plan["name"]
    title = alt.TitleParams(question, subtitle=notes_of(drawn), fontSize=15, anchor="start", offset=10)
    return (
        alt.hconcat(*(panel(metric, PANELS[metric], i == 0) for i, metric in enumerate(kinds)))
        .resolve_scale(y="shared")
        .properties(title=title, background="white", padding=12)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=11, titleFontSize=12, titleFontWeight="normal", gridColor="#e6e6e6")
        .configure_title(subtitleColor="#666", subtitleFontSize=11)
    )
