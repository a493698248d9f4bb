"""Read the files of a run that have a row an epoch: curve.csv and diagnostics.csv."""

from __future__ import annotations

import csv
from pathlib import Path


def read_epochs(path: Path) -> list[dict[str, float]]:
    """Read the rows of a file of numbers, without the empty fields.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged: cut off, or not a table of numbers.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), strict=True))
        return [{name: float(text) for name, text in row.items() if text != ""} for row in rows]
    except (csv.Error, TypeError, ValueError) as error:  # a line that is shorter or longer than the head
        raise ValueError(f"{path} is damaged, not a table of numbers ({error})") from error
