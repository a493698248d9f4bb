"""Read the CSV files of a run: a row an epoch, a column a quantity."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

LEAST_EPOCHS = 12


@dataclass(frozen=True)
class EpochFile:
    """A file as text; a column is parsed when it is asked for, since most never are."""

    path: Path
    heads: list[str]
    lines: list[list[str]]

    @classmethod
    def read(cls, path: Path) -> EpochFile:
        with open(path, encoding="utf-8", newline="") as file:
            heads, *lines = list(csv.reader(file)) or [[]]
        return cls(path, heads, [line for line in lines if line])

    def column(self, name: str) -> list[float | None]:
        """The values; None where a value is empty, not finite, or the column is missing.

        Raises:
            ValueError: a value is not a number.
        """
        if name not in self.heads:
            return [None for _ in self.lines]
        index = self.heads.index(name)
        try:
            values = [float(line[index] or "nan") for line in self.lines]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{self.path}: column {name} holds something that is not a number ({error})") from error
        return [value if math.isfinite(value) else None for value in values]


def by_epoch(
    files: Iterable[EpochFile], name: str, keep: Callable[[float], bool] = lambda epoch: True, *, key: str = "epoch"
) -> list[tuple[float, list[float]]]:
    """The values of a column at each epoch to keep, over all files."""
    found: dict[float, list[float]] = {}
    for file in files:
        for epoch, value in zip(file.column(key), file.column(name), strict=True):
            if epoch is not None and value is not None and keep(epoch):
                found.setdefault(epoch, []).append(value)
    return sorted(found.items())


def kept_epochs(files: Iterable[EpochFile], most: int) -> Callable[[float], bool]:
    """Choose the epochs to draw: all, or about `most` at even distances, with the first and the last."""
    there = sorted({epoch for file in files for epoch in file.column("epoch") if epoch is not None})
    most = max(LEAST_EPOCHS, most)
    if len(there) <= most:
        return lambda epoch: True
    kept = {there[round(k * (len(there) - 1) / (most - 1))] for k in range(most)}
    return lambda epoch: epoch in kept
