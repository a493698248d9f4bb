"""Collect what the files of a study's runs say by epoch or by block: a row a point, with the index of its cell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import Any

from ablations.analysis.results import Row
from ablations.charts.epoch_files import EpochFile, by_epoch, kept_epochs
from ablations.records.layout import CURVE, DAMAGES, DIAGNOSTICS
from ablations.records.task_metrics import shown_pair
from ablations.report.answer import Answer

PARTS = {"train": "training", "val": "validation", "test": "test"}
MOST_NUMBERS = 100_000  # of one figure; beyond it, epochs are left out evenly

Lines = list[dict[str, Any]]
Table = dict[str, list[Any]]  # column → values


def curves(answer: Answer) -> Lines:
    """The metric a task is judged by, of training and validation, by epoch: mean, least and most over the seeds."""
    found = [files_of(answer, row, CURVE) for row in answer.rows]
    keep = kept_epochs(chain(*found), MOST_NUMBERS // max(1, 4 * len(found)))
    lines: Lines = []
    for cell, (row, files) in enumerate(zip(answer.rows, found, strict=True)):
        at_once = row.diverged == row.planned and all(run["epochs"] <= 1 for run in row.runs)
        about = {"cell": cell, "note": "diverged in the first epoch" if at_once else ""}
        for metric in shown_pair(answer.plan["study"], "train", "val"):
            about["part"] = PARTS[metric.partition("_")[0]]
            lines += [{**about, "epoch": epoch, **_spread(values)} for epoch, values in by_epoch(files, metric, keep)]
    return lines


def layers(answer: Answer, kinds: Iterable[str]) -> dict[str, Lines]:
    """Mean diagnostics of every block by epoch (`gradient_norm.<block>`), for each kind that was kept."""
    found = [files_of(answer, row, DIAGNOSTICS) for row in answer.rows]
    made: dict[str, Lines] = {}
    for kind in kinds:
        names = [blocks_of(files, kind) for files in found]
        keep = kept_epochs(chain(*found), MOST_NUMBERS // max(1, sum(map(len, names))))
        lines = [
            {"cell": cell, "block": number, "name": block, "epoch": epoch, "value": math.fsum(values) / len(values)}
            for cell, (files, blocks) in enumerate(zip(found, names, strict=True))
            for number, block in enumerate(blocks, start=1)
            for epoch, values in by_epoch(files, f"{kind}.{block}", keep)
        ]
        if lines:
            made[kind] = lines
    return made


def damages(answer: Answer) -> Lines:
    """Points of validation error added by taking out each block: mean, least and most over the seeds."""
    return [
        {"cell": cell, "block": block, **_spread(values)}
        for cell, row in enumerate(answer.rows)
        for block, values in by_epoch(files_of(answer, row, DAMAGES), "damage", key="block")
    ]


def files_of(answer: Answer, row: Row, name: str) -> list[EpochFile]:
    """The file called `name` of each run of a cell, of those in training too."""
    cell = next(cell for cell in answer.plan["cells"] if cell["cell"] == row.cell)
    folders = [answer.records.get(run["identity"], run)["folder"] for run in cell["runs"]]
    return [EpochFile.read(path) for folder in folders if (path := answer.runs / folder / name).exists()]


def blocks_of(files: Iterable[EpochFile], kind: str) -> list[str]:
    """The blocks that have a column `kind.<block>`; sorted by the numbers in their names, where all have some."""
    names = dict.fromkeys(key[len(kind) + 1 :] for file in files for key in file.heads if key.startswith(f"{kind}."))
    if not all(re.search(r"\d", name) for name in names):
        return list(names)
    parts = {name: re.split(r"(\d+)", name) for name in names}
    return sorted(names, key=lambda name: [(int(part) if part.isdigit() else -1, part) for part in parts[name]])


def columns(lines: Lines) -> Table:
    """Rows with the same keys as a table, with the digits that a picture can show."""
    return {key: [short(line[key]) for line in lines] for key in (lines[0] if lines else ())}


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


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": math.fsum(values) / len(values), "low": min(values), "high": max(values), "n": len(values)}
