"""List the figures of a study, in the order of its page."""

from __future__ import annotations

import math

from ablations.analysis.anova import AxisEffects
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import INACTIVE, Plan
from ablations.charts import epoch_specs, scales, series, specs
from ablations.charts.answer_figure import Chosen, answer_figure, error_figure
from ablations.charts.claim_figures import claim_figures
from ablations.charts.figure import Figure
from ablations.charts.focus import MOST_CELLS
from ablations.charts.looks import SAFE, Spec, cell_names, colours, dashes, wrapped
from ablations.charts.options import FigureOptions
from ablations.records.task_metrics import shown_metric
from ablations.report.answer import Answer

DIAGNOSTICS = {"gradient_norm": "gradient norm", "gate_openness": "gate openness"}


def figures_of(answer: Answer, options: FigureOptions | None = None) -> list[Figure]:
    """Every figure that the records allow.

    Raises:
        ClaimError: a claim of the study is malformed.
        ValueError: a curve or diagnostics file is damaged, or an option does not fit the study.
    """
    options = options or FigureOptions()
    chosen = Chosen.of(answer, options)
    drawn: list[Figure | None] = []
    if answer.is_search:
        from ablations.charts.axis_figures import axis_figures
        from ablations.charts.search_figures import search_figures

        drawn += [*search_figures(answer), *axis_figures(answer)]
    drawn += claim_figures(answer)
    drawn += [answer_figure(answer, options), error_figure(answer, options)]
    drawn += [_curves(answer, chosen), None if answer.is_search else _interaction(answer.effects, chosen, answer.plan)]
    drawn += [_damages(answer, chosen), *_diagnostics(answer, chosen), _costs(chosen)]
    return [figure for figure in drawn if figure]


def main_figure(answer: Answer, options: FigureOptions | None = None) -> Figure | None:
    """The figure that answers the study: of a search its trials, else what its claims judge; None without runs."""
    if answer.is_search:
        from ablations.charts.search_figures import search_figures

        return next(iter(search_figures(answer)), None)
    return answer_figure(answer, options) or error_figure(answer, options)


def _curves(answer: Answer, chosen: Chosen) -> Figure | None:
    rows, plan = answer.rows, answer.plan
    table = series.curves(plan, answer.records, rows, answer.runs)
    if not table["mean"]:
        return None
    counts = sorted({*table["n"]})
    many = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
    caption = (
        "Thin: training; thick: validation (the test set is used once, at the end). "
        f"Lines are means over {many} seed{'' if counts[-1] == 1 else 's'}; bands reach from the lowest to the highest."
    )
    caption += " A single dot: every run diverged in its first epoch." if any(table["note"]) else ""
    names, drawn = cell_names(chosen.axes, cells=len(rows)), set(table["cell"])
    left = [names[i] for i, row in enumerate(rows) if row.n and i not in drawn]
    caption += f" Without a curve: {'; '.join(left)}." if left else ""
    looks, panels = _panelled(table, chosen)
    metric = shown_metric(answer.plan["study"], "val").removeprefix("val_")
    spec = epoch_specs.curves([*table["low"], *table["high"]], max(table["epoch"]), looks, panels, metric)
    return Figure("curves", "Training curves", caption, spec, table, panels=min(3, len(panels)), least=300)


def _damages(answer: Answer, chosen: Chosen) -> Figure | None:
    table = series.damages(answer.plan, answer.records, answer.rows, answer.runs)
    if not table["mean"]:
        return None
    caption = "How much worse validation becomes by taking out a block; bars reach from the lowest seed to the highest."
    looks, panels = _panelled(table, chosen)
    spec = epoch_specs.damages([*table["low"], *table["high"]], looks, panels)
    return Figure("lesions", "What each block is worth", caption, spec, table, panels=min(3, len(panels)), least=300)


def _panelled(table: series.Table, chosen: Chosen) -> tuple[Spec, list[str]]:
    """Add names, colours and panels to the rows; return the encodings, and the panels, those of the claims first.

    The axis with the colours tells the lines of a panel apart, a panel holds one choice on every other axis.
    """
    hue, cells = chosen.hue, len(chosen.rows)
    panels = chosen.rest(hue.name if hue else None)
    levels = hue.levels if hue else [""] * cells
    light = [int(cell not in chosen.focus.peers) for cell in range(cells)]
    _add(table, {"label": cell_names(chosen.axes, cells=cells), "hue": levels, "panel": panels})
    table["light"] = [light[cell] for cell in table["cell"]]
    looks: dict[str, Spec] = {"color": colours(hue)}
    if hue and len(hue.values) > SAFE and not hue.numeric:
        dash = dashes(hue.values, "hue", each=SAFE) | {"title": hue.label}
        looks |= {"strokeDash": dash, "color": {**looks["color"], "legend": dash["legend"]}}
    there = {*table["panel"]}
    first = [panels[cell] for cell in range(cells) if not light[cell]]
    return looks, [panel for panel in dict.fromkeys([*first, *panels]) if panel in there]


