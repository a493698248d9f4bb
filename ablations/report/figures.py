"""A study's answer as a picture: error against a numeric axis, a line for each of the other choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import Plan, Row, measured

PANELS = {"train_error": "training", "test_error": "test"}
OKABE_ITO = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]  # told apart by everybody
DASHES = [[1, 0], [6, 3], [2, 2], [9, 3, 2, 3]]  # beyond seven lines
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke"]
LETTERS = 110  # of labels that fit beside each other above the two panels
TICKS = [0, 1, 5, 10, 20, 40, 60, 80, 100]


def numeric_axis(rows: Sequence[Row]) -> str | None:
    """The first swept axis whose values are numbers, and along which a line goes: cells that differ in nothing else."""
    for axis in rows[0].shown if rows else ():
        known = [row for row in rows if row.shown[axis] is not None]
        numbers = all(
            isinstance(row.shown[axis], int | float) and not isinstance(row.shown[axis], bool) for row in known
        )
        if numbers and len({(_series(row, axis), row.shown[axis]) for row in known}) > len(
            {_series(r, axis) for r in known}
        ):
            return axis
    return None


def series_of(rows: Sequence[Row], metric: str) -> dict[str, list[tuple[float, float]]]:
    """The points (x, mean of the metric) of each line, by the line's name, in the order of the grid."""
    axis = numeric_axis(rows)
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        mean = row.metrics[metric].mean
        if axis and row.shown[axis] is not None and mean is not None and math.isfinite(mean):
            lines.setdefault(_series(row, axis), []).append((row.shown[axis], mean))
    return {name: sorted(line) for name, line in lines.items()}


def error_chart(plan: Plan, rows: Sequence[Row]) -> Any:
    """An altair chart of training and test error: means, ± sd, and every run; None without a numeric axis.

    `chart.save("x.svg")` and `chart.save("x.png", ppi=200)` write it.
    """
    axis = numeric_axis(rows)
    drawn = [row for row in rows if axis and row.shown[axis] is not None and row.n]
    if axis is None or not drawn:
        return None
    import altair as alt

    names = list(dict.fromkeys(_series(row, axis) for row in drawn))
    means, points = data_of(drawn, lambda row: {"x": row.shown[axis], "series": _series(row, axis)})
    if not means:
        return None
    xs = sorted({row.shown[axis] for row in drawn})
    wide = xs[0] > 0 and xs[-1] / xs[0] >= 4
    tall = max(mean["mean"] for mean in means) > 15
    turns = len(names) > len(OKABE_ITO)
    x = alt.X(
        "x:Q",
        title=axis + (" (log scale)" if wide else ""),
        scale=alt.Scale(type="log" if wide else "linear", domain=_domain(xs, wide=wide), nice=False),
        axis=alt.Axis(values=xs, grid=False, format=".6~g", labelOverlap=True),
    )
    top = _top(points, means)
    scale = alt.Scale(type="sqrt" if tall else "linear", domain=[0, top], nice=False)
    y_axis = (
        alt.Axis(values=[tick for tick in TICKS if tick <= top], labelOverlap=False) if tall else alt.Axis(tickCount=6)
    )
    y_title = "error (%, square-root scale)" if tall else "error (%)"
    hues, patterns = in_turn(names)
    dash = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=patterns))
    columns = max(1, LETTERS // (3 + max(map(len, names))))
    legend = alt.Legend(
        title=None,
        orient="top",
        columns=columns,
        symbolSize=500 if turns else 90,
        symbolOpacity=1,
        labelFontSize=12,
        labelLimit=0,
        symbolType="stroke" if turns else alt.Undefined,
    )
    colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=hues), legend=legend)
    dash = dash.legend(legend) if turns else dash.legend(None)
    shape = alt.Shape("series:N", scale=alt.Scale(domain=names, range=SHAPES), legend=legend)

    def panel(metric: str, heading: str, first: bool) -> Any:
        here = [mean for mean in means if mean["metric"] == metric]
        runs = [point for point in points if point["metric"] == metric]
        about = {"scale": scale, "axis": y_axis, "title": y_title if first else None}
        y = alt.Y("mean:Q", **about)
        base = alt.Chart(alt.Data(values=here)).encode(x=x, color=colour)
        line = base.mark_line(strokeWidth=2.2).encode(y=y, strokeDash=dash)
        bar = base.mark_rule(strokeWidth=1.6).encode(y=alt.Y("low:Q", **about), y2="high:Q")
        dot = base.mark_point(filled=True, size=75, opacity=1).encode(y=y)
        dot = dot if turns else dot.encode(shape=shape)
        cloud = alt.Chart(alt.Data(values=runs)).mark_point(filled=True, size=22, opacity=0.45, xOffset=7)
        each = cloud.encode(x=x, color=colour, y=alt.Y("error:Q", **about))
        return (line + bar + each + dot).properties(width=270, height=260, title=heading)

    kinds = [metric for metric in PANELS if any(mean["metric"] == metric for mean in means)]
    panels = alt.hconcat(*(panel(metric, PANELS[metric], i == 0) for i, metric in enumerate(kinds))).resolve_scale(
        y="shared"
    )
    title = alt.TitleParams(
        plan["study"].get("question") or plan["name"],
        subtitle=notes_of(drawn),
        fontSize=15,
        anchor="start",
        offset=10,
    )
    return (
        panels.properties(title=title, background="white", padding=12)
        .configure_view(stroke=None)
        .configure_axis(
            labelFontSize=11, titleFontSize=12, titleFontWeight="normal", gridColor="#e6e6e6", domainColor="#888"
        )
        .configure_title(subtitleColor="#666", subtitleFontSize=11)
    )


