"""Describe where a result comes from: versions of code and packages, machine, command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import socket
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "pytorch-lightning", "hydra-core", "numpy")
PLACES = ("runs=", "data_dir=", "storage=", "hydra.run.dir=", "hydra.sweep.dir=", "hydra.searchpath=")
FOLDER_FLAGS = ("--config-dir", "-cd", "--config-path", "-cp")  # a folder follows: its name tells which
ROOT = Path(__file__).resolve().parents[2]


def provenance(*, device: str | None, started: str, finished: str) -> dict[str, Any]:
    """Make the `provenance` field of a record."""
    return {
        "git": git_version(),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
        "device": device,
        "processor": processor(),
        "command": public(command()),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started,
        "finished": finished,
    }


def program() -> str:
    """Return the name under which this program was started."""
    installed = Path(sys.argv[0]).stem == "skipbench" and not (ROOT / "run.py").exists()
    return "skipbench" if installed or Path(sys.argv[0]).name == "skipbench" else "python run.py"


def command() -> str:
    """Return what was typed, as a shell takes it, without `plan=true`: the command that trains the runs."""
    return shlex.join([*program().split(), *(word for word in sys.argv[1:] if not word.startswith("plan="))])


def public(command: str) -> str:
    """Remove the paths of this machine from a command, so that it can be published."""
    words = shlex.split(command)
    told = [
        Path(word).name if before in FOLDER_FLAGS else _run_by_name(word)
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith(PLACES)
    ]
    return shlex.join(told)


def _run_by_name(word: str) -> str:
    """Remove the path from `init.run=path/of/a/run`."""
    axis, _, folders = word.partition("=")
    if axis != "init.run":
        return word
    return f"{axis}={','.join(re.sub(r'.*/', '', folder) for folder in folders.split(','))}"


@lru_cache(maxsize=1)
def git_version() -> str | None:
    """Return the commit of the source tree, with `-dirty` for local changes; None outside a git checkout."""
    if not (ROOT / ".git").exists():
        return None
    call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(call, capture_output=True, encoding="utf-8", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
