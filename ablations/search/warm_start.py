"""Find what was trained before a search begins and lies in its space: records of any study, of single runs too.

A cell counts if it has a record of every seed of the search, and if its point, composed today, is this very cell: of
the same network, data, recipe and code. It is then told to the sampler, as a trial that is complete. A simulated search
can be told cells of its table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import optuna

from ablations.question.search_space import SIZES, Search, is_curve
from ablations.question.study import Point, StudyError
from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE
from ablations.records.record import Record
from ablations.search.carry_out import Source, carry_out, new_outcome
from ablations.search.in_memory import InMemory
from ablations.search.objectives import clipped, objective_value
from ablations.search.space import Infeasible, Space
from ablations.search.trials import Trial


class Cells(Protocol):
    """Composes the points of a space."""

    def default(self, axis: str, point: Point) -> Any:
        """The value that an axis has at a point where nothing is said about it."""
        ...

    def is_cell_of(self, point: Point, record: Record) -> bool:
        """Whether a record is of this cell, and of today's code and data."""
        ...


def known_trials(
    records: Iterable[Record], search: Search, space: Space, cells: Cells, *, runs: Path, tuning: str
) -> list[Trial]:
    """Make a complete trial of every cell in the space that was trained with all seeds of the search, oldest first.

    Args:
        runs: where the records lie, beside the curves that the pruner is told.
    """
    statuses = ("finished", "diverged") if search.diverged == "worst" else ("finished",)
    by_cell: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in records:
        if record["status"] in statuses and record["seed"] in search.seeds:
            by_cell[record["cell"]][record["seed"]] = record
    whole = [[seeds[seed] for seed in search.seeds] for seeds in by_cell.values() if len(seeds) == len(search.seeds)]
    whole.sort(key=lambda some: (max(_finished(record) for record in some), some[0]["cell"]))
    known = []
    for some in whole:
        chosen = chosen_in(space, some[0]["axes"], cells.default)
        if chosen is not None and all(cells.is_cell_of({**space.fixed, **chosen}, record) for record in some):
            trial = _trial(some, search, space, chosen)
            if trial["values"] and all(excess <= 0 for excess in trial["constraints"].values()):
                reported = reported_of(some, search, runs)
                known.append({"tuning": tuning, "number": len(known), "reported": reported, **trial})
    return known


def chosen_in(space: Space, axes: Mapping[str, Any], default: Callable[[str, Point], Any]) -> dict[str, Any] | None:
    """The values of a cell's axes that are active in a space; None if one of them is outside.

    Args:
        default: the value of an axis that is not among them, at a point.
    """
    chosen: dict[str, Any] = {}
    try:
        for axis, options in space.axes.items():
            point = {**space.fixed, **chosen}
            if space.active(axis, point):
                value = axes[axis] if axis in axes else default(axis, point)
                (chosen[axis],) = options.like(value)
    except (Infeasible, ValueError):
        return None
    return chosen


def known_cells(tuning: InMemory, points: Iterable[Mapping[str, Any]], source: Source) -> list[Trial]:
    """Make a complete trial of each point that the space of a simulated search holds, as `known_trials` of records.

    Args:
        points: a value of every active axis; other names do not matter.

    Raises:
        LookupError: a point does not say an axis that is active.
        Uncovered: a cell is not in the table, or not with all seeds of the search.
    """

    def unsaid(axis: str, point: Point) -> Any:
        raise LookupError(f"known: a point does not say its {axis}")

    made = optuna.samplers.RandomSampler, optuna.pruners.NopPruner()
    apart = InMemory(tuning.name, tuning.search, tuning.space, *made, study="known")
    known: list[Trial] = []
    for point in points:
        if not isinstance(point, Mapping):
            raise StudyError(f"known: {point!r} is no point, which is a mapping from axes to values")
        if (chosen := chosen_in(tuning.space, point, unsaid)) is not None:
            apart.study.enqueue_trial(chosen)
            trial = apart.study.ask()
            outcome = new_outcome(apart, len(known))
            for _ in carry_out(apart, trial, outcome, source):
                pass
            apart.tell(trial, outcome)
            if outcome["state"] == "complete":
                known.append({**outcome, "warm_start": True})
    return known


def _trial(records: list[Record], search: Search, space: Space, chosen: dict[str, Any]) -> Trial:
    first = records[0]
    lacking = any(record.get(name) is None for record in records for name in search.objectives if not is_curve(name))
    values = {} if lacking else {name: [objective_value(one, name) for one in records] for name in search.objectives}
    runs = [{key: record[key] for key in ("seed", "identity", "label", "folder")} for record in records]
    sizes = {name: first[name] for name in SIZES}
    return {
        **{"state": "complete", "warm_start": True, "point": {**space.fixed, **chosen}, "suggested": chosen},
        **{"cell": first["cell"], "label": first["label"].rpartition("-s")[0], "epochs": first["epochs"], **sizes},
        **{"runs": runs, "values": {name: fmean(some) for name, some in values.items()}},
        "constraints": {str(limit): limit.excess(sizes[limit.quantity] or 0) for limit in search.constraints},
    }


def reported_of(records: list[Record], search: Search, runs: Path) -> list[tuple[int, float]]:
    """What the pruner would have been told, step by step: see `search.prune_by`."""
    first = search.objectives[0]
    if len(search.objectives) > 1:
        return []
    if search.prune_by == "seeds":
        return [(step, objective_value(record, first)) for step, record in enumerate(records)]
    try:
        rows = read_epochs(runs / records[0]["folder"] / CURVE) if is_curve(first) else []
    except (OSError, ValueError):  # no file, or a damaged one, which `doctor` names
        return []
    return [(int(row["epoch"]), clipped(first, row)) for row in rows]


def _finished(record: Record) -> str:
    return (record.get("provenance") or {}).get("finished") or ""
