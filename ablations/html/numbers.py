"""Curves and diagnostics as files of numbers: read whole, but looked at only where something is drawn."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

LEAST_EPOCHS = 12


@dataclass(frozen=True)
class Numbers:
    """A CSV file with a row an epoch: large and mostly not looked at, so a text becomes a number when it is."""

    path: Path
    heads: list[str]
    lines: list[list[str]]

    @classmethod
    def read(cls, path: Path) -> Numbers:
        """Read the file."""
        with open(path, encoding="utf-8", newline="") as file:
            heads, *lines = list(csv.reader(file)) or [[]]
        return cls(path, heads, [line for line in lines if line])

    def column(self, name: str) -> list[float | None]:
        """The values; what is empty or not finite is None, and so is what is not there.

        Raises:
            ValueError: something else stands in it.
        """
        if name not in self.heads:
            return [None for _ in self.lines]
        place = self.heads.index(name)
        try:
            values = [float(line[place] or "nan") for line in self.lines]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{self.path}: holds something that is no number ({error})") from error
        return [value if math.isfinite(value) else None for value in values]

    def only(self, keep: Callable[[float], bool]) -> Numbers:
        """The lines of some epochs."""
        epochs = zip(self.column("epoch"), self.lines, strict=True)
        return replace(self, lines=[line for epoch, line in epochs if epoch is not None and keep(epoch)])


def by_epoch(files: Iterable[Numbers], name: str) -> list[tuple[float, list[float]]]:
    """A column's values of all runs at each epoch."""
    found: dict[float, list[float]] = {}
    for file in files:
        for epoch, value in zip(file.column("epoch"), file.column(name), strict=True):
            if epoch is not None and value is not None:
                found.setdefault(epoch, []).append(value)
    return sorted(found.items())


def kept_epochs(files: Iterable[Numbers], most: int) -> Callable[[float], bool]:
    """Which epochs are drawn: all, or about `most` at even distances, the first and the last among them."""
    there = sorted({epoch for file in files for epoch in file.column("epoch") if epoch is not None})
    most = max(LEAST_EPOCHS, most)
    if len(there) <= most:
        return lambda epoch: True
    kept = {there[round(k * (len(there) - 1) / (most - 1))] for k in range(most)}
    return lambda epoch: epoch in kept
