"""Draw what the axes of a search decide: importances, trials by one axis, and trials over all axes."""

from __future__ import annotations

import math
from typing import Any

from ablations.charts.answer_specs import side_by_side
from ablations.charts.figure import Figure
from ablations.charts.looks import HIGHLIGHT, NEUTRAL, Spec
from ablations.charts.search_figures import drawn_tunings, objective_axis
from ablations.charts.series import Lines, columns
from ablations.charts.specs import LABELS, LINE, faceted, layer, tip
from ablations.question.search_space import read_search
from ablations.report.answer import Answer
from ablations.report.search_report import heading, tuning_names
from ablations.search.trials import distinct_trials, pareto_front

FEW = 6  # values of an axis that are all named


def axis_figures(answer: Answer) -> list[Figure]:
    """Importances, slices, and parallel coordinates; those that the trials allow."""
    search = read_search(answer.plan["study"])
    lines: Lines = []
    for tuning, trials, _ in drawn_tunings(answer):
        known = distinct_trials(trials)
        best = pareto_front(trials, search.objectives)
        best = best[: max(1, len(known) // 4)] if len(search.objectives) == 1 else best
        good = {trial["number"] for trial in best}
        for trial in known:
            about = {"trial": trial["number"], "y": trial["values"][search.objectives[0]], "label": trial["label"]}
            about |= {"tuning": tuning, "good": int(trial["number"] in good)}
            at = [(k, trial["point"].get(axis)) for k, axis in enumerate(search.space)]
            lines += [about | {"panel": k, "x": x if _numeric([x]) else str(x)} for k, x in at if x is not None]
    if not lines:
        return []
    names = [axis.rpartition(".")[2] for axis in search.space]
    what = "on the front" if len(search.objectives) > 1 else "in the best quarter"
    drawn = [_importance(answer), _slices(names, search.objectives[0], lines), _parallel(names, what, lines)]
    return [figure for figure in drawn if figure]


def _importance(answer: Answer) -> Figure | None:
    """The importance of each axis as a bar, with the floor that noise reaches; None where the trials are too few."""
    from ablations.search.importance import importance_caption

    words = tuning_names(answer.plan["study"]["tunings"])
    lines = [
        {"tuning": name, "row": axis.rpartition(".")[2], "label": axis, "share": share, "floor": one.floor}
        | {"named": int(axis in one.named), "trials": one.trials}
        for name, one in zip(words, answer.importance, strict=True)
        for axis, share in one.shares.items()
    ]
    if not lines:
        return None
    caption = importance_caption(read_search(answer.plan["study"]).objectives)
    tips = [tip("label", "axis"), tip("share", "importance", ".0%"), tip("floor", "noise", ".0%")]
    x: Spec = {"type": "quantitative", "title": "share of the importances"}
    x |= {"scale": {"domain": [0, 1], "nice": False}, "axis": {"format": "%", "tickCount": 5}}
    pale = {"condition": {"test": "datum.named", "value": 1}, "value": 0.35}
    bars = {"x": {"field": "share", **x}, "opacity": pale, "tooltip": [*tips, tip("trials", "trials")]}
    floors = {"x": {"field": "floor", **x}, "tooltip": tips}
    layers = [
        layer("bar", bars, color=NEUTRAL, height={"band": 0.7}),
        layer("tick", floors, color=HIGHLIGHT, thickness=2.5, height=18),
    ]
    spec = faceted("tuning", {"height": {"step": LINE + 9}, "encoding": {"y": LABELS}, "layer": layers}, None)
    caption += " The line: what noise gives; bars below it are pale."
    panels = min(2, len({line["tuning"] for line in lines}))
    return Figure("importance", "What mattered", caption, spec, columns(lines), panels=panels, least=300)


def _slices(names: list[str], objective: str, lines: Lines) -> Figure:
    """Each trial's objective against each axis, a panel an axis."""
    y = objective_axis(objective, [line["y"] for line in lines])
    views = [_slice(axis, panel, xs, y) for panel, axis in enumerate(names) if (xs := _values(lines, panel))]
    caption = f"Each complete trial, by its value on one axis: {heading(objective)} at its end."
    panels, table = min(3, len(views)), columns(lines)
    return Figure("slices", "Trials by axis", caption, side_by_side(views), table, panels=panels, least=220)


def _slice(axis: str, panel: int, xs: list[Any], y: Spec) -> Spec:
    """A panel: numbers on their scale, logarithmic where they span much; words side by side."""
    x: Spec = {"field": "x", "title": axis, "type": "nominal", "axis": {"labelAngle": 0}}
    if _numeric(xs):
        x |= {"type": "quantitative", "axis": {"grid": False, "tickCount": 4, "format": ".3~g", "labelOverlap": True}}
        x["scale"] = {"nice": False, "padding": 12, **({"type": "log"} if _wide(xs) else {"zero": False})}
        if len(xs) <= FEW:
            x["axis"]["values"] = xs
    tips = [tip("label", "cell"), tip("x", axis), tip("y", y["title"], ".4~g"), tip("tuning", "tuning")]
    encoding = {"x": x, "y": {"field": "y", **y}, "tooltip": tips}
    look = {"filled": True, "size": 45, "opacity": 0.6, "color": NEUTRAL}
    return {"height": 180, **layer("point", encoding, where=f"datum.panel == {panel}", **look)}


def _parallel(names: list[str], what: str, lines: Lines) -> Figure | None:
    """Each trial as a line over all axes (parallel coordinates); None with a single axis."""
    made: Lines = []
    for panel, axis in enumerate(names):
        if not (xs := _values(lines, panel)):
            continue
        numeric, said = _numeric(xs), set[tuple[str, Any]]()
        numbers = [math.log(x) for x in xs] if numeric and _wide(xs) else xs if numeric else range(len(xs))
        span = max(numbers) - min(numbers) or 1
        at = {x: (number - min(numbers)) / span for x, number in zip(xs, numbers, strict=True)}
        named = {
            x: f"{x:.3g}" if numeric else str(x) for x in (xs if len(xs) <= FEW or not numeric else (xs[0], xs[-1]))
        }
        for line in (line for line in lines if line["panel"] == panel):
            spot = (line["tuning"], line["x"])  # which is named once
            made.append({key: line[key] for key in ("tuning", "trial", "label", "good")})
            made[-1] |= {"axis": axis, "at": at[line["x"]], "text": "" if spot in said else named.get(line["x"], "")}
            said.add(spot)
    if len({line["axis"] for line in made}) < 2:
        return None
    x = {"field": "axis", "type": "nominal", "sort": names, "title": None}
    x["axis"] = {"grid": True, "labelAngle": 0, "ticks": False, "domain": False, "labelExpr": "split(datum.label, '_')"}
    y = {"field": "at", "type": "quantitative", "axis": None, "scale": {"domain": [-0.06, 1.06], "nice": False}}
    each = {"detail": {"field": "trial"}, "tooltip": [tip("label", "cell"), tip("trial", "trial")]}
    layers = [
        layer("line", each, where="datum.good == 0", strokeWidth=1, opacity=0.45, color=NEUTRAL),
        layer("line", each, where="datum.good == 1", strokeWidth=2, opacity=0.95, color=HIGHLIGHT),
        layer("text", {"text": {"field": "text"}}, align="left", dx=4, fontSize=11),
    ]
    caption = f"A line a trial; the strong ones are {what}. A line passes by an axis that its network does not have."
    spec = faceted("tuning", {"height": 220, "encoding": {"x": x, "y": y}, "layer": layers}, None)
    panels = min(2, len({line["tuning"] for line in made}))
    return Figure("parallel", "Trials over all axes", caption, spec, columns(made), panels=panels, least=420)


def _values(lines: Lines, panel: int) -> list[Any]:
    """The values on one axis, sorted, numbers first."""
    return sorted({line["x"] for line in lines if line["panel"] == panel}, key=lambda x: (isinstance(x, str), x))


def _numeric(xs: list[Any]) -> bool:
    return all(isinstance(x, int | float) and not isinstance(x, bool) for x in xs)


def _wide(xs: list[Any]) -> bool:
    return min(xs) > 0 and max(xs) / min(xs) >= 8
