"""Optuna's journal of a searching study: a JSON object a line. A killed writer leaves a torn line, or its lock."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

NAME = "journal.log"
GRACE = 10  # seconds after which a lock is nobody's, as where the journal is opened


def damage(path: Path) -> str | None:
    """What is wrong with a journal; None while somebody writes, or if it is whole."""
    if set(path.parent.glob(f"{NAME}.lock*")) - set(stale_locks(path.parent)):
        return None
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    bad = [number for number, line in enumerate(lines, 1) if not whole(line)]
    if not bad:
        return None
    last = bad == [len(lines)]
    return "its last line is torn or garbage" if last else f"garbage in line {', '.join(map(str, bad[:5]))}"


def whole(line: bytes) -> bool:
    """Whether a line is one that Optuna wrote to its end."""
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line).get("op_code"), int)
    except (ValueError, AttributeError, RecursionError):
        return False


def stale_locks(folder: Path) -> list[Path]:
    """Locks on the journal that are as old as no living writer leaves them."""
    return [path for path in sorted(folder.glob(f"{NAME}.lock*")) if abs(time.time() - path.lstat().st_mtime) > GRACE]


def mend(path: Path, *, keep: Path) -> None:
    """Leave the whole lines, holding the lock that Optuna's writers take.

    Args:
        keep: where a copy of the damaged file is made first.

    Raises:
        OSError: somebody is writing.
    """
    lock = path.with_name(f"{NAME}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise OSError(f"{path} is being written; try again in a moment") from None
    try:
        keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, keep)
        part = path.with_name(f".{NAME}.{os.getpid()}")
        with open(part, "wb") as file:
            file.writelines(line for line in keep.read_bytes().splitlines(keepends=True) if whole(line))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        lock.unlink(missing_ok=True)
