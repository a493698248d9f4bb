"""Find the W&B runs under `runs/wandb`, and the command that uploads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path


def run_id(name: str) -> str:
    """Make a W&B id of a name: letters, digits, and . _ - only."""
    return re.sub(r"[^\w.-]+", "-", name)[:128]


def id_of(folder: Path) -> str:
    """The W&B id of the run in a folder: the folder's name; `…-2` once a record of it was set aside, and so on.

    So a run that is trained again, because it failed or its data changed, is another W&B run.
    """
    before = len(list(folder.glob("record.*-*.json")))
    return run_id(folder.name + (f"-{before + 1}" if before else ""))


def logged_ids(runs: Path) -> set[str]:
    """The ids of all runs that were logged on this machine, sent or not."""
    return {_id(path.name) for path in (Path(runs) / "wandb").glob("*run-*-*") if path.is_dir()}


def sync_command(runs: Path, *, of: Iterable[str] | None = None) -> str | None:
    """The command that uploads the offline runs not sent yet; None where there are none.

    Args:
        of: only runs of these names, and those whose id goes on after one, as `-2` does.
    """
    place = Path(runs) / "wandb"
    waiting = [path for path in sorted(place.glob("offline-run-*")) if not list(path.glob("*.wandb.synced"))]
    ours = [path for path in waiting if of is None or _id(path.name).startswith(tuple(map(run_id, of)))]
    if not ours:
        return None
    few = len(ours) <= 3 and len(ours) < len(waiting)
    return "wandb sync " + shlex.join(map(str, ours if few else [place]))  # the folder's: skips what was sent


def _id(name: str) -> str:
    """The id of `offline-run-20261121_094500-<id>`."""
    return name.partition("run-")[2].partition("-")[2]
