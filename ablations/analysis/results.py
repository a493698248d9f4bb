"""Collect the records of a study into rows, one row a cell, with diverged, failed and missing runs counted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablations.records.task_metrics import CALIBRATION, ERROR, LESIONS, METRICS

PROXIES = tuple(f"proxy_{name}" for name in ("synflow", "naswot", "jacob_cov", "grad_norm", "snip"))  # proxies=true
STRESS = tuple(f"stress_{name}" for name in ("rate", "gain", "gain_trained", "mixing", "memory"))  # stress=true
ASKED_FOR = {"stress": STRESS, "proxies": PROXIES}  # by the setting that has them measured
INACTIVE = "–"  # shown where an axis has no meaning for a cell

Plan = Mapping[str, Any]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n − 1) of one quantity over the seeds of a cell.

    If any of the n runs has no value, the mean is None: the mean of the others would be misleading.
    """

    mean: float | None
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread:
        known = [float(value) for value in values if value is not None]
        if not known or len(known) < len(values):
            return cls(mean=None, sd=None, n=len(known))
        if not all(map(math.isfinite, known)):
            return cls(mean=math.inf, sd=None, n=len(known))
        mean = math.fsum(known) / len(known)
        if len(known) < 2:
            return cls(mean=mean, sd=None, n=len(known))
        return cls(mean=mean, sd=math.sqrt(math.fsum((x - mean) ** 2 for x in known) / (len(known) - 1)), n=len(known))


@dataclass(frozen=True)
class Row:
    """One cell of a study and its records.

    Attributes:
        axes: the active axes and their values.
        points: every grid point that leads to this cell.
        shown: the swept axes; None where inactive.
        runs: the records of finished and diverged runs.
        seeds: those that the study wants of this cell, in their order.
        failures: the records of failed runs.
        judged: the validation metric by which cells are compared, and its better side; None where tasks differ.
    """

    cell: str
    axes: dict[str, Any]
    points: tuple[dict[str, Any], ...]
    shown: dict[str, Any]
    runs: tuple[Record, ...]
    seeds: tuple[int, ...]
    diverged: int
    failures: tuple[Record, ...]
    metrics: dict[str, Spread]
    seconds: Spread
    params: int | None
    macs: int | None
    judged: tuple[str, str] | None = ERROR

    @property
    def n(self) -> int:
        return len(self.runs)

    @property
    def planned(self) -> int:
        """How many runs the study wants of this cell."""
        return len(self.seeds)

    def level(self, axis: str) -> str:
        """The value of a swept axis, as text."""
        value = self.shown.get(axis)
        return INACTIVE if value is None else str(value)

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def missing(self) -> int:
        """How many planned runs have no record."""
        return self.planned - self.n - self.failed


def measured(record: Record, metric: str) -> float | None:
    """A metric from a run's record. A diverged run classifies nothing: its losses are infinite, its errors 100%.

    A loss recorded as null is infinite too.
    """
    found = record["metrics"].get(metric)
    if metric.endswith("_loss") and (record["status"] == "diverged" or (found is None and metric in record["metrics"])):
        return math.inf
    return 100.0 if metric.endswith("_error") and record["status"] == "diverged" else found


def result_rows(plan: Plan, records: Mapping[str, Record]) -> list[Row]:
    """One row for each cell of the plan, in the order of the study's grid."""
    order = {axis: {str(value): rank for rank, value in enumerate(grid_values(plan, axis))} for axis in plan["swept"]}

    def rank(cell: Mapping[str, Any]) -> tuple[int, ...]:
        points = cell["points"] or [cell["axes"]]
        return min(tuple(order[axis].get(str(point.get(axis)), 0) for axis in plan["swept"]) for point in points)

    known_axes = {axis for cell in plan["cells"] for axis in cell["axes"]}
    names = (*METRICS, *CALIBRATION, *LESIONS, *PROXIES, *STRESS, *(plan["study"].get("metrics") or {}))
    judged = plan["study"].get("judged", ERROR)
    judged = tuple(judged) if judged else None
    return [_row(cell, plan["swept"], known_axes, records, names, judged) for cell in sorted(plan["cells"], key=rank)]


def grid_values(plan: Plan, axis: str) -> list[Any]:
    """The values of a swept axis that the plan uses, in the order of the study."""
    grid = plan["study"].get("grid") or []
    grids = [grid] if isinstance(grid, Mapping) else grid
    named = [value for one in grids for value in _listed(one.get(axis, []))]
    used = [point[axis] for cell in plan["cells"] for point in cell["points"] if axis in point]
    taken = set(map(str, used))
    return list({str(value): value for value in [*named, *used] if str(value) in taken}.values())


def best_row(rows: Sequence[Row]) -> Row | None:
    """The row whose mean of the metric that its task is judged by is best, always on the validation set.

    The first one in a tie; None if nothing is measured, or the rows are of different tasks.
    """
    if not rows or (judged := rows[0].judged) is None:
        return None
    metric, better = judged
    known = [
        (-mean if better == "higher" else mean, row) for row in rows if (mean := row.metrics[metric].mean) is not None
    ]
    return min(known, key=lambda pair: pair[0])[1] if known else None


def invalid_points(plan: Plan) -> list[str]:
    """One sentence for each grid point that cannot be built."""
    points = plan.get("invalid", [])
    return [f"{', '.join(f'{k}={v}' for k, v in item['point'].items())}: {item['reason']}" for item in points]


def _row(
    cell: Mapping[str, Any],
    swept: Sequence[str],
    known_axes: set[str],
    records: Mapping[str, Record],
    names: Sequence[str],
    judged: tuple[str, str] | None,
) -> Row:
    found = [records[run["identity"]] for run in cell["runs"] if run["identity"] in records]
    runs = tuple(record for record in found if record["status"] != "failed")
    return Row(
        cell=cell["cell"],
        axes=dict(cell["axes"]),
        points=tuple(cell["points"]),
        shown={axis: _shown(cell, axis, known_axes) for axis in swept},
        runs=runs,
        seeds=tuple(run["seed"] for run in cell["runs"]),
        diverged=sum(record["status"] == "diverged" for record in runs),
        failures=tuple(record for record in found if record["status"] == "failed"),
        metrics={metric: Spread.of([measured(record, metric) for record in runs]) for metric in names},
        seconds=Spread.of([record.get("seconds") for record in runs]),
        params=next((item["params"] for item in [*found, cell] if item.get("params") is not None), None),
        macs=next((item["macs"] for item in [*found, cell] if item.get("macs") is not None), None),
        judged=judged,
    )


def _shown(cell: Mapping[str, Any], axis: str, known_axes: set[str]) -> Any:
    """The value of an axis to show: the active one, or, if no cell uses the axis, that of the cell's points."""
    if axis in cell["axes"] or axis in known_axes:
        return cell["axes"].get(axis)
    named = list(dict.fromkeys(point.get(axis) for point in cell["points"]))
    return named[0] if len(named) == 1 else " = ".join(map(str, named)) or None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
