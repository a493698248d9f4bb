"""Draw the answer of a study: a panel for each metric that its claims judge, with the cells that they compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ablations.analysis.metrics import Metric
from ablations.analysis.results import INACTIVE, Row, Spread
from ablations.charts import answer_specs, scales
from ablations.charts.figure import Figure
from ablations.charts.focus import MOST_CELLS, Focus, Judged, ends_of, focus_of
from ablations.charts.looks import (
    DASHES,
    LIGHT,
    SAFE,
    Axis,
    Spec,
    axes_of,
    cell_names,
    hue_axis,
    numeric_axis,
    row_names,
)
from ablations.charts.options import DEFAULTS, FigureOptions
from ablations.charts.series import Lines, columns
from ablations.question.did_you_mean import instead
from ablations.question.wording import counted
from ablations.records.task_metrics import ERROR, shown_metric
from ablations.report.answer import Answer
from ablations.report.lines import wrapped

MOST_ROWS = 40  # of a panel with a line a cell


@dataclass(frozen=True)
class FigureContent:
    """What the figure of a study is made of."""

    rows: Sequence[Row]
    axes: list[Axis]
    focus: Focus
    hue: Axis | None
    options: FigureOptions
    runs: Path

    @classmethod
    def of(cls, answer: Answer, options: FigureOptions) -> FigureContent:
        """Read the claims, and decide what has a colour.

        Raises:
            ValueError: an axis that was asked for is not swept.
        """
        rows = answer.rows
        focus, axes = focus_of(answer.plan, rows, options), axes_of(answer.plan, rows, options)
        names = [axis.name for axis in axes]
        for asked in filter(None, (options.x, options.colour, *options.order)):
            if asked not in names:
                raise ValueError(f"{answer.plan['name']} does not sweep {asked}{instead(asked, names, 'it sweeps')}")
        x = options.x or numeric_axis([rows[cell] for cell in sorted(focus.peers)], focus.varied)
        return cls(rows, axes, focus, hue_axis(axes, focus.varied, x=x, wanted=options.colour), options, answer.runs)

    def level(self, axis: str, cell: int) -> str:
        return next(one.levels[cell] for one in self.axes if one.name == axis)

    def place(self, x: str | None, cell: int) -> Any:
        """Where a cell lies on the horizontal axis."""
        axis = next((axis for axis in self.axes if axis.name == x), None)
        return axis and (self.rows[cell].shown[axis.name] if axis.numeric else axis.levels[cell])

    def keys(self, x: str | None, cells: Sequence[int]) -> dict[int, tuple[str, str]]:
        """What has a colour and what a dash in each cell; no dash where the colours tell all lines apart."""
        hue = self.hue_beside(x)
        rest = self.rest(x, hue and hue.name)
        found = {cell: (hue.levels[cell] if hue else "", rest[cell]) for cell in cells}
        plain = len({hue for hue, _ in found.values()}) == len({*found.values()})
        return {cell: (hue, "" if plain else rest) for cell, (hue, rest) in found.items()}

    def hue_beside(self, x: str | None) -> Axis | None:
        """The axis with the colours, where it is not drawn against."""
        return self.hue if self.hue and self.hue.name != x else None

    @cached_property
    def names(self) -> list[str]:
        """The name of each cell."""
        return cell_names(self.axes, cells=len(self.rows))

    def rest(self, *without: str | None) -> list[str]:
        """The name of each cell without the axes that are shown in another way."""
        aside = {name for name in without if name}
        if all(axis.name in aside for axis in self.axes):
            return [""] * len(self.rows)
        return [wrapped(name) for name in cell_names(self.axes, without=aside, cells=len(self.rows))]


def answer_figure(answer: Answer, options: FigureOptions = DEFAULTS) -> Figure | None:
    """The figure that answers a study by its claims; None without runs."""
    return _figure(answer, options)


def error_figure(answer: Answer, options: FigureOptions = DEFAULTS) -> Figure | None:
    """Training and test errors, or what else the task is judged by, where the claims are about something else."""
    focus = focus_of(answer.plan, answer.rows, options)
    if options.metrics or {one.metric.text for one in focus.judged} & {*ends_of(answer.plan)}:
        return None
    return _figure(answer, replace(options, metrics=ends_of(answer.plan)))


def _figure(answer: Answer, options: FigureOptions) -> Figure | None:
    if not any(row.n for row in answer.rows):
        return None
    chosen = FigureContent.of(answer, options)
    views, every, lost = [], [], 0
    for judged in chosen.focus.judged:
        lines, infinite = _lines(chosen, judged, x := _across(chosen, judged), len(views))
        lost += infinite
        every += lines
        if lines:
            views.append(_view(chosen, judged.metric, x, lines, len(views)))
    if not views:
        return None
    drawn = [answer.rows[cell] for cell in dict.fromkeys(line["cell"] for line in every)]
    left_out = sum(row.n > 0 for row in answer.rows) - len(drawn)
    caption = error_caption(drawn)
    caption += f" {counted(lost, 'infinite number')} cannot be drawn." if lost else ""
    caption += " Pale: cells that no claim names, with fewer seeds." if any(line["light"] for line in every) else ""
    caption += f" {left_out} more cells are in the table of results." if left_out else ""
    own = {*ends_of(answer.plan), shown_metric(answer.plan["study"], "val")}
    titles = ", ".join(dict.fromkeys(view["title"]["text"] for view in views))
    name, title = "answer", f"What the claims judge: {titles}"
    if all(one.metric.is_error or one.metric.text in own for one in chosen.focus.judged):
        name, title = "errors", f"{'Errors' if ERROR[0] in own else 'Metrics'} at the end"
    spec = answer_specs.side_by_side(views)
    return Figure(name, title, caption, spec, columns(every), panels=min(2, len(views)), least=300)


def error_caption(rows: Sequence[Row], *, dots: bool = True) -> str:
    """What a figure shows (with `dots` every run): over how many seeds, what diverged, and the notes of the data."""
    words = f"Mean ± sd over {seeds_words(row.n for row in rows if row.n)}" + "; small dots are single runs" * dots
    diverged = sum(row.diverged for row in rows)
    worst = "an error of 100%" if rows[0].judged == ERROR else "the worst value"
    words += f"; {diverged} diverged, which counts as {worst}." if diverged else "."
    notes = dict.fromkeys(str(run["note"]) for row in rows for run in row.runs if run.get("note"))
    return " ".join([words, *notes])


def seeds_words(counts: Iterable[int]) -> str:
    """`3 to 5 seeds`."""
    known = {*counts}
    least, most = min(known), max(known)
    return counted(most, "seed") if least == most else f"{least} to {most} seeds"


def _across(chosen: FigureContent, judged: Judged) -> str | None:
    """The axis that a metric is drawn against; None where a line a cell says more.

    It is an axis of numbers along which the compared cells lie, two on a line at least on average; and the lines can
    be told apart by the colours of one axis and a few dashes.
    """
    core = chosen.focus.shown if len(chosen.rows) <= MOST_CELLS else judged.cells
    core = [cell for cell in sorted(core) if chosen.rows[cell].n]
    x = chosen.options.x or numeric_axis([chosen.rows[cell] for cell in core], chosen.focus.varied)
    if x is None or not any(axis.name == x for axis in chosen.axes):
        return None
    keys = chosen.keys(x, core)
    hues = {hue for hue, _ in keys.values()}
    most = len(LIGHT) if chosen.options.x else SAFE
    few = len(hues) <= most and len({rest for _, rest in keys.values()}) <= len(DASHES)
    whole = all(chosen.level(x, cell) != INACTIVE for cell in core)
    return x if few and (chosen.options.x or (whole and len(core) >= 2 * len({*keys.values()}))) else None


def _cells(chosen: FigureContent, judged: Judged, x: str | None) -> list[int]:
    """The cells of a panel, in the order of the grid."""
    rows, small = chosen.rows, len(chosen.rows) <= MOST_CELLS
    core = chosen.focus.shown if small else judged.cells
    if x is not None:  # and what else lies on their lines
        names = cell_names(chosen.axes, without={x}, cells=len(rows))
        lines = {names[cell] for cell in core}
        core = {cell for cell in range(len(rows)) if names[cell] in lines and chosen.level(x, cell) != INACTIVE}
    ranks = [[axis.values.index(axis.levels[cell]) for axis in chosen.axes] for cell in range(len(rows))]
    ordered = sorted(core, key=lambda cell: ranks[cell]) if chosen.options.order else sorted(core)
    kept = [cell for cell in ordered if rows[cell].n and agrees(rows[cell], chosen.options.where)]
    return kept if x else kept[:MOST_ROWS]


def agrees(row: Row, where: Mapping[str, Any]) -> bool:
    """Whether a row has these values of axes."""
    known = {**row.axes, **{axis: value for axis, value in row.shown.items() if value is not None}}
    return all(str(known.get(axis)) == str(value) for axis, value in where.items())


def _lines(chosen: FigureContent, judged: Judged, x: str | None, panel: int) -> tuple[Lines, int]:
    """The rows of a panel: of each cell mean ± sd (`single` 0) and every run (`single` 1); how many are infinite."""
    cells, lines, infinite = _cells(chosen, judged, x), [], 0
    names, keys = chosen.names, chosen.keys(x, cells)
    own, _ = row_names(chosen.axes, cells)
    several = len({chosen.rows[cell].n for cell in cells}) > 1
    for cell in cells:
        row = chosen.rows[cell]
        known = [value for run in row.runs if (value := judged.metric.value(run, chosen.runs)) is not None]
        finite = [value for value in known if math.isfinite(value)]
        infinite += len(known) - len(finite)
        n = f" (n={row.n})" if several else ""
        about = {"cell": cell, "panel": panel, "x": chosen.place(x, cell), "label": names[cell]}
        about |= {"row": wrapped(own[cell] + n), "hue": keys[cell][0], "rest": keys[cell][1]}
        about |= {"light": int(cell not in chosen.focus.peers), "n": row.n}
        spread = Spread.of(known)
        if spread.mean is not None and math.isfinite(spread.mean):
            low, high = mean_bar(judged.metric, spread)
            line = {"single": 0, "mean": spread.mean, "low": low, "high": high, "of": f"mean ± sd of {row.n}"}
            lines.append(about | line)
        for run, value in zip(row.runs, known, strict=True) if len(known) == row.n else ():
            if math.isfinite(value):
                lines.append(about | {"single": 1, "mean": value, "low": value, "high": value, "of": run["label"]})
    return lines, infinite


def mean_bar(metric: Metric, spread: Spread) -> tuple[float, float]:
    """Mean ± sd, within what the metric can be; of a share of the seeds the mean alone."""
    sd = 0.0 if metric.is_fraction else spread.sd or 0.0
    low, high = metric.bounds or (-math.inf, math.inf)
    assert spread.mean is not None
    return max(low, spread.mean - sd), min(high, spread.mean + sd)


def _view(chosen: FigureContent, metric: Metric, x: str | None, lines: Lines, panel: int) -> Spec:
    """The spec of a panel."""
    cells = list(dict.fromkeys(line["cell"] for line in lines))
    ends = [line[end] for line in lines for end in ("low", "high")]
    encoding = scales.of_metric(metric, ends)
    _, shared = row_names(chosen.axes, cells)
    title: dict[str, Any] = {"text": scales.words(metric)}
    title |= {"subtitle": wrapped(", ".join(shared), 44).split("\n")} if shared else {}
    title |= {"fontSize": 12, "subtitleFontSize": 11, "offset": 6, "anchor": "start"}
    if label := chosen.options.labels.get(metric.text):
        encoding["title"] = title["text"] = label
    if x is None:
        names = list(dict.fromkeys(line["row"] for line in lines))
        inner = answer_specs.by_cell(encoding, names, chosen.hue_beside(x))
    else:
        axis = next(one for one in chosen.axes if one.name == x)
        rest = list(dict.fromkeys(line["rest"] for line in lines))
        inner = answer_specs.against(axis, [line["x"] for line in lines], encoding, chosen.hue_beside(x), rest)
    return {"title": title, "transform": [{"filter": f"datum.panel == {panel}"}], **inner}
