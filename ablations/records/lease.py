"""Who trains a run: a lease file in the run's folder, created by one process only and kept fresh while it trains."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BEAT = 5.0
EXPIRES = 60.0  # seconds without a heartbeat after which a lease is void
NAME = "lease.json"
FILE = re.compile(r"lease(?:-(\d+))?\.json")
SWEEP = "SKIPBENCH_SWEEP"


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Claim a run's folder for this process; yields whether it is ours.

    The claim is the creation of a file that must not exist, which one process alone can do, on a local disk and on a
    shared file system. A thread touches the file while the body runs; a file left untouched, or by a process of this
    machine that is no more, is void. To take over is to create the file with the next number: of several who find the
    same lease void, one succeeds. The lower numbers stay until the end, so that nobody sees the folder free meanwhile.
    `SWEEP` in the environment goes into the file: whose worker this is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _take(folder)
    except (PermissionError, FileExistsError) as error:  # of one folder: the others can be trained all the same
        logging.getLogger(__name__).warning("%s cannot be used (%s); its run is left out", folder, error.strerror)
        path = None
    if path is None:
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
        _remove(folder, path)


def held(folder: Path) -> bool:
    """Whether some process is training this run now."""
    found = leases(folder)
    return bool(found) and not expired(found[-1])


def holder(folder: Path) -> dict[str, Any]:
    """Who holds the lease, as `host`, `pid` and `sweep`; empty where nobody does, or it cannot be read."""
    found = leases(folder)
    try:
        data = json.loads(found[-1].read_text()) if found else {}
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def release_orphan(folder: Path) -> bool:
    """Remove the lease of a process of this machine that has ended; whether there was one."""
    found = leases(folder)
    if not found or not orphaned(found[-1]):
        return False
    _remove(folder, found[-1])
    return True


def leases(folder: Path) -> list[Path]:
    """The lease files in a folder; the last one counts."""
    try:
        names = [entry.name for entry in os.scandir(folder) if FILE.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [folder / name for name in sorted(names, key=_number)]


def expired(path: Path) -> bool:
    """Whether nobody holds this lease any more, or it is gone."""
    try:
        return _void(path)
    except FileNotFoundError:
        return True


def _void(path: Path) -> bool:
    """Compared with a file made now in the same folder: the file server's clock, not this machine's, is asked.

    Raises:
        FileNotFoundError: it is gone, which is not the same: another may have taken its place.
    """
    return orphaned(path) or _now(path.parent) - path.stat().st_mtime > EXPIRES


def orphaned(path: Path) -> bool:
    """Whether the process that holds the lease was one of this machine and has ended."""
    try:
        holder = json.loads(path.read_text())
        if holder["host"] != socket.gethostname():
            return False
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError):  # being written, or not ours to ask
        return False  # the heartbeat decides
    return False


def _take(folder: Path) -> Path | None:
    while found := leases(folder):
        last = found[-1]
        try:
            void = _void(last)
        except FileNotFoundError:  # given up meanwhile: whoever comes now sees a free folder, and so must we
            continue
        if void:
            return _create(folder / f"lease-{_number(last.name) + 1}.json")
        _from_the_future(last)
        return None
    return _create(folder / NAME)


def _create(path: Path) -> Path | None:
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return None
    try:
        with os.fdopen(file, "w") as out:
            json.dump({"host": socket.gethostname(), "pid": os.getpid(), "sweep": os.environ.get(SWEEP)}, out)
    except OSError:  # the disk is full
        path.unlink(missing_ok=True)
        raise
    return path


def _remove(folder: Path, last: Path) -> None:
    """Remove a lease and those it took over, itself last."""
    for path in leases(folder):
        if _number(path.name) < _number(last.name):
            path.unlink(missing_ok=True)
    last.unlink(missing_ok=True)


def _from_the_future(path: Path) -> None:
    """A time ahead of the clock says nothing (the clock was set back): from now on the heartbeat decides."""
    try:
        if path.stat().st_mtime - _now(path.parent) > EXPIRES:
            os.utime(path)
    except FileNotFoundError:
        return


def _now(folder: Path) -> float:
    probe = folder / f".clock.{os.getpid()}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:  # a folder that can only be read, or that is gone
        return time.time()
    finally:
        if os.access(folder, os.W_OK):
            probe.unlink(missing_ok=True)


def _number(name: str) -> int:
    return int(found[1] or 0) if (found := FILE.fullmatch(name)) else -1


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        try:
            os.utime(path)
        except FileNotFoundError:  # taken over after a long pause of this process; its record decides
            return
