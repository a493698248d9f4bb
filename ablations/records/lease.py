"""Lease a run's folder to one process: a file that only one can create, and that it touches while it trains."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

BEAT = 5.0  # seconds between two heartbeats
EXPIRES = 60.0  # seconds without a heartbeat after which a lease is void
NAME = "lease.json"
FILE = re.compile(r"lease(?:-(\d+))?\.json")
SWEEP = "SKIPBENCH_SWEEP"  # the environment variable that holds the id of the sweep that started this worker


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Claim a run's folder for this process; yield whether the claim succeeded.

    The claim creates a file that must not exist yet. Only one process can do that, on a local disk and on a shared
    file system. A thread touches the file while the body runs. A lease is void when nobody has touched it for `EXPIRES`
    seconds, or when its process ran on this machine and has ended. To take over a void lease, a process creates the
    file with the next number, so only one of several succeeds. The lower numbers stay until the end: a folder never
    looks free in between.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _take(folder)
    except (PermissionError, FileExistsError) as error:  # only this folder: the other runs can be trained
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
    """Who holds the lease, as written by `_create`; empty if nobody does or the file cannot be read."""
    found = leases(folder)
    try:
        data = json.loads(found[-1].read_text("utf-8")) if found else {}
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def release_orphan(folder: Path) -> bool:
    """Remove the lease of a process that ran on this machine and has ended; return whether there was one."""
    found = leases(folder)
    if not found or not orphaned(found[-1]):
        return False
    _remove(folder, found[-1])
    return True


def leases(folder: Path) -> list[Path]:
    """List the lease files in a folder by number; the last one counts."""
    try:
        names = [entry.name for entry in os.scandir(folder) if FILE.fullmatch(entry.name)]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [folder / name for name in sorted(names, key=_number)]


def expired(path: Path) -> bool:
    """Whether nobody holds this lease any more. An unreadable one counts as held: another look decides."""
    try:
        return _void(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _void(path: Path) -> bool:
    """Whether nobody holds this lease any more. Its age is measured by the file server's clock, not this machine's.

    Raises:
        FileNotFoundError: the lease is gone, so the folder may be free or another's.
    """
    return orphaned(path) or _now(path.parent) - path.stat().st_mtime > EXPIRES


def orphaned(path: Path) -> bool:
    """Whether the process that holds the lease ran on this machine and has ended.

    Host names and process ids repeat in containers and after a reboot. So the process must have had this kernel's boot
    id and this process's pid namespace, and must not have started at another time. Otherwise the heartbeat decides.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        if any(data.get(name) != value for name, value in here().items()):
            return False
        os.kill(data["pid"], 0)
        then, now = data.get("started"), _started(data["pid"])
        return None not in (then, now) and then != now
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):  # half written, or another user's
        return False


def here() -> dict[str, str | None]:
    """Host, boot id and pid namespace: process ids can be compared only if all three agree. None without a /proc."""
    here: dict[str, str | None] = {"host": socket.gethostname(), "boot": None, "pids": None}
    with suppress(OSError):
        here["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    with suppress(OSError):
        here["pids"] = os.readlink("/proc/self/ns/pid")
    return here


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None without a /proc of this process's pid namespace.

    Raises:
        ProcessLookupError: it has ended, and its parent has not asked for its status yet.
    """
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return None
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # from field 3 on; the command's name, in brackets, may hold spaces
    if fields[0] == "Z":
        raise ProcessLookupError
    return fields[19]


def _take(folder: Path) -> Path | None:
    while found := leases(folder):
        last = found[-1]
        try:
            void = _void(last)
        except FileNotFoundError:  # given up in between: look again
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
        with os.fdopen(file, "w", encoding="utf-8") as out:
            process = {"pid": os.getpid(), "started": _started(os.getpid())}
            json.dump({**here(), **process, "sweep": os.environ.get(SWEEP)}, out)
    except OSError:  # the disk is full
        path.unlink(missing_ok=True)
        raise
    return path


def _remove(folder: Path, last: Path) -> None:
    """Remove the leases that this one took over, then itself."""
    for path in leases(folder):
        if _number(path.name) < _number(last.name):
            path.unlink(missing_ok=True)
    last.unlink(missing_ok=True)


def _from_the_future(path: Path) -> None:
    """Set a time that is ahead of the clock to now: the clock was set back, and from now on the heartbeat decides."""
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
    except OSError:  # the folder is read-only or gone
        return time.time()
    finally:
        if os.access(folder, os.W_OK):
            probe.unlink(missing_ok=True)


def _number(name: str) -> int:
    return int(found[1] or 0) if (found := FILE.fullmatch(name)) else -1


def _beat(path: Path, stop: threading.Event) -> None:
    """Touch the lease until it is gone. A file system that fails for a while does not end this."""
    while not stop.wait(BEAT):
        try:
            os.utime(path)
        except FileNotFoundError:
            if os.path.isdir(path.parent):  # taken over after a long pause of this process; its record decides
                return
        except OSError:
            continue
