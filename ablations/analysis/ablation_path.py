"""Find the ablation path from one cell to another: change one axis at a time, the one with the largest gain first.

Every step leads from one trained cell to another; its gain is their difference, paired by seed. An axis that is active
at only one end of the path (a shortcut, in a path from plain to residual) follows from the others and is not a step. A
candidate cell without records is listed with the command that trains it, because it could change the order.

    Fawcett and Hoos 2016, "Analysing differences between algorithm configurations through ablation".
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select, selection_error
from ablations.analysis.metrics import Metric, read_metric
from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import Difference, difference_of
from ablations.question.hydra_syntax import to_overrides

Values = dict[int, float]  # seed → value of the metric
Axes = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One change of one axis.

    Attributes:
        mean: of the metric after the change, over all its seeds.
        gain: improvement of the metric, over the n seeds that both cells have.
        difference: the gains with their interval; None with fewer than 2 seeds or an infinite gain.
    """

    axis: str
    before: Any
    after: Any
    mean: float
    gain: float
    n: int
    difference: Difference | None


@dataclass(frozen=True)
class AblationPath:
    """The steps from one cell to another.

    Attributes:
        start: mean of the metric in the first cell.
        steps: in order, as far as there are records.
        remaining: the axes still to change where the records end.
        untrained: the commands that train the candidate cells without records.
        unequal_seeds: whether some cells differ in their seeds; a gain is then not the difference of two means.
    """

    metric: str
    start: float
    steps: tuple[Step, ...]
    remaining: tuple[str, ...]
    untrained: tuple[str, ...]
    unequal_seeds: bool


def ablation_path(
    plan: Plan,
    records: Mapping[str, Record],
    start: Mapping[str, Any],
    end: Mapping[str, Any],
    *,
    metric: str = "val_error",
    runs: Path = Path("runs"),
) -> AblationPath:
    """The path between two cells of a study. The cells between them may belong to any study.

    Raises:
        ValueError: an end is not one cell of the study, or has no record, or both ends are the same cell.
    """
    rows, wanted = result_rows(plan, records), read_metric(metric, plan["study"].get("metrics"))
    first, last = _end(start, rows), _end(end, rows)
    cells = _values_by_cell(plan, records, wanted, runs)
    for row, selector in ((first, start), (last, end)):
        if row.cell not in cells:
            named = " ".join(f"{axis}={value}" for axis, value in selector.items())
            if row.n:
                raise ValueError(f"{named} was trained without measuring {metric}: choose another --metric")
            raise ValueError(f"{named} has no {metric} yet; train it: {training_command(plan)}")
    state = {**last.axes, **first.axes}
    remaining = [axis for axis, value in first.axes.items() if axis in last.axes and str(last.axes[axis]) != str(value)]
    if not remaining:
        raise ValueError("start and end are the same cell: there is nothing to change on the way")
    named = [axis for axis in state if axis in {*remaining, *plan["swept"], *(first.points or ({},))[0]}]
    here, steps, untrained, unequal = cells[first.cell][1], [], {}, False
    while remaining:
        candidates: list[tuple[float, str, Values]] = []
        for axis in remaining:
            changed = {**state, axis: last.axes[axis]}
            there = _find_cell(changed, cells)
            if there is None:
                untrained[_command(plan, {name: changed[name] for name in named})] = None
            else:
                gain = wanted.better * (_mean(there, here) - _mean(here, there))
                candidates.append((0.0 if math.isnan(gain) else gain, axis, there))  # ∞ − ∞ is no gain
        if not candidates:
            break
        gain, axis, there = max(candidates, key=lambda item: item[0])
        n, paired = len(here.keys() & there.keys()), _paired_gain(here, there, wanted.better)
        steps.append(Step(axis, state[axis], last.axes[axis], _mean(there, there), gain, n, paired))
        unequal = unequal or here.keys() != there.keys()
        state[axis], here = last.axes[axis], there
        remaining.remove(axis)
    mean = _mean(cells[first.cell][1], {})
    return AblationPath(metric, mean, tuple(steps), tuple(remaining), tuple(untrained), unequal)


def _end(selector: Mapping[str, Any], rows: Sequence[Row]) -> Row:
    found = select(selector, rows)
    if len(found) != 1:
        raise ValueError(selection_error(selector, found, rows))
    return found[0]


def _values_by_cell(
    plan: Plan, records: Mapping[str, Record], metric: Metric, runs: Path
) -> dict[str, tuple[Axes, Values]]:
    """Cell → its axes and its values by seed, from all records.

    The plan's own cells come last: `_find_cell` prefers them to cells of other studies and of older code.
    """
    own = {cell["cell"] for cell in plan["cells"]}
    cells: dict[str, tuple[Axes, Values]] = {}
    by_time = sorted(records.values(), key=lambda record: str(record.get("provenance", {}).get("finished")))
    for record in sorted(by_time, key=lambda record: record["cell"] in own):
        value = None if record["status"] == "failed" else metric.value(record, runs)
        if value is not None:
            cells.setdefault(record["cell"], (dict(record["axes"]), {}))[1][record["seed"]] = float(value)
    return cells


def _find_cell(state: Axes, cells: Mapping[str, tuple[Axes, Values]]) -> Values | None:
    """The values of the last cell whose active axes all agree with `state`."""

    def agrees(axes: Axes) -> bool:
        return all(axis in state and str(state[axis]) == str(value) for axis, value in axes.items())

    return next((values for axes, values in reversed(list(cells.values())) if agrees(axes)), None)


def _paired_gain(before: Values, after: Values, better: int) -> Difference | None:
    seeds = sorted(before.keys() & after.keys())
    values = [better * (after[seed] - before[seed]) for seed in seeds]
    if len(seeds) < 2 or not all(map(math.isfinite, values)):
        return None
    return difference_of(values, scale=max(max(map(abs, before.values())), max(map(abs, after.values()))))


def _mean(values: Values, other: Values) -> float:
    """The mean over the seeds that both have; over all seeds if they have none in common."""
    seeds = values.keys() & other.keys() or values.keys()
    return math.fsum(values[seed] for seed in seeds) / len(seeds)


def _command(plan: Plan, axes: Axes) -> str:
    """The command that trains one cell with the seeds of the study."""
    seeds = sorted({run["seed"] for cell in plan["cells"] for run in cell["runs"]})
    return shlex.join(["python", "run.py", "-m", *to_overrides(axes), f"seed={','.join(map(str, seeds))}"])
