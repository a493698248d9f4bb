"""Add the user's own folders to the end of `sys.path`, here and in workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "SKIPBENCH_PATH"  # not PYTHONPATH, which stands before the standard library: a random.py would hide Python's


def make_importable(folders: Iterable[str | None]) -> None:
    """Let modules in these folders be found, here and in the processes that this one starts."""
    named = [str(Path(folder).resolve()) for folder in folders if folder]
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys([*_known(), *named]))
    extend_sys_path()


def extend_sys_path() -> None:
    """Append the folders that `make_importable` was given, here or in the process that started this one."""
    sys.path += [folder for folder in _known() if folder not in sys.path]


def _known() -> list[str]:
    return list(filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))
