"""A plan: the cells and runs a study consists of, what is known of each, and what is left to train."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ablations.identity.run import Run
from ablations.question.hydra_syntax import to_overrides
from ablations.question.seeds import SeedDesign
from ablations.question.study import Point
from ablations.records.files import SCHEMA
from ablations.records.record import Record


@dataclass
class Cell:
    """One cell: every point of the grid that it answers, and its runs by seed.

    Attributes:
        further: the runs that follow while a claim about the cell is open.
        first: how many runs the cell begins with.
        epochs: of one run, where it has been looked at.
        cost: about what one run costs, in multiply-adds; 0 where nothing is left to train.
        params, macs: parameters, and multiply-adds of one image; None where nothing is left to train.
        settings: what its choices set for the training, beside its network, data and recipe.
        accepted: records that answer runs and lie in other folders than theirs, by the runs' identities: of other code,
            or of the same run typed in other words.
    """

    run: Run
    points: list[Point]
    overrides: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    further: dict[int, Run] = field(default_factory=dict)
    first: int = 0
    cost: int = 0
    epochs: int | None = None
    params: int | None = None
    macs: int | None = None
    accepted: dict[str, Record] = field(default_factory=dict)

    @property
    def all_runs(self) -> list[Run]:
        return [*self.runs.values(), *self.further.values()]

    def grow(self, seeds: int) -> None:
        """Plan the first `seeds` runs; the others follow while a claim is open."""
        every = list((self.runs | self.further).items())
        self.runs, self.further = dict(every[:seeds]), dict(every[seeds:])

    def missing(self, records: dict[str, Record]) -> list[Run]:
        """The runs without a record. A failed run has one: it is not trained again unasked."""
        return [run for run in self.runs.values() if run.identity not in records and run.identity not in self.accepted]

    def entry(self, run: Run) -> dict[str, Any]:
        """Where a run's record is, or will be."""
        there = self.accepted.get(run.identity) or {"identity": run.identity, "label": run.label, "folder": run.folder}
        return {"seed": run.seed} | {key: there[key] for key in ("identity", "label", "folder")}

    def entries(self) -> dict[str, list[dict[str, Any]]]:
        """Its first runs, and those that may follow."""
        entries = [self.entry(run) for run in self.all_runs]
        return {"runs": entries[: self.first], "further": entries[self.first :]}


