"""List the figures of a study, in the order of its page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablations.analysis.anova import AxisEffects
from ablations.analysis.results import Row
from ablations.charts import error_specs, series, specs
from ablations.charts.claim_figures import claim_figures
from ablations.charts.figure import Figure
from ablations.charts.looks import Axis, Looks, axes_of, cell_names, looks_of, numeric_axis, panel_axis
from ablations.report.answer import Answer

DIAGNOSTICS = {"gradient_norm": "gradient norm", "gate_openness": "gate openness"}


def figures_of(answer: Answer) -> list[Figure]:
    """Every figure that the records allow.

    Raises:
        ValueError: a curve or diagnostics file is damaged.
    """
    rows, axes = answer.rows, axes_of(answer.plan, answer.rows)
    main = main_figure(answer)
    drawn = [main] if main and answer.is_search else []
    drawn += claim_figures(answer)
    errors = _errors(rows, axes) if answer.is_search else main
    together = None if answer.is_search else _interaction(answer.effects, rows)
    found = [errors, _curves(answer, axes), together, _damages(answer, axes)]
    drawn += [figure for figure in found if figure]
    drawn += _diagnostics(answer, axes)
    if any(row.params is not None for row in rows):
        caption = "Parameters, multiply-adds for one image forward, and mean training seconds of a run."
        table = _labelled(series.costs(rows), axes, rows)
        drawn.append(Figure("costs", "What each cell costs", caption, specs.costs(), table, panels=3))
    return drawn


def main_figure(answer: Answer) -> Figure | None:
    """The figure that answers the study: of a search its trials, else the errors at the end; None without runs."""
    if answer.is_search:
        from ablations.charts.search_figures import search_figure

        return search_figure(answer)
    return _errors(answer.rows, axes_of(answer.plan, answer.rows))


def _errors(rows: Sequence[Row], axes: Sequence[Axis]) -> Figure | None:
    table, axis = series.errors(rows), numeric_axis(rows)
    if not table["mean"]:
        return None
    top, caption = max(table["high"]), error_caption([row for row in rows if row.n])
    _labelled(table, axes, rows)
    if not axis:
        return Figure("errors", "Error of each cell", caption, error_specs.by_cell(top), table, panels=2)
    looks = looks_of(axes, without={axis}, cells=len(rows))
    _add(table, {**looks.columns, "series": cell_names(axes, without={axis}, cells=len(rows))})
    spec = error_specs.against(axis, sorted(set(table["x"])), top, looks)
    return Figure("errors", f"Error against {axis}", caption, spec, table, panels=2)


def error_caption(rows: Sequence[Row]) -> str:
    """What a figure of errors shows: over how many seeds, what diverged, and the notes of the data."""
    counts = sorted({row.n for row in rows})
    many = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
    words = f"Mean ± sd over {many} seed{'' if counts[-1] == 1 else 's'}; small dots are single runs"
    diverged = sum(row.diverged for row in rows)
    words += f"; {diverged} diverged, drawn with the error as measured." if diverged else "."
    notes = dict.fromkeys(str(run["note"]) for row in rows for run in row.runs if run.get("note"))
    return " ".join([words, *notes])


def _curves(answer: Answer, axes: Sequence[Axis]) -> Figure | None:
    rows, plan = answer.rows, answer.plan
    table = series.curves(plan, answer.records, rows, answer.runs)
    if not table["mean"]:
        return None
    caption = (
        "Thin: training; thick: validation (the test set is used once, at the end). "
        "Lines are means over the seeds; bands reach from the lowest to the highest."
    )
    caption += " A single dot: every run diverged in its first epoch." if any(table["note"]) else ""
    names, drawn = cell_names(axes, cells=len(rows)), set(table["cell"])
    left = [names[i] for i, row in enumerate(rows) if row.n and i not in drawn]
    caption += f" Without a curve: {'; '.join(left)}." if left else ""
    looks, panels = _panelled(table, axes, rows)
    spec = error_specs.curves(max(table["high"]), max(table["epoch"]), looks, panels)
    return Figure("curves", "Training curves", caption, spec, table, panels=_columns(table, "panel", 3), least=300)


def _damages(answer: Answer, axes: Sequence[Axis]) -> Figure | None:
    table = series.damages(answer.plan, answer.records, answer.rows, answer.runs)
    if not table["mean"]:
        return None
    caption = "Points of validation error added by taking out a block; bars reach from the lowest seed to the highest."
    spec = error_specs.damages(*_panelled(table, axes, answer.rows))
    panels = _columns(table, "panel", 3)
    return Figure("lesions", "What each block is worth", caption, spec, table, panels=panels, least=300)


def _panelled(table: series.Table, axes: Sequence[Axis], rows: Sequence[Row]) -> tuple[Looks, list[str] | None]:
    """Add names, colours and panels to the rows; return the looks, and the panels in their order."""
    panel = panel_axis(axes)
    looks = looks_of(axes, without={panel.name} if panel else (), cells=len(rows))
    _labelled(table, axes, rows)
    at = [f"{panel.name} {level}" for level in panel.levels] if panel else [""] * len(rows)
    _add(table, {**looks.columns, "panel": at})
    return looks, [f"{panel.name} {value}" for value in panel.values] if panel else None


def _diagnostics(answer: Answer, axes: Sequence[Axis]) -> list[Figure]:
    """A heat map for each kind of diagnostics that was kept."""
    drawn = []
    found = series.layers(answer.plan, answer.records, answer.rows, answer.runs, DIAGNOSTICS)
    for kind, table in found.items():
        title, log = DIAGNOSTICS[kind], kind == "gradient_norm"
        if log:  # zero has no logarithm
            table["value"] = [value if value and value > 0 else None for value in table["value"]]
        spec = specs.heat_maps(title, max(table["block"], default=1), log=log)
        _labelled(table, axes, answer.rows)
        spec["facet"]["sort"] = list(dict.fromkeys(table["label"]))
        caption = "Mean over the seeds; block 1 is next to the image."
        panels, epochs = _columns(table, "label", 4), len({*table["epoch"]})
        drawn.append(Figure(kind, title.capitalize(), caption, spec, table, panels, 200, epochs))
    return drawn


def _interaction(effects: AxisEffects | str, rows: Sequence[Row]) -> Figure | None:
    """The two axes that explain the most beyond what each explains alone."""
    if isinstance(effects, str) or effects.metric not in series.PARTS:
        return None
    pairs = [term for term in effects.terms if len(term.axes) == 2 and term.df and not term.within]
    if not pairs:
        return None
    first, second = max(pairs, key=lambda term: term.share).axes
    means: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        mean = row.metrics[effects.metric].mean
        if mean is not None and math.isfinite(mean):
            means.setdefault((row.level(first), row.level(second)), []).append(mean)
    levels = {axis: list(effects.levels[axis]) for axis in (first, second)}
    lines = [(x, by, series.short(math.fsum(cells) / len(cells)), len(cells)) for (x, by), cells in means.items()]
    table: series.Table = dict(zip(("x", "by", "mean", "n"), map(list, zip(*lines, strict=True)), strict=True))
    caption = "Means over the cells. Where the lines are parallel, the two axes do not interact."
    spec = specs.interaction((first, second), levels, effects.metric.replace("_", " ") + " (%)")
    return Figure("interaction", f"{first} × {second}", caption, spec, table)


def _columns(table: series.Table, field: str, most: int) -> int:
    """How many panels stand side by side."""
    return min(most, len({*table[field]}))


def _labelled(table: series.Table, axes: Sequence[Axis], rows: Sequence[Row]) -> series.Table:
    return _add(table, {"label": cell_names(axes, cells=len(rows))})


def _add(table: series.Table, columns: dict[str, list[str]]) -> series.Table:
    """Add to each row what is known of its cell."""
    table |= {name: [values[cell] for cell in table["cell"]] for name, values in columns.items()}
    return table
