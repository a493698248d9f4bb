"""Sort the rows of a table into cells: one combination of values of the axes, with a record for each seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablations.analysis.metrics import COUNTS, TIMES
from ablations.elsewhere.table import Row, Table, TableError
from ablations.elsewhere.values import STATUSES, kind_of, measurement, status_of, text_of
from ablations.question.did_you_mean import instead

LISTED = 6  # of many rows or columns, so many are named


@dataclass(frozen=True)
class Columns:
    """Which column holds what; `status` is None where the table has no such column."""

    axes: Sequence[str]
    metrics: Sequence[str]
    seed: str
    status: str | None

    @property
    def used(self) -> set[str | None]:
        return {*self.axes, *self.metrics, self.seed, self.status}


@dataclass
class Cell:
    """One combination of values. An axis without a value is not in `axes`.

    Attributes:
        records: by seed, of the runs that have ended.
        rows: by seed, where these records are from.
        running: the seeds of the runs that have not ended yet.
    """

    axes: dict[str, Any]
    records: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    running: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        return ", ".join(f"{axis}={value}" for axis, value in self.axes.items())


class CellReader:
    """Read the cells of a table.

    Attributes:
        kinds: what the values of each axis are.
        design: the seeds of a fixed design; empty where seeds are added until the claims are decided.
        notes: sentences on the rows that do not count.
    """

    def __init__(self, table: Table, columns: Columns, design: Sequence[Any]) -> None:
        self.table, self.columns = table, columns
        self.kinds = {axis: kind_of(row.values.get(axis) for row in table.rows) for axis in columns.axes}
        seeds = [row.values.get(columns.seed) for row in table.rows]
        self._seed_kind = kind_of([*seeds, *design])
        known = {read for seed in [*seeds, *design] if (read := self._seed_kind.read(seed)) is not None}
        whole = all(type(seed) is int for seed in known)  # other seeds, like names, are numbered in their order
        self._seeds = {seed: seed if whole else rank for rank, seed in enumerate(sorted(known))}
        self.design = [self._seeds[self._seed_kind.read(seed)] for seed in design]
        self.notes: list[str] = []

    def cells(self) -> list[Cell]:
        """The cells in the order of the table.

        Raises:
            TableError: a value cannot be read, or two rows are the same cell and seed.
        """
        cells: dict[str, Cell] = {}
        left: dict[str, list[Row]] = {}
        for row in self.table.rows:
            status, seed = self._status(row), self._seed(row)
            if self.design and seed not in self.design:
                left.setdefault("of a seed outside of the design", []).append(row)
                continue
            axes = {
                axis: read for axis, kind in self.kinds.items() if (read := kind.read(row.values.get(axis))) is not None
            }
            cell = cells.setdefault(repr(axes), Cell(axes))
            if status == "running":
                cell.running.add(seed)
                left.setdefault("not finished yet", []).append(row)
                continue
            if seed in cell.rows:
                ended = {cell.records[seed]["status"]: cell.rows[seed], status: row}
                if "failed" not in ended:
                    raise self._twice(cell.rows[seed], row, cell)
                left.setdefault("failed and repeated", []).append(ended["failed"])
                if cell.records[seed]["status"] != "failed":
                    continue
            cell.rows[seed], cell.records[seed] = row, self._record(row, axes, seed, status)
        for what, rows in left.items():
            listed = ", ".join(str(row.number) for row in rows[:LISTED]) + (", …" if len(rows) > LISTED else "")
            self.notes.append(f"left out: {len(rows)} {what} ({self.table.unit} {listed})")
        return list(cells.values())

    def _status(self, row: Row) -> str:
        if self.columns.status is None:
            return "finished"
        word = text_of(row.values.get(self.columns.status))
        if (known := status_of(word)) is None:
            says = f"{self.columns.status} is {word!r}{instead(word.lower(), STATUSES, 'known are')}"
            raise self.table.error(row, says)
        return known

    def _seed(self, row: Row) -> int:
        value = self._seed_kind.read(row.values.get(self.columns.seed))
        if value is None:
            raise self.table.error(row, f"{self.columns.seed} is empty; runs of equal seed are pairs")
        return self._seeds[value]

    def _record(self, row: Row, axes: Mapping[str, Any], seed: int, status: str) -> dict[str, Any]:
        numbers = {} if status == "failed" else {name: self._number(row, name) for name in self.columns.metrics}
        finite = {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}
        if any(value is not None and finite[name] is None for name, value in numbers.items()):
            status = "diverged"
        return {
            **run_of(axes, seed, f"{self.table.unit} {row.number}"),
            "status": status,
            "axes": dict(axes),
            "cause": text_of(row.values.get(self.columns.status or "")) if status == "failed" else None,
            "metrics": finite,
            **dict.fromkeys(("params", "macs", "epochs")),
            **{name: finite[name] for name in (*COUNTS, *TIMES) if finite.get(name) is not None},
        }

    def _number(self, row: Row, name: str) -> float | None:
        value = row.values.get(name)
        if value is None or not str(value).strip():
            return None
        if (read := measurement(value)) is None:
            says = f"{name} is {str(value)[:40]!r}, not a number like 0.95, or nan for a run that diverged"
            raise self.table.error(row, says)
        return read

    def _twice(self, before: Row, now: Row, cell: Cell) -> TableError:
        """An error for two rows of one cell and seed, with the columns that tell them apart."""
        others = [name for name in self.table.columns if name not in self.columns.used]
        differ = [name for name in others if before.values.get(name) != now.values.get(name)][:LISTED]
        hint = "keep one of them"
        if differ:
            axes = ", ".join([*self.columns.axes, differ[0]])
            hint = f"if it is another cell, name the column that says so, as in `columns: {{axes: [{axes}]}}`"
            hint += f"; they differ in {', '.join(differ)}"
        same = f"{cell.name}, {self.columns.seed}={now.values[self.columns.seed]}"
        return self.table.error(now, f"{same} is in {self.table.unit} {before.number} already; {hint}")


def run_of(axes: Mapping[str, Any], seed: int, where: str = "") -> dict[str, Any]:
    """The identity, label, folder and seed of a run; `where` it is in the table. The folder is only a name."""
    label = "-".join([*map(str, axes.values()), f"s{seed}"])
    named = f"{label} ({where})" if where else label
    return {"identity": f"{dict(axes)!r} seed {seed}", "label": named, "folder": label, "seed": seed}
