"""Tell whether a published number is in the unit of the metric that a claim is about."""

from __future__ import annotations

from typing import Any

from ablations.analysis.metrics import Metric
from ablations.question.references import named, references


def foreign_unit(reference: Any, metric: Metric) -> str:
    """The unit of a claim's reference where it is another than that of the metric; empty where they agree."""
    own = unit_words(metric)
    return next((unit for key in named(reference) if (unit := references()[key].in_our_unit) != own), "")


def unit_words(metric: Metric) -> str:
    """The unit of a metric, in the words of `Reference.in_our_unit`; of a metric without a unit its name."""
    if metric.log:
        return "orders of magnitude"
    if metric.is_error or (metric.measure == "percent" and metric.better < 0):
        return "% error"
    if metric.threshold:
        return "epochs"
    if metric.side is not None:
        return metric.measure or metric.name.partition("_")[2]
    return "nats" if metric.name.endswith("_loss") else metric.name
