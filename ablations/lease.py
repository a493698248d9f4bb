"""Who trains a run: a lease file in the run's folder, created by one process only and kept fresh while it trains."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BEAT = 5.0
EXPIRES = 60.0  # seconds without a heartbeat after which a lease is void
NAME = "lease.json"
SWEEP = "SKIPBENCH_SWEEP"


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Claim a run's folder for this process; yields whether it is ours.

    The claim is the creation of a file that must not exist, which one process alone can do, on a local disk and on a
    shared file system. A thread touches the file while the body runs; a file left untouched, or by a process of this
    machine that is no more, is taken over. `SWEEP` in the environment goes into the file: whose worker this is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    if not (_create(path) or (_expired(path) and _bury(path) and _create(path))):
        yield False
        return
    stop = threading.Event()
    thread = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    thread.start()
    try:
        yield True
    finally:
        stop.set()
        thread.join()
        path.unlink(missing_ok=True)


def held(folder: Path) -> bool:
    """Whether some process is training this run now."""
    path = folder / NAME
    return path.exists() and not _expired(path)


def holder(folder: Path) -> dict[str, Any]:
    """Who holds the lease, as `host`, `pid` and `sweep`; empty where nobody does, or it cannot be read."""
    try:
        data = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def release_orphan(folder: Path) -> bool:
    """Remove the lease of a process of this machine that has ended; whether there was one."""
    path = folder / NAME
    return path.exists() and _orphaned(path) and _bury(path)


def _create(path: Path) -> bool:
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(file, "w") as out:
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "sweep": os.environ.get(SWEEP)}, out)
    return True


def _expired(path: Path) -> bool:
    """Compared with a file made now in the same folder: the file server's clock, not this machine's, is asked."""
    if _orphaned(path):
        return True
    probe = path.with_name(f".clock.{os.getpid()}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime > EXPIRES
    except FileNotFoundError:
        return True
    finally:
        probe.unlink(missing_ok=True)


def _orphaned(path: Path) -> bool:
    """Whether the process that holds the lease was one of this machine and has ended."""
    try:
        holder = json.loads(path.read_text())
        if holder["host"] != socket.gethostname():
            return False
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):  # being written, or not ours to ask: the heartbeat decides
        return False
    return False


def _bury(path: Path) -> bool:
    """Take an expired lease away; of several who try, one succeeds."""
    grave = path.with_name(f".expired.{os.getpid()}")
    try:
        os.rename(path, grave)
    except FileNotFoundError:
        return True
    grave.unlink(missing_ok=True)
    return True


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        try:
            os.utime(path)
        except FileNotFoundError:  # taken over after a long pause of this process; its record decides
            return
