"""A measured ablation path: from one cell to another, one axis at a time, the one with the largest gain first.

Every step is between two cells that were trained, and its gain is their difference, paired by seed. Axes that are
active in one of the two ends only come and go with what makes them so: they are no steps. Where a cell that would have
been the next candidate has no record it is named, with the command that trains it: another order might come out.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.analysis.cell_selection import not_one, select
from ablations.analysis.metrics import Metric, read_metric
from ablations.analysis.next_command import again
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import Difference, difference_of
from ablations.question.hydra_syntax import to_overrides

if TYPE_CHECKING:
    from rich.console import Console

Values = dict[int, float]  # a metric by seed
Axes = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One axis changed.

    Attributes:
        mean: of the metric after it, over all seeds there are.
        gain: how much better the metric is after it, over the n seeds that both cells have.
        difference: the gains, with their spread; None of fewer than 2 seeds, or where one is infinite.
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
    """What was found.

    Attributes:
        start: mean of the metric in the first cell.
        steps: in the order of gain, as far as there are records.
        left: the axes still to change where the records end.
        missing: cells that were candidates and have no record, as the words that choose them.
        unequal: whether cells differ in their seeds, so that gains are not the differences of means.
    """

    metric: str
    start: float
    steps: tuple[Step, ...]
    left: tuple[str, ...]
    missing: tuple[str, ...]
    unequal: bool


def ablation_path(
    plan: Plan,
    records: Mapping[str, Record],
    start: Mapping[str, Any],
    end: Mapping[str, Any],
    *,
    metric: str = "val_error",
    runs: Path = Path("runs"),
) -> AblationPath:
    """The path from `start` to `end`, two cells of the study; cells between them may be any that have records.

    Raises:
        ValueError: an end is no cell of the study or has no record, or both are the same.
    """
    rows, asked = result_rows(plan, records), read_metric(metric)
    first, last = _end(start, rows), _end(end, rows)
    cells = _measured(plan, records, asked, runs)
    for row, choice in ((first, start), (last, end)):
        if row.cell not in cells:
            named = " ".join(f"{axis}={value}" for axis, value in choice.items())
            if row.n:
                raise ValueError(f"{named} was trained without measuring {metric}: choose another --metric")
            raise ValueError(f"{named} has no {metric} yet; train it: {again(plan)}")
    state = {**last.axes, **first.axes}
    left = [axis for axis, value in first.axes.items() if axis in last.axes and str(last.axes[axis]) != str(value)]
    if not left:
        raise ValueError("start and end are the same cell: there is nothing to change on the way")
    named = [axis for axis in state if axis in {*left, *plan["swept"], *(first.points or ({},))[0]}]
    here, steps, missing, unequal = cells[first.cell][1], [], {}, False
    while left:
        found: list[tuple[float, str, Values]] = []
        for axis in left:
            changed = {**state, axis: last.axes[axis]}
            there = _cell_of(changed, cells)
            if there is None:
                missing[_command(plan, {name: changed[name] for name in named})] = None
            else:
                gain = asked.better * (_mean(there, here) - _mean(here, there))
                found.append((0.0 if math.isnan(gain) else gain, axis, there))  # ∞ − ∞ is no gain
        if not found:
            break
        gain, axis, there = max(found, key=lambda item: item[0])
        n, paired = len(here.keys() & there.keys()), _paired(here, there, asked.better)
        steps.append(Step(axis, state[axis], last.axes[axis], _mean(there, there), gain, n, paired))
        unequal = unequal or here.keys() != there.keys()
        state[axis], here = last.axes[axis], there
        left.remove(axis)
    return AblationPath(metric, _mean(cells[first.cell][1], {}), tuple(steps), tuple(left), tuple(missing), unequal)


def print_path(path: AblationPath, console: Console) -> None:
    """A line a step: what changed, the metric after it, the gain with its interval and n; then what is missing."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("change", path.metric, "gain", "95% interval", "n"):
        table.add_column(head, justify="left" if head == "change" else "right", no_wrap=True)
    table.add_row("(start)", f"{path.start:.2f}", "", "", "")
    for step in path.steps:
        found = step.difference
        between = f"[{found.interval[0]:+.2f}, {found.interval[1]:+.2f}]" if found and found.interval else "–"
        change = f"{step.axis}: {step.before} → {step.after}"
        table.add_row(change, f"{step.mean:.2f}", f"{step.gain:+.2f}", between, str(step.n))
    console.print(table)
    if path.unequal:
        console.print(Text("Not all cells have the same seeds: a gain is over the n seeds of both, a mean over all."))
    if path.left:
        console.print(Text(f"The records end here; still to change: {', '.join(path.left)}.", style="yellow"))
    if path.missing:
        console.print(Text("Not measured; with these, another order might come out:", style="dim"))
        for command in path.missing:
            console.print(Text(f"  {command}"), soft_wrap=True)


def _end(choice: Mapping[str, Any], rows: Sequence[Row]) -> Row:
    found = select(choice, rows)
    if len(found) != 1:
        raise ValueError(not_one(choice, found, rows))
    return found[0]


def _measured(plan: Plan, records: Mapping[str, Record], metric: Metric, runs: Path) -> dict[str, tuple[Axes, Values]]:
    """Axes and values by seed of every cell with records; the plan's last, so that they win over other code's."""
    own = {cell["cell"] for cell in plan["cells"]}
    cells: dict[str, tuple[Axes, Values]] = {}
    newest = sorted(records.values(), key=lambda record: str(record.get("provenance", {}).get("finished")))
    for record in sorted(newest, key=lambda record: record["cell"] in own):
        value = None if record["status"] == "failed" else metric.of(record, runs)
        if value is not None:
            cells.setdefault(record["cell"], (dict(record["axes"]), {}))[1][record["seed"]] = float(value)
    return cells


def _cell_of(state: Axes, cells: Mapping[str, tuple[Axes, Values]]) -> Values | None:
    """The cell whose active axes are all as in `state`."""

    def agrees(axes: Axes) -> bool:
        return all(axis in state and str(state[axis]) == str(value) for axis, value in axes.items())

    return next((values for axes, values in reversed(list(cells.values())) if agrees(axes)), None)


def _paired(before: Values, after: Values, better: int) -> Difference | None:
    seeds = sorted(before.keys() & after.keys())
    values = [better * (after[seed] - before[seed]) for seed in seeds]
    if len(seeds) < 2 or not all(map(math.isfinite, values)):
        return None
    return difference_of(values, scale=max(max(map(abs, before.values())), max(map(abs, after.values()))))


def _mean(values: Values, other: Values) -> float:
    """Over the seeds that both have, if there are any."""
    seeds = values.keys() & other.keys() or values.keys()
    return math.fsum(values[seed] for seed in seeds) / len(seeds)


def _command(plan: Plan, axes: Axes) -> str:
    """What trains a cell: its axes as the command line takes them, with the study's seeds."""
    seeds = sorted({run["seed"] for cell in plan["cells"] for run in cell["runs"]})
    return shlex.join(["python", "run.py", "-m", *to_overrides(axes), f"seed={','.join(map(str, seeds))}"])
