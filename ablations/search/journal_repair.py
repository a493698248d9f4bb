"""Find and repair damage in Optuna's journal file, which has one JSON object a line.

A killed process can leave an incomplete line, or its lock file (`journal.log.lock…`).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from ablations.records.files import write_bytes

JOURNAL = "journal.log"
LOCK_SECONDS = 10  # an older lock belongs to a dead process


def find_damage(path: Path) -> str | None:
    """A description of the damage in a journal; None if it has none, or while a process is writing."""
    if set(path.parent.glob(f"{JOURNAL}.lock*")) - set(stale_locks(path.parent)):
        return None
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    bad = [number for number, line in enumerate(lines, 1) if not is_complete(line)]
    if not bad:
        return None
    last = bad == [len(lines)]
    return "its last line is torn or garbage" if last else f"garbage in line {', '.join(map(str, bad[:5]))}"


def is_complete(line: bytes) -> bool:
    """Whether Optuna wrote the line to its end."""
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line).get("op_code"), int)
    except (ValueError, AttributeError, RecursionError):
        return False


def stale_locks(folder: Path) -> list[Path]:
    """Lock files that are too old to belong to a living process."""
    return [
        path
        for path in sorted(folder.glob(f"{JOURNAL}.lock*"))
        if abs(time.time() - path.lstat().st_mtime) > LOCK_SECONDS
    ]


def repair(path: Path, *, keep: Path) -> None:
    """Remove the incomplete lines, while holding the lock that Optuna uses.

    Args:
        keep: the damaged file is first copied to this path.

    Raises:
        OSError: another process is writing.
    """
    lock = path.with_name(f"{JOURNAL}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        raise OSError(f"{path} is being written; try again in a moment") from None
    try:
        keep.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, keep)
        lines = keep.read_bytes().splitlines(keepends=True)
        write_bytes(path, b"".join(filter(is_complete, lines)))
    finally:
        lock.unlink(missing_ok=True)
