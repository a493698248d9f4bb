"""Draw the stress card of blocks: what each bears and costs by depth, a panel a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from ablations.analysis.metrics import Metric, read_metric
from ablations.analysis.results import STRESS, Row, Spread
from ablations.charts import answer_specs, scales
from ablations.charts.answer_figure import agrees, error_caption, mean_bar
from ablations.charts.figure import Figure
from ablations.charts.looks import Spec, axes_of, cell_names
from ablations.charts.options import FigureOptions
from ablations.charts.series import Lines, columns
from ablations.report.answer import Answer
from ablations.report.lines import wrapped

CARD = (
    *("log10 stress_rate", "log10 stress_gain", "log10 stress_gain_trained", "log10 stress_mixing"),
    *("log10 diagnostics.gradient_ratio@1", "epochs until train_error <= 50", "train_error", "lesion_mean"),
    *("seconds", "stress_memory"),
)


def stress_figure(answer: Answer, options: FigureOptions) -> Figure | None:
    """The card, of the numbers that were measured: a line a block, in which each depth has its shade.

    None where nothing was put under stress, or a person has asked for other panels.
    """
    runs = [run for row in answer.rows for run in row.runs]
    measured = any(name in run["metrics"] for run in runs for name in STRESS)
    if not measured or options.metrics or options.x or options.colour:
        return None
    rows, axes = answer.rows, axes_of(answer.plan, answer.rows, options)
    depth = next((axis for axis in axes if axis.name == "depth"), None)
    names = cell_names(axes, without={"depth"}, cells=len(rows))
    about = {
        cell: {"cell": cell, "label": label, "row": wrapped(names[cell]), "n": rows[cell].n, "light": 0}
        | {"hue": depth.levels[cell] if depth else ""}
        for cell, label in enumerate(cell_names(axes, cells=len(rows)))
        if rows[cell].n and agrees(rows[cell], options.where)
    }
    views, every = [], []
    for metric in map(read_metric, CARD):
        lines, encoding = _lines({cell: _values(rows[cell], metric, answer.runs) for cell in about}, metric)
        if not lines:
            continue
        drawn = [line | about[line["cell"]] | {"panel": len(views)} for line in lines]
        title = {"text": options.label(scales.words(metric)), "fontSize": 12, "offset": 6, "anchor": "start"}
        panel = answer_specs.by_name(encoding, list(dict.fromkeys(str(line["row"]) for line in drawn)), depth)
        views.append({"title": title, "transform": [{"filter": f"datum.panel == {len(views)}"}], **panel})
        every += drawn
    caption = error_caption([rows[cell] for cell in about], dots=False)
    if any(line["single"] == answer_specs.LOST for line in every):
        caption += " ×: in one seed at least infinite, or zero on a logarithmic scale."
    title = "What the blocks bear, and what they cost"
    spec = answer_specs.side_by_side(views)
    return Figure("stress", title, caption, spec, columns(every), panels=2, least=300)


def _lines(values: Mapping[int, list[float]], metric: Metric) -> tuple[Lines, Spec]:
    """Mean ± sd of each cell, at an edge where one of its numbers is not finite; and the axis of them all."""
    known = {cell: numbers for cell, numbers in values.items() if numbers}
    finite = {cell: numbers for cell, numbers in known.items() if all(map(math.isfinite, numbers))}
    bars = {cell: mean_bar(metric, Spread.of(numbers)) for cell, numbers in finite.items()}
    axis = scales.of_metric(metric, [end for bar in bars.values() for end in bar])
    lines = []
    for cell, numbers in known.items():
        mean = math.fsum(numbers) / len(numbers) if cell in bars else axis["scale"]["domain"][math.inf in numbers]
        low, high = bars.get(cell, (mean, mean))
        of = f"mean ± sd of {len(numbers)}" if cell in bars else "not finite in a seed"
        single = 0 if cell in bars else answer_specs.LOST
        lines.append({"cell": cell, "single": single, "mean": mean, "low": low, "high": high, "of": of})
    return lines, axis


def _values(row: Row, metric: Metric, runs: Path) -> list[float]:
    return [value for run in row.runs if (value := metric.value(run, runs)) is not None]
