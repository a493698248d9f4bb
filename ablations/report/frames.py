"""Make pandas data frames of records and studies."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE, DIAGNOSTICS
from ablations.records.record import Record, read_records
from ablations.report.csv_files import Matrix, records_table

if TYPE_CHECKING:
    from pandas import DataFrame

BLOCK = re.compile(r"(.+)\.block_(\d+)")
WHOLE = 0  # the number that stands for the whole network, where blocks are numbered


def frame(matrix: Matrix) -> DataFrame:
    """A table as a data frame."""
    from pandas import DataFrame

    heads, lines = matrix
    return DataFrame(lines, columns=heads)  # pyright: ignore[reportArgumentType] pandas takes a list


def records_frame(runs: Path) -> DataFrame:
    """A row a run of a folder of records, failed runs included."""
    return frame(records_table([(record, {}) for record in good_records(runs)]))


def curves_frame(records: Iterable[Record], runs: Path) -> DataFrame:
    """A row an epoch of every run: learning rate, losses, errors, seconds."""
    from pandas import DataFrame

    return DataFrame([{**about, **row} for about, row in _epochs(records, runs, CURVE)])


def diagnostics_frame(records: Iterable[Record], runs: Path) -> DataFrame:
    """A row a block of every epoch of every run; `block_number` is 0 for the whole network."""
    from pandas import DataFrame

    lines = []
    for about, row in _epochs(records, runs, DIAGNOSTICS):
        blocks: dict[int, dict[str, float]] = {}
        for name, value in row.items():
            found = BLOCK.fullmatch(name)
            if name != "epoch":
                blocks.setdefault(int(found[2]) if found else WHOLE, {})[found[1] if found else name] = value
        lines += [{**about, "epoch": row["epoch"], "block_number": k, **blocks[k]} for k in sorted(blocks)]
    return DataFrame(lines)


def good_records(runs: Path) -> list[Record]:
    """The records of a folder, by label; each damaged one is a warning.

    Raises:
        ValueError: there is no such folder.
    """
    if not runs.is_dir():
        raise ValueError(f"there is no folder {runs} with records: train something, or name another folder")
    records, problems = read_records(runs)
    for sentence in problems:
        warnings.warn(sentence, stacklevel=4)
    return sorted(records.values(), key=lambda record: (record["label"], record["folder"]))


def _epochs(records: Iterable[Record], runs: Path, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What tells a run apart, and a row of its file, for each run and row; runs without the file are left out."""
    for record in records:
        try:
            rows = read_epochs(runs / record["folder"] / name)
        except FileNotFoundError:
            continue
        about = {"label": record["label"], **record["axes"], "seed": record["seed"], "folder": record["folder"]}
        for row in rows:
            yield about, {**row, "epoch": int(row["epoch"])}
