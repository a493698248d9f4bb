"""The figures of a study: each a spec, its rows, and how the page is to fill them in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablations.analysis.anova import AxisEffects
from ablations.analysis.claim_schema import check_claims
from ablations.analysis.results import Plan, Record, Row
from ablations.analysis.statistics import Effect
from ablations.analysis.verdicts import Verdict
from ablations.html import error_specs, series, specs
from ablations.report.figures import numeric_axis
from ablations.report.verdict_list import SIGNS, between, number

DIAGNOSTICS = {"gradient_norm": "gradient norm", "gate_openness": "gate openness"}


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        rows: by column; none where the spec has its own data.
        line: the axis that a line runs along, which therefore cannot be its colour.
        panels: how many stand side by side at most; 0 for a single view.
        least: the narrowest a panel may be, in pixels.
        words: what a picture of it says besides, where the page says it in another place.
    """

    name: str
    title: str
    caption: str
    spec: dict[str, Any]
    rows: series.Table = field(default_factory=dict)
    line: str | None = None
    panels: int = 0
    least: int = 250
    filtered: bool = True
    words: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As the page reads it."""
        return {**vars(self), "rows": series.packed(self.rows), "words": []}


def figures_of(
    plan: Plan,
    records: Mapping[str, Record],
    rows: Sequence[Row],
    *,
    verdicts: Sequence[Verdict],
    effects: AxisEffects | None,
    runs: Path,
) -> list[Figure]:
    """Every figure the records allow, in the order of the page."""
    drawn = [*_search(plan, rows, runs), *_forests(plan, verdicts), *_errors(rows), *_curves(plan, records, rows, runs)]
    drawn += _interaction(effects, rows) if effects else []
    drawn += _damages(plan, records, rows, runs)
    for kind, found in series.layers(plan, records, rows, runs, DIAGNOSTICS).items():
        title, log = DIAGNOSTICS[kind], kind == "gradient_norm"
        if log:  # a logarithm has no place for an exact zero
            found["value"] = [value if value and value > 0 else None for value in found["value"]]
        caption = "Mean over the seeds; block 1 is next to the image. The first cells that the filter leaves."
        drawn.append(Figure(kind, title.capitalize(), caption, specs.heat(title, log=log), found, panels=4, least=200))
    if any(row.params is not None for row in rows):
        caption = "Parameters, multiply-adds of one image forward, and mean training seconds of a run."
        drawn.append(Figure("costs", "What each cell costs", caption, specs.columns(), series.costs(rows), panels=3))
    return drawn


def _errors(rows: Sequence[Row]) -> list[Figure]:
    found = series.errors(rows)
    if not found["mean"]:
        return []
    axis, top = numeric_axis(rows), max(found["high"])
    if axis:
        spec, title = error_specs.against(axis, sorted(set(found["x"])), top), f"Error against {axis}"
    else:
        spec, title = error_specs.dots(top), "Error of each cell"
    return [Figure("errors", title, "Mean ± sd over the seeds; small dots are single runs.", spec, found, axis, 2)]


def _curves(plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path) -> list[Figure]:
    found = series.curves(plan, records, rows, runs)
    if not found["mean"]:
        return []
    caption = (
        "Thin: training; thick: validation (the test set is looked at once, at the end). "
        "Lines are means over the seeds, bands reach from the least to the most."
    )
    caption += " A dot alone: every run diverged in its first epoch." if any(found["note"]) else ""
    cells = series.cells_of(series.axes_of(plan, rows), rows)
    left = [cell["label"] for i, cell in enumerate(cells) if rows[i].n and i not in set(found["cell"])]
    caption += f" Without a curve: {'; '.join(left)}." if left else ""
    spec = error_specs.curves(max(found["high"]))
    return [Figure("curves", "Training curves", caption, spec, found, panels=3, least=300)]


def _damages(plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path) -> list[Figure]:
    found = series.damages(plan, records, rows, runs)
    if not found["mean"]:
        return []
    caption = (
        "Points of validation error that are added when a block is taken out; from the least to the most of the seeds."
    )
    title = "What each block is worth"
    return [Figure("lesions", title, caption, error_specs.damages(), found, panels=3, least=300)]


def _forests(plan: Plan, verdicts: Sequence[Verdict]) -> list[Figure]:
    """One for each unit: what is counted in points does not share an axis with what is counted in seconds."""
    regions = [claim.hypotheses[0] for claim in check_claims(plan["study"])]
    units: dict[str, list[dict[str, Any]]] = {}
    for index, (verdict, region) in enumerate(zip(verdicts, regions, strict=True), start=1):
        effect = verdict.effect
        if effect is not None and verdict.adjusted is not None and not math.isnan(effect.mean):
            name = verdict.metric.replace("_", " ")
            unit = f"{name}, difference{' in' * bool(verdict.unit)}{verdict.unit}"
            if not verdict.signed:
                unit = f"{name} ({verdict.unit.strip()})" if verdict.unit else name
            units.setdefault(unit, []).append(_contrast(index, verdict, effect, (region.low, region.high)))
    drawn, there = [], {line["claim"] for lines in units.values() for line in lines}
    left = [str(i) for i, verdict in enumerate(verdicts, start=1) if _mark(i, verdict) not in there]
    words = "Estimate and 95% interval of each claim; grey: the region it expects; a diamond: the published number"
    words += (
        "; an arrow: infinite" if any(math.isinf(line["mean"]) for lines in units.values() for line in lines) else ""
    )
    words += f". Not drawn, for want of an interval: {', '.join(left)}." if left else "."
    for k, (unit, lines) in enumerate(units.items()):
        known = [line[name] for line in lines for name in ("mean", "low", "high", "from", "to", "published")]
        ends = [0.0, *(value for value in known if value is not None and math.isfinite(value))]
        room = 0.08 * (max(ends) - min(ends)) or 1.0
        edges = [min(ends) - room, max(ends) + room]
        inset = 0.012 * (edges[1] - edges[0])
        for line in lines:  # what has no end reaches the edge
            line["end"] = "" if math.isfinite(line["mean"]) else "∞" if line["mean"] > 0 else "-∞"
            line |= {end: min(max(line[end], edges[0]), edges[1]) for end in ("low", "high", "from", "to")}
            line["mean"] = min(max(line["mean"], edges[0] + inset), edges[1] - inset)
        spec = specs.forest(unit, [line["claim"] for line in lines], edges)
        table: series.Table = {key: [series.short(line[key]) for line in lines] for key in lines[0]}
        title, caption = ("Claims", words) if k == 0 else ("", "")
        claims = tuple(f"{line['claim']} {line['says']}" for line in lines)
        drawn.append(Figure(f"claims-{k}", title, caption, spec, table, filtered=False, words=claims))
    return drawn


def _mark(index: int, verdict: Verdict) -> str:
    return f"{index} {SIGNS.get(verdict.outcome, ('?', ''))[0]}"


def _contrast(index: int, verdict: Verdict, effect: Effect, region: tuple[float, float]) -> dict[str, Any]:
    mean, interval = effect.mean, effect.interval or (effect.mean, effect.mean)
    shown = f" {between(verdict, interval)}" if effect.interval else ""
    return {
        "claim": _mark(index, verdict),
        "says": verdict.says,
        "outcome": verdict.outcome,
        "expect": verdict.expect,
        "effect": f"{number(verdict, mean)}{verdict.unit}{shown}",
        "mean": mean,
        "low": interval[0],
        "high": interval[1],
        "from": region[0],
        "to": region[1],
        "published": verdict.published,
    }


def _interaction(effects: AxisEffects, rows: Sequence[Row]) -> list[Figure]:
    """The pair of axes that explains the most beyond the axes alone."""
    pairs = [term for term in effects.terms if len(term.axes) == 2 and term.df]
    if not pairs or effects.metric not in series.PARTS:
        return []
    first, second = max(pairs, key=lambda term: term.share).axes
    means: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        mean = row.metrics[effects.metric].mean
        if mean is not None and math.isfinite(mean):
            means.setdefault((row.level(first), row.level(second)), []).append(mean)
    levels = {axis: list(effects.levels[axis]) for axis in (first, second)}
    lines = [(x, by, series.short(math.fsum(cells) / len(cells)), len(cells)) for (x, by), cells in means.items()]
    table: series.Table = dict(zip(("x", "by", "mean", "n"), map(list, zip(*lines, strict=True)), strict=True))
    caption = "Means over the cells; parallel lines: the two axes act one beside the other."
    spec = specs.interaction((first, second), levels, effects.metric.replace("_", " ") + " (%)")
    return [Figure("interaction", f"{first} × {second}", caption, spec, table, filtered=False)]


def _search(plan: Plan, rows: Sequence[Row], runs: Path) -> list[Figure]:
    if not plan["study"].get("tunings"):
        return []
    from ablations.report.search_figures import search_chart
    from ablations.search.trials import read_trials

    names = [tuning["name"] for tuning in plan["study"]["tunings"]]
    chart = search_chart(plan, {name: read_trials(runs, plan["name"], [name])[0] for name in names}, rows)
    if chart is None:
        return []
    spec = chart.to_dict()
    for key in ("config", "background", "padding", "title"):
        spec.pop(key, None)
    return [Figure("search", "Search", "Every trial; of several objectives, the front.", spec, filtered=False)]
