"""Make a study of a table of runs and a file of claims: a plan and records, as `judge` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_schema import SHAPES, ClaimError, check_claims
from ablations.analysis.metrics import COUNTS, DIVERGED, TIMES
from ablations.analysis.results import METRICS, result_rows
from ablations.elsewhere.cells import LISTED, Cell, CellReader, Columns, run_of
from ablations.elsewhere.table import Table, TableError
from ablations.elsewhere.values import Kind
from ablations.question.did_you_mean import instead
from ablations.question.wording import and_more

STATUS = ("status", "State", "state")  # W&B exports State
KNOWN = (*METRICS, *COUNTS, *TIMES)  # of these it is known which side is better


@dataclass(frozen=True)
class TableStudy:
    """A table as a study: plan and records as `judge` takes them, and notes on what of the table was left out."""

    plan: dict[str, Any]
    records: dict[str, dict[str, Any]]
    notes: tuple[str, ...]


def table_study(table: Table, asked: Mapping[str, Any], *, command: str) -> TableStudy:
    """Make a plan and records of what is `asked` in a file of claims; `command` is what was typed, for the page.

    Raises:
        TableError: a column is missing, a row cannot be read, or a claim has more pairs than `most`.
        ClaimError: a claim is malformed.
    """
    columns = _columns(table, asked)
    seeds: Any = asked["seeds"]
    reader = CellReader(table, columns, seeds if isinstance(seeds, list) else [])
    cells = reader.cells()
    values = {axis: kind.ordered(cell.axes.get(axis) for cell in cells) for axis, kind in reader.kinds.items()}
    study = {
        "name": Path(table.name).stem or "runs",
        "question": asked.get("question"),
        "grid": [values],
        "seeds": reader.design or seeds,
        "metrics": asked["metrics"],
        "claims": [_claim_of(claim, reader.kinds) for claim in asked["claims"]],
    }
    entries = [_entry(cell, reader.design) for cell in cells]
    runs = {
        record["identity"]: record | {"cell": repr(cell.axes)} for cell in cells for record in cell.records.values()
    }
    plan = {"schema": 1, "name": study["name"], "study": study, "command": command, "swept": list(columns.axes)}
    plan |= {"cells": entries, "invalid": []}
    if isinstance(seeds, Mapping):
        _check_horizon(table, plan, seeds["most"])
    notes = [_extent(table, cells, columns), *reader.notes, *_unpaired(plan)]
    if left := [name for name in table.columns if name not in columns.used]:
        notes.append(f"columns not used: {and_more(left, LISTED)}")
    return TableStudy(plan, runs, tuple(notes))


def _columns(table: Table, asked: Mapping[str, Any]) -> Columns:
    """Which column holds what; claims are checked on the way."""
    where, claims = asked["columns"], asked["claims"]
    metrics = _metrics(table, claims, asked["metrics"])
    checked = check_claims(asked)
    named = list(dict.fromkeys(str(axis) for claim in checked for cell in claim.cells for axis in cell))
    axes = [str(axis) for axis in where.get("axes") or named]
    if odd := [axis for axis in named if axis not in axes]:
        raise ClaimError(f"claims name {odd[0]}, which is not one of the axes {', '.join(axes)}")
    seed = str(where.get("seed") or "seed")
    if seed not in table.columns:
        says = f"has no column {seed}{instead(seed, table.columns, 'its columns are')}"
        hint = "`columns: {seed: NAME}` names the column of the seeds; runs of equal seed are pairs"
        raise TableError(f"{table.name} {says}; {hint}")
    status = str(where["status"]) if where.get("status") else next((s for s in STATUS if s in table.columns), None)
    for name in filter(None, [*axes, status]):
        _check_column(table, name)
    return Columns(axes, metrics, seed, status)


def _metrics(table: Table, claims: Sequence[Any], named: Mapping[str, str]) -> list[str]:
    """The columns that claims are about. Of each it must be known which side is better."""
    texts = [str(claim["metric"]).strip() for claim in claims if isinstance(claim, Mapping) and claim.get("metric")]
    names = list(dict.fromkeys(text.removeprefix("log10 ").strip() for text in texts))
    for name in names:
        if name == DIVERGED and name not in table.columns:
            continue
        _check_column(table, name)
        if name not in named and name not in KNOWN:
            raise ClaimError(f"which side of {name} is better? write `metrics: {{{name}: higher}}`, or lower, or none")
    return [name for name in names if name in table.columns]


def _check_column(table: Table, name: str) -> None:
    if name not in table.columns:
        raise TableError(f"{table.name} has no column {name}{instead(name, table.columns, 'its columns are')}")


def _claim_of(claim: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The claim with the values of its cells as the table has them: 0.10 as 0.1 in a column of numbers."""

    def read(cell: Any) -> Any:
        if isinstance(cell, list):
            return [read(one) for one in cell]
        if {"plus", "minus"} & set(cell):
            return {side: read(inner) for side, inner in cell.items()}
        return {str(axis): kinds[str(axis)].read(value) for axis, value in cell.items()}

    return {key: read(value) if key in SHAPES else value for key, value in claim.items()}


def _entry(cell: Cell, design: Sequence[int]) -> dict[str, Any]:
    """A cell of the plan, with the runs of the table or of the design; some may be missing."""
    runs = []
    for seed in sorted(design or {*cell.records, *cell.running}):
        run = run_of(cell.axes, seed)
        runs.append({key: cell.records[seed][key] for key in run} if seed in cell.records else run)
    return {
        "cell": repr(cell.axes),
        "axes": cell.axes,
        "points": [cell.axes],
        "runs": runs,
        "further": [],
        "epochs": None,
    }


def _check_horizon(table: Table, plan: Mapping[str, Any], most: int) -> None:
    """Check that no claim has more pairs than looks are allowed for: to move the end is to look again."""
    for says, found in _seeds_of_claims(plan):
        if found and (pairs := len(set.intersection(*found))) > most:
            words = f"{says!r} has {pairs} seeds, and looking ends at {most}"
            raise TableError(f"{table.name}: {words}; `seeds: {{from: 3, most: N}}` says how many there may be")


def _unpaired(plan: Mapping[str, Any]) -> list[str]:
    """A sentence for each claim some of whose runs do not count, because the other cell lacks their seed."""
    alone = (
        (says, len(set.union(*found) - set.intersection(*found))) for says, found in _seeds_of_claims(plan) if found
    )
    return [f"{says!r}: seeds left out, for want of a run in every cell: {n}" for says, n in alone if n]


def _seeds_of_claims(plan: Mapping[str, Any]) -> list[tuple[str, list[set[int]]]]:
    """For each claim what it says, and the seeds of each cell that it names."""
    seeds = {cell["cell"]: {run["seed"] for run in cell["runs"]} for cell in plan["cells"]}
    rows = result_rows(plan, {})
    return [
        (claim.says, [seeds[row.cell] for cell in claim.cells for row in select(cell, rows)])
        for claim in check_claims(plan["study"])
    ]


def _extent(table: Table, cells: Sequence[Cell], columns: Columns) -> str:
    """`results.csv: 24 runs in 4 cells (model, lr), 6 seeds each`."""
    counts = sorted({len(cell.records) for cell in cells})
    seeds = " to ".join(str(n) for n in dict.fromkeys(counts[:1] + counts[-1:]))
    runs = sum(len(cell.records) for cell in cells)
    return f"{table.name}: {runs} runs in {len(cells)} cells ({', '.join(columns.axes)}), {seeds or 0} seeds each"
