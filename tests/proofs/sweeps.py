"""Sweeps as they are typed, for the proofs: started, watched, killed, and read by what they leave behind."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablations.records import Record, plans, read_plan, read_records

ROOT = Path(__file__).parents[2]
TIMING = {"seconds"}  # columns that no two sweeps have in common


def start(runs: Path, *asked: str, quiet: bool = True) -> subprocess.Popen[str]:
    """Type a sweep, in a process group of its own."""
    runs.mkdir(exist_ok=True)
    call = [sys.executable, str(ROOT / "run.py"), "-m", f"runs={runs}", "tracker=none", "trainer.threads=1", *asked]
    pipe = subprocess.DEVNULL if quiet else subprocess.PIPE
    env = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.Popen(call, stdout=pipe, stderr=pipe, text=True, env=env, cwd=runs, start_new_session=True)


def finish(runs: Path, *asked: str, timeout: float = 300) -> str:
    """Type a sweep and let it end; what it said."""
    process = start(runs, *asked, quiet=False)
    stdout, stderr = process.communicate(timeout=timeout)
    assert process.returncode == 0, stderr + stdout
    return stdout + stderr


def until(condition: Callable[[], Any], process: subprocess.Popen[str], timeout: float = 120) -> bool:
    """Wait for something to be so; whether it became so before the process ended."""
    begun = time.monotonic()
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() - begun < timeout
        time.sleep(0.002)
    return True


def results(runs: Path) -> dict[str, Record]:
    """The records, none of them damaged, by label."""
    records, problems = read_records(runs)
    assert problems == []
    assert len(records) == len(list(runs.glob("*/record.json"))), "none is there twice"
    return {record["label"]: record for record in records.values()}


def planned(runs: Path) -> set[str]:
    """The identities that the one study under `runs` wants."""
    (name,) = plans(runs)
    return {run["identity"] for cell in read_plan(runs, name)["cells"] for run in cell["runs"]}


def table(runs: Path) -> list[dict[str, str]]:
    """The exported table of the one study under `runs`, without the columns of times."""
    (name,) = plans(runs)
    call = [sys.executable, "-m", "ablations", "export", name, "--format", "csv", "--runs", str(runs)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return [{key: value for key, value in row.items() if key not in TIMING} for row in rows]
