"""Find the seeds of a cell that failed to train while other seeds of the same cell trained.

Deep nets without shortcuts do so: most seeds end at a few percent of error, some at chance. The mean of such a cell is
decided by how many seeds fail, and neither Student's t nor a small sample knows that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ablations.analysis.results import Record, Row

GAP = 0.25  # of the range of the metric: seeds that failed lie at least so far from those that trained
CLEAR = 3.0  # and so many times as far as those that trained lie from each other
ERRORS = (0.0, 100.0)


def failing_seeds(values: Mapping[int, float], low: float, high: float, *, worse: int = 1) -> frozenset[int]:
    """The seeds on the worse side of a gap in the values; none where there is no such gap.

    The gap is the widest between neighbours. It is at least `GAP` of the range, `CLEAR` times the spread of the seeds
    that trained, and as wide as the spread of those that failed.

    Args:
        values: seed → the metric.
        low, high: between which the metric lies.
        worse: +1 where larger values are worse, −1 where smaller values are.
    """
    ordered = sorted((worse * value, seed) for seed, value in values.items())
    if len(ordered) < 2:
        return frozenset()
    gap, cut = max((b[0] - a[0], k) for k, (a, b) in enumerate(pairwise(ordered), start=1))
    trained, failed = ordered[:cut], ordered[cut:]
    wide = gap >= GAP * (high - low) and gap >= CLEAR * _spread(trained) and gap >= _spread(failed)
    return frozenset(seed for _, seed in failed) if wide else frozenset()


def failed_to_train(row: Row, seeds: Sequence[int]) -> frozenset[int]:
    """The seeds of a cell, of those given, whose training error says that they failed while others trained."""
    errors = {run["seed"]: _training_error(run) for run in row.runs if run["seed"] in set(seeds)}
    known = {seed: error for seed, error in errors.items() if error is not None}
    return failing_seeds(known, *ERRORS)


def not_excluded(n: int) -> float:
    """The failure rate that n seeds without a failure do not exclude at 95%: 1 − 0.05^(1/n)."""
    return 1 - 0.05 ** (1 / n)


def _training_error(run: Record) -> float | None:
    return 100.0 if run["status"] == "diverged" else run["metrics"].get("train_error")


def _spread(part: Sequence[tuple[float, int]]) -> float:
    return part[-1][0] - part[0][0]
