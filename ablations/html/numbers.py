"""Curves and diagnostics as files of numbers: read whole, but looked at only where something is drawn."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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

    def column(self, name: str, lines: Iterable[list[str]] | None = None) -> list[float | None]:
        """The values, of some lines or of all; what is empty or not finite is None, and so is what is not there.

        Raises:
            ValueError: something else stands in it.
        """
        lines = self.lines if lines is None else lines
        if name not in self.heads:
            return [None for _ in lines]
        place = self.heads.index(name)
        try:
            values = [float(line[place] or "nan") for line in lines]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{self.path}: holds something that is no number ({error})") from error
        return [value if math.isfinite(value) else None for value in values]

    def kept(self, keep: Callable[[float], bool]) -> list[tuple[float, list[str]]]:
        """The lines of some epochs."""
        epochs = zip(self.column("epoch"), self.lines, strict=True)
        return [(epoch, line) for epoch, line in epochs if epoch is not None and keep(epoch)]


def by_epoch(files: Iterable[Numbers], name: str, keep: Callable[[float], bool]) -> list[tuple[float, list[float]]]:
    """A column's values of all runs at each kept epoch."""
    found: dict[float, list[float]] = {}
    for file in files:
        kept = file.kept(keep)
        for (epoch, _), value in zip(kept, file.column(name, [line for _, line in kept]), strict=True):
            if value is not None:
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
