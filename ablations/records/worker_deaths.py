"""Count in a run's folder how often its worker was killed, so that a run that always kills its worker ends.

Only the process that started the worker counts its death. So Ctrl-C, a preemption and the kill of a whole sweep do not
count. The count outlives the sweep.
"""

from __future__ import annotations

from pathlib import Path

from ablations.records.files import SCHEMA, RecordError, read_json, write_json
from ablations.records.lease import holder, release_orphan

NAME = "attempts.json"
MAX_DEATHS = 3  # then the run has failed


def deaths_of(folder: Path) -> int:
    """How often a worker was killed while it trained the run of this folder."""
    try:
        times = read_json(folder / NAME).get("killed", 0)
    except RecordError:  # no such file, or a damaged one: count from zero
        return 0
    return times if isinstance(times, int) else 0


def count_death(folder: Path) -> int:
    """Count one more death; return how many there are now."""
    times = deaths_of(folder) + 1
    write_json(folder / NAME, {"schema": SCHEMA, "killed": times})
    return times


def forget(folder: Path) -> None:
    """Remove the count of deaths."""
    (folder / NAME).unlink(missing_ok=True)


def release_orphans(folders: list[Path], sweep: str) -> list[Path]:
    """Release the folders whose worker, started by `sweep`, has ended without releasing them; return them."""
    left = [folder for folder in folders if holder(folder).get("sweep") == sweep]
    return [folder for folder in left if release_orphan(folder)]