def _diagnostics(answer: Answer, chosen: Chosen) -> list[Figure]:
    """A heat map for each kind of diagnostics that was kept; the cells of the claims come first."""
    drawn, cells = [], len(answer.rows)
    found = series.layers(answer.plan, answer.records, answer.rows, answer.runs, DIAGNOSTICS)
    names = cell_names(chosen.axes, cells=cells)
    order = sorted(range(cells), key=lambda cell: (cell not in chosen.focus.peers, cell))
    for kind, table in found.items():
        title, log = DIAGNOSTICS[kind], kind == "gradient_norm"
        if log:  # zero has no logarithm
            table["value"] = [value if value and value > 0 else None for value in table["value"]]
        spec = specs.heat_maps(title, max(table["block"], default=1), log=log)
        _add(table, {"label": names, "panel": [wrapped(name) for name in names]})
        table["light"] = [int(cell not in chosen.focus.peers) for cell in table["cell"]]
        there = {*table["panel"]}
        spec["facet"]["sort"] = [panel for cell in order if (panel := wrapped(names[cell])) in there]
        caption = "Mean over the seeds; block 1 is next to the image."
        panels, epochs = min(4, len(there)), len({*table["epoch"]})
        drawn.append(Figure(kind, title.capitalize(), caption, spec, table, panels, 200, epochs))
    return drawn


def _costs(chosen: Chosen) -> Figure | None:
    rows = chosen.rows
    if all(row.params is None for row in rows):
        return None
    caption = "Parameters, multiply-adds for one image forward, and mean training seconds of a run."
    table = series.costs(rows)
    if len(rows) > MOST_CELLS:
        kept = [cell in chosen.focus.shown for cell in table["cell"]]
        table = {name: [v for v, keep in zip(column, kept, strict=True) if keep] for name, column in table.items()}
    names = cell_names(chosen.axes, cells=len(rows))
    short = [wrapped(name) for name in names]
    _add(table, {"label": names, "row": short})
    lines = max(name.count("\n") + 1 for name in short)
    return Figure("costs", "What each cell costs", caption, specs.costs(lines), table, panels=3)


def _interaction(effects: AxisEffects | str, chosen: Chosen, plan: Plan) -> Figure | None:
    """The two axes that explain the most beyond what each explains alone."""
    if isinstance(effects, str):
        return None
    metric = read_metric(effects.metric, plan["study"].get("metrics"))
    known = {axis.name: axis for axis in chosen.axes}
    pairs = [term for term in effects.terms if len(term.axes) == 2 and term.df and not term.within]
    pairs = [term for term in pairs if all(name in known for name in term.axes)]
    if not pairs:
        return None
    first, second = (known[name] for name in max(pairs, key=lambda term: term.share).axes)
    if first is chosen.hue or (second is not chosen.hue and len(first.values) < len(second.values)):
        first, second = second, first
    means: dict[tuple[str, str], list[float]] = {}
    for cell, row in enumerate(chosen.rows):
        mean, at = row.metrics[effects.metric].mean, (first.levels[cell], second.levels[cell])
        if mean is not None and math.isfinite(mean) and INACTIVE not in at:
            means.setdefault(at, []).append(mean)
    if not means:
        return None
    lines = [(x, by, series.short(math.fsum(cells) / len(cells)), len(cells)) for (x, by), cells in means.items()]
    table: series.Table = dict(zip(("x", "by", "mean", "n"), map(list, zip(*lines, strict=True)), strict=True))
    caption = "Means over the cells. Where the lines are parallel, the two axes do not interact."
    scale = scales.of_metric(metric, table["mean"])
    spec = specs.interaction(first, second, scale, hue=second is chosen.hue)
    return Figure("interaction", f"{first.label} × {second.label}", caption, spec, table)


def _add(table: series.Table, columns: dict[str, list[str]]) -> series.Table:
    """Add to each row what is known of its cell."""
    table |= {name: [values[cell] for cell in table["cell"]] for name, values in columns.items()}
    return table