def in_turn(names: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """A colour and a dash for each name; seven have colours of their own, the next seven the same with another dash."""
    most = len(OKABE_ITO)
    hues = [OKABE_ITO[i % most] for i in range(len(names))]
    return hues, [DASHES[i // most % len(DASHES)] for i in range(len(names))]


def data_of(
    rows: Sequence[Row], place: Callable[[Row], dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is drawn: means with their ends, and single runs; `place` says where a row's are."""
    means, points = [], []
    for row in rows:
        about = place(row)
        for metric in PANELS:
            spread = row.metrics[metric]
            if spread.mean is not None and math.isfinite(spread.mean):
                sd = spread.sd or 0.0
                ends = {"low": max(0.0, spread.mean - sd), "high": spread.mean + sd}
                means.append(about | {"metric": metric, "mean": spread.mean, **ends})
            errors = [measured(record, metric) for record in row.runs]
            points += [about | {"metric": metric, "error": error} for error in errors if error is not None]
    return means, points


def _series(row: Row, axis: str) -> str:
    aside = {axis, "width"} if BUDGET in row.shown else {axis}  # a matched width is not what a line is about
    others = [_said(name, value) for name, value in row.shown.items() if name not in aside and value is not None]
    return ", ".join(others) or "all"


def _said(axis: str, value: Any) -> str:
    """A word speaks for itself; a number is told with what it is of."""
    return value if isinstance(value, str) else f"{axis.rpartition('.')[2]}={value}"


def _domain(xs: Sequence[float], *, wide: bool) -> list[float]:
    """The x values with a little room on both sides."""
    if wide:
        room = (xs[-1] / xs[0]) ** 0.09
        return [xs[0] / room, xs[-1] * room]
    room = 0.09 * (xs[-1] - xs[0])
    return [xs[0] - room, xs[-1] + room]


def _top(points: Sequence[dict[str, Any]], means: Sequence[dict[str, Any]]) -> float:
    return max([point["error"] for point in points] + [mean["high"] for mean in means] + [0.1]) * 1.06


def notes_of(drawn: Sequence[Row]) -> list[str]:
    """What the picture shows, and what every output made from the data must say."""
    counts = sorted({row.n for row in drawn})
    many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    note = f"mean ± sd over {many} seed{'' if counts[-1] == 1 else 's'}; small dots are single runs"
    diverged = sum(row.diverged for row in drawn)
    note += f"; {diverged} diverged, drawn with the error as measured" if diverged else ""
    return [note, *dict.fromkeys(str(run["note"]) for row in drawn for run in row.runs if run.get("note"))]
