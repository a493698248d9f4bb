"""Collect the numbers that the figures of a study show: tables by column, with the index of the cell in each row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan, Record, Row
from ablations.charts.epoch_files import EpochFile, by_epoch, kept_epochs
from ablations.records.layout import CURVE, DAMAGES, DIAGNOSTICS
from ablations.records.task_metrics import shown_pair

PARTS = {"train": "training", "val": "validation", "test": "test"}
MOST_NUMBERS = 100_000  # of one figure; beyond it, epochs are left out evenly

Table = dict[str, list[Any]]  # column → values


def curves(plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path) -> Table:
    """The metric a task is judged by, of training and validation, by epoch: mean, least and most over the seeds."""
    found = [files_of(plan, records, row, runs, CURVE) for row in rows]
    keep = kept_epochs((file for files in found for file in files), MOST_NUMBERS // max(1, 4 * len(rows)))
    table: Table = {name: [] for name in ("cell", "part", "epoch", "mean", "low", "high", "n", "note")}
    for index, whole in enumerate(found):
        files = [file.only(keep) for file in whole]
        row = rows[index]
        at_once = row.diverged == row.planned and all(run["epochs"] <= 1 for run in row.runs)
        note = "diverged in the first epoch" if at_once else ""
        for metric in shown_pair(plan["study"], "train", "val"):
            part = PARTS[metric.partition("_")[0]]
            for epoch, values in by_epoch(files, metric):
                mean = math.fsum(values) / len(values)
                line = (index, part, epoch, mean, min(values), max(values), len(values), note)
                _add(table, line)
    return table


def costs(rows: Sequence[Row]) -> Table:
    """Parameters, multiply-adds and seconds of each cell."""
    table: Table = {name: [] for name in ("cell", "part", "value")}
    for index, row in enumerate(rows):
        named = {"parameters": row.params, "multiply-adds": row.macs, "seconds": row.seconds.mean}
        for part, value in named.items():
            if value is not None:
                _add(table, (index, part, value))
    return table


def layers(
    plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path, kinds: Iterable[str]
) -> dict[str, Table]:
    """Mean diagnostics of every block by epoch (`gradient_norm.<block>`), a table a kind; none where there are none."""
    found = [files_of(plan, records, row, runs, DIAGNOSTICS) for row in rows]
    tables: dict[str, Table] = {}
    for kind in kinds:
        names = [blocks_of(files, kind) for files in found]
        if not any(names):
            continue
        keep = kept_epochs((file for files in found for file in files), MOST_NUMBERS // sum(map(len, names)))
        table: Table = {name: [] for name in ("cell", "block", "name", "epoch", "value")}
        for index, (whole, blocks) in enumerate(zip(found, names, strict=True)):
            files = [file.only(keep) for file in whole]
            for number, block in enumerate(blocks, start=1):
                for epoch, values in by_epoch(files, f"{kind}.{block}"):
                    _add(table, (index, number, block, epoch, math.fsum(values) / len(values)))
        tables[kind] = table
    return tables


def damages(plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path) -> Table:
    """Points of validation error added by taking out each block: mean, least and most over the seeds."""
    table: Table = {name: [] for name in ("cell", "block", "mean", "low", "high", "n")}
    for index, row in enumerate(rows):
        found: dict[float, list[float]] = {}
        for file in files_of(plan, records, row, runs, DAMAGES):
            for block, damage in zip(file.column("block"), file.column("damage"), strict=True):
                if block is not None and damage is not None:
                    found.setdefault(block, []).append(damage)
        for block, values in sorted(found.items()):
            mean = math.fsum(values) / len(values)
            _add(table, (index, block, mean, min(values), max(values), len(values)))
    return table


def files_of(plan: Plan, records: Mapping[str, Record], row: Row, runs: Path, name: str) -> list[EpochFile]:
    """The file called `name` of each run of a cell, of those in training too."""
    cell = next(cell for cell in plan["cells"] if cell["cell"] == row.cell)
    folders = [records.get(run["identity"], run)["folder"] for run in cell["runs"]]
    return [EpochFile.read(path) for folder in folders if (path := Path(runs) / folder / name).exists()]


def blocks_of(files: Iterable[EpochFile], kind: str) -> list[str]:
    """The blocks that have a column `kind.<block>`; sorted by the numbers in their names, where all have some."""
    names = dict.fromkeys(key[len(kind) + 1 :] for file in files for key in file.heads if key.startswith(f"{kind}."))
    if not all(re.search(r"\d", name) for name in names):
        return list(names)
    parts = {name: re.split(r"(\d+)", name) for name in names}
    return sorted(names, key=lambda name: [(int(part) if part.isdigit() else -1, part) for part in parts[name]])


def short(value: Any) -> Any:
    """A number with the digits that a picture can show; None where JSON has no word for it."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e6 else float(f"{value:.4g}")


def packed(table: Table) -> dict[str, Any]:
    """A table for the page: of a column that repeats itself, the values and how often each is repeated."""
    made: dict[str, Any] = {}
    for name, column in table.items():
        runs = [(value, len(list(same))) for value, same in groupby(column)]
        several = {"values": [value for value, _ in runs], "times": [times for _, times in runs]}
        made[name] = several if 2 * len(runs) < len(column) else column
    return made


def columns(lines: Sequence[Mapping[str, Any]]) -> Table:
    """A table of rows that have the same keys."""
    return {key: [short(line[key]) for line in lines] for key in (lines[0] if lines else ())}


def _add(table: Table, line: Sequence[Any]) -> None:
    for column, value in zip(table.values(), line, strict=True):
        column.append(short(value))
