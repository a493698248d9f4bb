"""Draw the stress card of blocks: what each bears and costs by depth, a panel a number."""

from __future__ import annotations

from dataclasses import replace

from ablations.analysis.metrics import read_metric
from ablations.analysis.results import STRESS
from ablations.charts.answer_figure import answer_figure
from ablations.charts.figure import Figure
from ablations.charts.options import FigureOptions
from ablations.report.answer import Answer

CARD = (
    *("log10 stress_rate", "log10 stress_gain", "log10 stress_gain_trained", "log10 stress_mixing"),
    *("log10 diagnostics.gradient_ratio@1", "epochs until train_error <= 50", "train_error", "lesion_mean"),
    *("seconds", "stress_memory"),
)


def stress_figure(answer: Answer, options: FigureOptions) -> Figure | None:
    """The card, of the numbers that were measured; None where nothing was put under stress."""
    runs = [record for row in answer.rows for record in row.runs]
    if not any(name in record["metrics"] for record in runs for name in STRESS):
        return None
    there = tuple(
        name for name in CARD if any(read_metric(name).value(record, answer.runs) is not None for record in runs)
    )
    deep = len({row.axes.get("depth") for row in answer.rows}) > 1
    asked = replace(options, metrics=options.metrics or there, x=options.x or ("depth" if deep else ""))
    found = answer_figure(answer, asked)
    return found and replace(found, name="stress", title="What the blocks bear, and what they cost")
