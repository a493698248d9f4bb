"""Offline W&B runs: what lies under `runs/wandb`, and the line that uploads it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path


def run_id(name: str) -> str:
    """Make an id that W&B takes of a name: of a run it is its folder's, which ends with digits of its identity."""
    return re.sub(r"[^\w.-]+", "-", name)[:128]


def logged_ids(runs: Path) -> set[str]:
    """The ids of all runs that were logged on this machine, sent or waiting: `offline-run-20261121_094500-<id>`."""
    names = [path.name for path in (Path(runs) / "wandb").glob("*run-*-*") if path.is_dir()]
    return {name.partition("run-")[2].partition("-")[2] for name in names}


def sync_command(runs: Path, *, since: float | None = None) -> str | None:
    """The line to type that uploads the offline runs not sent yet; None where there are none.

    Args:
        since: only what was written since then, in seconds since the epoch.
    """
    place = Path(runs) / "wandb"
    waiting = [path for path in sorted(place.glob("offline-run-*")) if not list(path.glob("*.wandb.synced"))]
    ours = [path for path in waiting if since is None or path.stat().st_mtime >= int(since)]
    if not ours:
        return None
    few = len(ours) <= 3 and len(ours) < len(waiting)
    return "wandb sync " + shlex.join(map(str, ours if few else [place]))  # the folder's: skips what was sent
