"""Read from a record what a search minimises."""

from __future__ import annotations

from collections.abc import Mapping

from ablations.question.search_space import is_curve
from ablations.records.record import Record

WORST_OF_OTHERS = 1e30  # of metrics whose worst value nobody knows; finite, as Optuna wants it
WORST = {"error": 100.0, "loss": 10.0}  # percent; nats, worse than chance with 20,000 classes


def objective_value(record: Record, name: str) -> float:
    """Read an objective from a record; a diverged run counts as the worst."""
    if is_curve(name):
        return clipped(name, {} if record["status"] == "diverged" else record["metrics"])
    return float(record[name])


def clipped(name: str, metrics: Mapping[str, float | None]) -> float:
    """Return an objective, `-val_r2` as −val_r2; the worst value stands for a missing one, NaN and what is worse."""
    value, worst = metrics.get(name.lstrip("-")), WORST.get(name.partition("_")[2], WORST_OF_OTHERS)
    if value is not None and name.startswith("-"):
        value = -value
    return value if value is not None and value < worst else worst
