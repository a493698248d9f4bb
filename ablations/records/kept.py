"""Find the weights that runs have kept, how much of the disk they take, and whether they are whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import NamedTuple

from ablations.records.files import RecordError
from ablations.records.layout import RECORD, STATE, WEIGHTS
from ablations.records.record import read_record

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


def weights_damage(path: Path) -> str | None:
    """Say why a file of weights is not that of the run whose record lies beside it; None where it is."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            numbers = sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 it is no dict
    except (SafetensorError, OSError) as error:
        return f"no whole safetensors file ({error})"
    try:
        record = read_record(path.with_name(RECORD))
    except (RecordError, OSError):  # which is named by itself
        return None
    if said.get("identity") != json.dumps(record["identity"]):
        return "holds the weights of another run"
    if numbers < (record["params"] or 0):
        return f"holds {numbers} numbers, and the network has {record['params']} parameters"
    return None


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
