"""How often a run's worker was killed under it, in the run's folder: a run that always kills its worker must end.

A death counts only if a process that survived it, the one that started the worker, saw it. Ctrl-C, a preemption or the
kill of a whole sweep are therefore no attempts, and the count outlives the sweep.
"""

from __future__ import annotations

from pathlib import Path

from ablations.records.files import SCHEMA, RecordError, read_json, write_json
from ablations.records.lease import holder, release_orphan

NAME = "attempts.json"
MOST = 3  # the first and two more


def killed(folder: Path) -> int:
    """How often a worker was killed while it trained the run of this folder."""
    try:
        times = read_json(folder / NAME).get("killed", 0)
    except RecordError:  # none, or damaged: it is counted anew
        return 0
    return times if isinstance(times, int) else 0


def count_killed(folder: Path) -> int:
    """One more; returns how often now."""
    times = killed(folder) + 1
    write_json(folder / NAME, {"schema": SCHEMA, "killed": times})
    return times


def forget(folder: Path) -> None:
    """Start counting anew."""
    (folder / NAME).unlink(missing_ok=True)


def orphans(folders: list[Path], sweep: str) -> list[Path]:
    """The folders whose worker, one that `sweep` started, has ended without giving them up; it is done for them."""
    left = [folder for folder in folders if holder(folder).get("sweep") == sweep]
    return [folder for folder in left if release_orphan(folder)]
