"""A journal that a killed process damaged is repaired, and Optuna continues with it."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from ablations.records.record import study_folder
from ablations.search.journal_repair import JOURNAL, find_damage, repair
from ablations.search.storage import open_storage

optuna = pytest.importorskip("optuna")
journals = pytest.importorskip("optuna.storages.journal")


def study(path: Path) -> Any:
    """The study in a journal, opened as another process would."""
    optuna.logging.set_verbosity(logging.WARNING)
    backend = journals.JournalFileBackend(str(path), lock_obj=journals.JournalFileOpenLock(str(path), grace_period=10))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.create_study(storage=storage, study_name="s", load_if_exists=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with three told trials."""
    path = tmp_path / JOURNAL
    study(path).optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    assert find_damage(path) is None
    return path


@pytest.mark.parametrize(
    ("tail", "says"),
    [
        (b'{"op_code":4,"worker_', "its last line is torn or garbage"),
        (b"\x00" * 64 + b"\n", "its last line is torn or garbage"),
        (b'{"op_code":4,"worker_\n{"op_code"\n', "garbage in line"),
    ],
    ids=["torn", "zeros", "several"],
)
def test_all_that_was_told_is_kept_and_more_can_be_told(path: Path, tmp_path: Path, tail: bytes, says: str) -> None:
    told = [trial.value for trial in study(path).trials]
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert says in str(find_damage(path))
    assert path.read_bytes() == whole + tail, "to look changes nothing"
    repair(path, keep=tmp_path / "kept" / JOURNAL)
    assert find_damage(path) is None
    assert (tmp_path / "kept" / JOURNAL).read_bytes() == whole + tail
    assert path.read_bytes() == whole
    again = study(path)
    assert [trial.value for trial in again.trials] == told
    again.tell(again.ask(), 1.0)
    assert [trial.value for trial in study(path).trials] == [*told, 1.0]


def test_nothing_is_mended_while_somebody_writes(path: Path, tmp_path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"{")
    lock = path.with_name(f"{JOURNAL}.lock")
    lock.touch()
    assert find_damage(path) is None, "a line in writing looks torn"
    with pytest.raises(OSError, match="is being written"):
        repair(path, keep=tmp_path / "kept")
    lock.unlink()
    assert find_damage(path)


def test_the_lock_of_a_killed_process_is_waited_for_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablations.search.storage.LOCK_SECONDS", 3)
    lock = study_folder(tmp_path, "s") / f"{JOURNAL}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    begun = time.monotonic()
    optuna.create_study(storage=open_storage("journal", tmp_path, "s"), study_name="t").ask()
    assert time.monotonic() - begun > 3
    assert not lock.exists()


def test_a_line_of_no_operation_is_garbage(path: Path) -> None:
    whole = path.read_bytes()
    for line in ([1], {"op": 1}, "x", {"op_code": "1"}):
        path.write_bytes(whole + json.dumps(line).encode() + b"\n")
        assert find_damage(path), line
