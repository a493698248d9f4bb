"""Draw the slices of a search: each trial's objective against each axis that was searched, a panel an axis."""

from __future__ import annotations

from typing import Any

from ablations.charts.answer_specs import side_by_side
from ablations.charts.figure import Figure
from ablations.charts.looks import NEUTRAL, Spec
from ablations.charts.search_figures import objective_axis
from ablations.charts.series import Table
from ablations.charts.specs import tip
from ablations.question.search_space import read_search
from ablations.report.answer import Answer
from ablations.report.search_report import heading
from ablations.search.trials import distinct_trials, read_trials


def slice_figure(answer: Answer) -> Figure | None:
    """Where the good values of each axis lie; None before a trial is complete."""
    search, study = read_search(answer.plan["study"]), answer.plan["study"]
    name, axes = search.objectives[0], list(search.space)
    lines: list[dict[str, Any]] = []
    for tuning in study["tunings"]:
        trials, _ = read_trials(answer.runs, answer.plan["name"], [tuning["name"]])
        for trial in distinct_trials(trials):
            about = {"y": trial["values"][name], "label": trial["label"], "tuning": tuning["name"]}
            lines += [about | {"panel": k, "x": trial["point"].get(axis)} for k, axis in enumerate(axes)]
    lines = [line for line in lines if line["x"] is not None]
    if not lines:
        return None
    y = objective_axis(name, [line["y"] for line in lines])
    views = [_slice(axis, k, xs, name, y) for k, axis in enumerate(axes) if (xs := _values(lines, k))]
    rows: Table = {key: [line[key] for line in lines] for key in lines[0]}
    caption = f"Each complete trial, by its value on one axis: {heading(name)} at the end of the trial."
    return Figure("slices", "Trials by axis", caption, side_by_side(views), rows, panels=min(3, len(views)), least=220)


def _values(lines: list[dict[str, Any]], panel: int) -> list[Any]:
    return list(dict.fromkeys(line["x"] for line in lines if line["panel"] == panel))


def _slice(axis: str, panel: int, xs: list[Any], name: str, y: Spec) -> Spec:
    """A panel: numbers on their scale, logarithmic where they span much; words side by side."""
    x: Spec = {"field": "x", "title": axis.rpartition(".")[2], "type": "nominal", "axis": {"labelAngle": 0}}
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in xs):
        wide = min(xs) > 0 and max(xs) / min(xs) >= 8
        x |= {"type": "quantitative", "axis": {"grid": False, "tickCount": 4, "format": ".3~g"}}
        x["scale"] = {"nice": False, "padding": 12, **({"type": "log"} if wide else {"zero": False})}
    tips = [tip("label", "cell"), tip("x", axis), tip("y", heading(name), ".4~g"), tip("tuning", "tuning")]
    return {
        "transform": [{"filter": f"datum.panel == {panel}"}],
        "height": 180,
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.6, "color": NEUTRAL},
        "encoding": {"x": x, "y": {"field": "y", **y}, "tooltip": tips},
    }
