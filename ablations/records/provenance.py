"""Where a number comes from: code version, package versions, machine, command."""

from __future__ import annotations

import os
import platform
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
    """The `provenance` field of a record."""
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
    """The name under which this program was started."""
    return "skipbench" if Path(sys.argv[0]).name == "skipbench" else "python run.py"


def command() -> str:
    """What was typed, as a shell takes it, without `plan=true`: it names what trains the runs."""
    return shlex.join([*program().split(), *(word for word in sys.argv[1:] if not word.startswith("plan="))])


def public(command: str) -> str:
    """A command for others to see: without where this machine keeps its records, its data and its trials."""
    words = shlex.split(command)
    told = [
        Path(word).name if before in FOLDER_FLAGS else word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith(PLACES)
    ]
    return shlex.join(told)


@lru_cache(maxsize=1)
def git_version() -> str | None:
    """The commit of the source tree, with `-dirty` for local changes; None outside a git checkout."""
    if not (ROOT / ".git").exists():
        return None
    call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


@lru_cache(maxsize=1)
def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
