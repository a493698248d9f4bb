"""The command that a record shows to others names what was trained, and no place on the machine that trained it."""

from __future__ import annotations

import sys

import pytest

from ablations.analysis.next_command import training_command
from ablations.records.provenance import command, public


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["run.py", "block=plain", "runs=/home/me/runs"], "python run.py block=plain"),
        (["/venv/bin/skipbench", "-m", "seed=range(3)", "plan=true"], "skipbench -m 'seed=range(3)'"),
        (["run.py", "--config-dir", "/home/me/own", "block=mine"], "python run.py --config-dir own block=mine"),
        (["run.py", "data_dir=/data", "storage=postgresql://me:secret@host/db", "depth=8"], "python run.py depth=8"),
    ],
)
def test_a_command_is_told_without_places(monkeypatch: pytest.MonkeyPatch, typed: list[str], told: str) -> None:
    monkeypatch.setattr(sys, "argv", typed)
    assert public(command()) == told
    assert public(told) == told


def test_what_to_type_next_is_where_the_records_are_and_asks_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_once = ["plan=true", "retry=failed", "workers=0"]
    monkeypatch.setattr(sys, "argv", ["run.py", "-m", "runs=/home/me/my runs", "optimizer={name:'x'}", *asked_once])
    assert training_command({"name": "s", "command": command()}) == (
        """python run.py -m 'runs=/home/me/my runs' 'optimizer={name:'"'"'x'"'"'}'"""
    )