@dataclass
class Plan:
    """What a study would train.

    Attributes:
        name: the study's name, as the command line has it.
        study: the study as written.
        swept: the axes that vary, in the order written: the first columns of the table.
        cells: in grid order; equivalent points share one.
        invalid: points that cannot be built, with the reason.
        unchecked: how many cells nobody tried to build yet.
    """

    name: str
    study: dict[str, Any]
    swept: list[str]
    command: str
    cells: list[Cell] = field(default_factory=list)
    invalid: list[tuple[Point, str]] = field(default_factory=list)
    unchecked: int = 0

    def untouched(self, records: dict[str, Record]) -> bool:
        """Whether none of its runs has a record."""
        return all(len(cell.missing(records)) == len(cell.runs) for cell in self.cells)

    def find_relabelled(self, records: dict[str, Record]) -> None:
        """Remember the records of runs that were typed in other words, and so have another label and folder."""
        for cell in self.cells:
            for run in cell.all_runs:
                if (record := records.get(run.identity)) and record["folder"] != run.folder:
                    cell.accepted[run.identity] = record

    def missing(self, records: dict[str, Record]) -> list[tuple[Cell, Run]]:
        """What is left to train, the longest first, so that the end has no straggler."""
        left = [(cell, run) for cell in self.cells for run in cell.missing(records)]
        return sorted(left, key=lambda pair: -pair[0].cost)

    @property
    def equivalent(self) -> int:
        """How many points are answered by another point's cell."""
        return sum(len(cell.points) - 1 for cell in self.cells)

    def as_json(self) -> dict[str, Any]:
        """The plan as it is published under `runs/.studies/<name>/plan.json`."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "study": self.study,
            "swept": self.swept,
            "command": self.command,
            "cells": [
                {
                    "cell": cell.run.cell,
                    "axes": cell.run.axes,
                    "points": cell.points,
                    "overrides": cell.overrides,
                    "cost": cell.cost,
                    "params": cell.params,
                    "macs": cell.macs,
                    "epochs": cell.epochs or cell.run.config["recipe"].get("epochs"),
                    **cell.entries(),
                }
                for cell in self.cells
            ],
            "invalid": [{"point": point, "reason": reason} for point, reason in self.invalid],
        }


def make_cells(
    points: Iterable[Point], seeds: SeedDesign, compose: Callable[[Point], tuple[Run, list[str], dict[str, Any]]]
) -> tuple[list[Cell], list[tuple[Point, str]]]:
    """Cells for points; points that compose to the same network, data and recipe share a cell.

    Args:
        compose: point → its run (with any seed), the overrides that make it, and its settings; raises ValueError for
            a point that cannot be composed.
    """
    cells: dict[str, Cell] = {}
    invalid: list[tuple[Point, str]] = []
    for point in points:
        try:
            run, overrides, settings = compose(point)
        except ValueError as error:
            invalid.append((point, str(error)))
            continue
        if run.cell in cells:
            cells[run.cell].points.append(point)
            continue
        runs, further = ({seed: run.with_seed(seed) for seed in some} for some in (seeds.first, seeds.further))
        cells[run.cell] = Cell(run, [point], overrides, settings, runs, further, first=len(runs))
    return list(cells.values()), invalid


def summary(plan: Plan, seeds: SeedDesign, records: dict[str, Record], *, why: bool = True) -> str:
    """The plan in one paragraph; `why`: with the reasons why cells are invalid."""
    points = sum(len(cell.points) for cell in plan.cells) + len(plan.invalid)
    missing = len(plan.missing(records))
    total = sum(len(cell.runs) for cell in plan.cells)
    words = [f"{missing} to train", f"{total - missing} reused"]
    if plan.equivalent:
        words.append(f"{plan.equivalent} equivalent to others")
    if plan.invalid:
        reasons = "; ".join(sorted({reason for _, reason in plan.invalid}))
        words.append(f"{len(plan.invalid)} invalid" + f": {reasons}" * why)
    if plan.unchecked:
        words.append(f"{plan.unchecked} not built to see whether they can be, which their workers will")
    many = _count(len(seeds.first), "seed") if seeds.fixed else f"{len(seeds.first)} to {seeds.most} seeds"
    return f"{_count(points, 'cell')} × {many}: {', '.join(words)}"


def listing(plan: Plan, records: dict[str, Record]) -> list[str]:
    """The plan in full: what all points share; a line a cell with what it needs; equivalents; what is invalid, why."""
    points = [point for cell in plan.cells for point in cell.points] + [point for point, _ in plan.invalid]
    shared = shared_by(points)

    def own(point: Point) -> str:
        return point_words({axis: value for axis, value in point.items() if axis not in shared} or point)

    lines = [f"with {point_words(shared)}"] if shared and len(points) > 1 else []
    for cell in plan.cells:
        missing = len(cell.missing(records))
        lines.append(f"{'train' if missing else 'reuse'}  {missing or len(cell.runs)} × {own(cell.points[0])}")
        lines += [f"  equivalent: {own(point)}" for point in cell.points[1:]]
    return lines + [f"invalid  {own(point)}: {reason}" for point, reason in plan.invalid]


def shared_by(points: list[Point]) -> Point:
    """The axes on which all points agree."""
    first = points[0] if points else {}
    return {axis: v for axis, v in first.items() if all(repr(point.get(axis)) == repr(v) for point in points)}


def point_words(point: Point) -> str:
    """`block=plain depth=8`, as the command line takes it."""
    return shlex.join(to_overrides(point)) or "(the defaults)"


def _count(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")
