"""Find the weights that runs have kept, and how much of the disk they take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ablations.records.layout import STATE, WEIGHTS

KINDS = {WEIGHTS: "weights", STATE: "state"}


class Kept(NamedTuple):
    """The files with weights in the folder of one run."""

    folder: Path
    files: list[Path]
    size: int  # bytes

    @property
    def words(self) -> str:
        return ", ".join(KINDS[path.name] for path in self.files)


def kept_in(folders: Iterable[Path], names: Iterable[str] = (WEIGHTS, STATE)) -> list[Kept]:
    """Find the files called `names` in the folders of runs; a folder without any is left out."""
    found = []
    for folder in folders:
        sizes = {folder / name: _size(folder / name) for name in names}
        files = [path for path, size in sizes.items() if size is not None]
        if files:
            found.append(Kept(folder, files, sum(size or 0 for size in sizes.values())))
    return found


def short_bytes(size: int) -> str:
    """81234 -> 81 kB, 2100000 -> 2.1 MB."""
    for power, unit in ((9, "GB"), (6, "MB")):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return f"{-(-size // 1000)} kB"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
