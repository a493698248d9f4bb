"""Find cells whose seeds end far apart, because some of them fail to train.

Deep nets without shortcuts do so: most seeds end at a few percent of error, some at chance. The mean of such a cell is
decided by how many seeds fail, and neither Student's t nor a small sample knows that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ablations.analysis.results import Record, Row

FAR = 0.25  # of the range of the metric: a mean over seeds that end so far apart is not judged by Student's t
CLEAR = 3.0  # times the spread of the seeds that trained: so wide is the gap to those that failed
ERRORS = (0.0, 100.0)


@dataclass(frozen=True)
class Scatter:
    """How far apart the seeds of a cell end, where that is far.

    Attributes:
        width: from the lowest to the highest, in the unit of the metric.
        failing: the seeds beyond a clear gap, on the worse side; none where there is no such gap.
    """

    width: float
    failing: frozenset[int]


def wide_scatter(values: Mapping[int, float], low: float, high: float, *, worse: int = 1) -> Scatter | None:
    """How far apart the seeds end; None if by less than `FAR` of the range.

    Args:
        values: seed → the metric.
        low, high: between which the metric lies.
        worse: +1 where larger values are worse, −1 where smaller values are.
    """
    ordered = sorted((worse * value, seed) for seed, value in values.items())
    width = _spread(ordered)
    if width < FAR * (high - low):
        return None
    gap, cut = max((b[0] - a[0], k) for k, (a, b) in enumerate(pairwise(ordered), start=1))
    trained, failed = ordered[:cut], ordered[cut:]
    clear = gap >= CLEAR * _spread(trained) and gap >= _spread(failed)
    return Scatter(width, frozenset(seed for _, seed in failed) if clear else frozenset())


def training_scatter(row: Row, seeds: Sequence[int]) -> Scatter | None:
    """How far apart the training errors of a cell end, over the seeds given; None if that is not far."""
    errors = {run["seed"]: _training_error(run) for run in row.runs if run["seed"] in set(seeds)}
    return wide_scatter({seed: error for seed, error in errors.items() if error is not None}, *ERRORS)


def not_excluded(n: int) -> float:
    """The failure rate that n seeds without a failure do not exclude at 95%: 1 − 0.05^(1/n)."""
    return 1 - 0.05 ** (1 / n)


def _training_error(run: Record) -> float | None:
    return 100.0 if run["status"] == "diverged" else run["metrics"].get("train_error")


def _spread(part: Sequence[tuple[float, int]]) -> float:
    return part[-1][0] - part[0][0] if part else 0.0
