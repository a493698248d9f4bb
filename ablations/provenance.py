"""Where a number comes from: code version, package versions, machine, command."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "pytorch-lightning", "hydra-core", "numpy")
ROOT = Path(__file__).resolve().parents[1]


def provenance(*, device: str | None, started: str, finished: str) -> dict[str, Any]:
    """The `provenance` field of a record."""
    return {
        "git": git_version(),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
        "device": device,
        "processor": processor(),
        "command": command(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started,
        "finished": finished,
    }


def program() -> str:
    """The name under which this program was started."""
    return "skipbench" if Path(sys.argv[0]).name == "skipbench" else "python run.py"


def command() -> str:
    """What was typed, without the folders of this machine, and without `plan=true`: it names what trains the runs."""
    return " ".join([program(), *(word for word in sys.argv[1:] if not word.startswith("plan="))])


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
