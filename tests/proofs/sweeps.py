"""Sweeps as they are typed, for the proofs: started, watched, killed, and read by what they leave behind."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ablations.__main__ import main
from ablations.records.record import Record, plans, read_plan, read_records
from tests import typed
from tests.typed import Begun

TIMING = {"seconds"}  # columns that no two sweeps have in common


def start(runs: Path, *asked: str) -> Begun:
    """Type a sweep, in a process group of its own."""
    runs.mkdir(exist_ok=True)
    return typed.start("-m", f"runs={runs}", "tracker=none", "trainer.threads=1", *asked, at=runs, OMP_NUM_THREADS="1")


def finish(runs: Path, *asked: str, timeout: float = 300) -> str:
    """Type a sweep and let it end; what it said."""
    done = typed.ended(start(runs, *asked), timeout)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout + done.stderr


def until(condition: Callable[[], Any], process: Begun, timeout: float = 120) -> bool:
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
    with redirect_stdout(io.StringIO()) as said:
        assert main(["export", name, "--format", "csv", "--runs", str(runs)]) == 0
    rows = list(csv.DictReader(io.StringIO(said.getvalue())))
    return [{key: value for key, value in row.items() if key not in TIMING} for row in rows]
