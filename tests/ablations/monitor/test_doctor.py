"""Whatever is damaged is named in a sentence, the rest is read all the same, and a repair loses nothing."""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.records.files import write_json
from ablations.records.lease import claim
from ablations.records.record import plan_path, read_records
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.damages import DAMAGES, changed, in_the_journal, lease, one, text


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    plan = make_plan()
    write_json(plan_path(tmp_path, "headline"), plan)
    for record in make_records(plan).values():
        folder = tmp_path / record["folder"]
        write_json(folder / "record.json", record)
        (folder / "curve.csv").write_text("epoch,train_error\n1,80\n2,nan\n")
    return tmp_path


def doctor(capsys: pytest.CaptureFixture[str], runs: Path, *words: str) -> tuple[int, list[str]]:
    status = main(["doctor", "--runs", str(runs), *words])
    *findings, _ = capsys.readouterr().out.splitlines()
    return status, findings


def contents(runs: Path) -> list[bytes]:
    """What all the files hold, wherever they lie."""
    files = [path for path in runs.rglob("*") if path.is_file()]
    return sorted({hashlib.sha256(path.read_bytes()).digest() for path in files})


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_survived_and_repaired_without_loss(
    runs: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    damage, says = DAMAGES[kind]
    assert doctor(capsys, runs) == (0, [])
    damage(runs)
    before = contents(runs)

    status, (finding,) = doctor(capsys, runs)
    assert status == 1
    assert finding.startswith("! ")
    assert says in finding
    assert "; with --repair: " in finding
    assert contents(runs) == before, "without --repair nothing is changed"

    whole = "plan" not in kind
    for words in (
        ["list"],
        ["report", "headline"],
        ["verdict", "headline"],
        ["status", "headline"],
        ["plan", "headline"],
    ):
        assert main([*words, "--runs", str(runs)]) == (0 if whole or words == ["list"] else 1), words
    assert main(["export", "headline", "--format", "csv", "--runs", str(runs)]) == (0 if whole else 1)
    capsys.readouterr()

    good = len(read_records(runs)[0])
    assert good >= 17
    status, (finding,) = doctor(capsys, runs, "--repair")
    assert (status, finding[0]) == (0, "✓"), finding
    assert says in finding
    assert len(read_records(runs)[0]) == good, "what was good stays"
    assert set(before) <= set(contents(runs)), "nothing is lost"
    assert doctor(capsys, runs) == (0, []), "and then all is well"


def test_several_damages_are_repaired_at_once(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["truncated record", "garbage curve", "empty checkpoint", "torn journal", "lease without a beat"]
    for kind in kinds:
        DAMAGES[kind][0](runs)
    status, findings = doctor(capsys, runs, "--repair")
    assert (status, len(findings)) == (0, len(kinds))
    assert doctor(capsys, runs) == (0, [])
    text(b"")(runs)
    assert doctor(capsys, runs, "--repair")[0] == 0
    kept = runs / ".quarantine" / one(runs).name
    assert {path.name for path in kept.glob("record*")} == {"record.json", "record.json~2"}, (
        "the second beside the first"
    )


def test_a_record_of_the_future_is_told_and_counts(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    changed(runs, provenance={"versions": {}, "device": "cpu", "finished": then})
    status, (finding,) = doctor(capsys, runs)
    assert status == 0
    assert "finished 60 minutes in the future; a clock was off" in finding
    assert len(read_records(runs)[0]) == 18


def test_a_run_in_training_is_left_in_peace(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lease(0, host="elsewhere", pid=1)(runs)
    text(b"", "last.ckpt")(runs)
    text(b"", ".last.ckpt.part")(runs)
    assert doctor(capsys, runs, "--repair") == (0, [])


def test_a_record_of_a_newer_version_is_named_and_never_touched(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(runs, schema=2)
    before = contents(runs)
    assert doctor(capsys, runs, "--repair")[0] == 1
    assert contents(runs) == before


def test_a_journal_being_written_is_left_in_peace(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_the_journal(b'{"op_')(runs)
    lock = runs / ".studies" / "headline" / "journal.log.lock"
    lock.touch()
    assert doctor(capsys, runs, "--repair") == (0, [])
    lock.unlink()
    assert doctor(capsys, runs, "--repair")[0] == 0


def test_a_folder_that_cannot_be_read_is_named(
    runs: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    locked = one(runs)
    locked.chmod(0)
    with no_right_to_read_everything():
        status, (finding,) = doctor(capsys, runs)
        assert (status, len(read_records(runs)[0])) == (1, 17)
        assert f"{locked}: cannot be read (Permission denied)" in finding
        assert f"{locked}: cannot be read (Permission denied)" in read_records(runs)[1]
        for command in ("report", "status", "plan", "verdict", "export"):
            assert main([command, "headline", "--runs", str(runs)]) == 0, command
        with claim(locked) as ours:
            assert not ours, "a worker leaves it out and goes on"
        assert f"{locked} cannot be used (Permission denied); its run is left out" in caplog.text
        capsys.readouterr()
        assert doctor(capsys, runs, "--repair")[0] == 0
        assert len(read_records(runs)[0]) == 18


@contextmanager
def no_right_to_read_everything() -> Iterator[None]:
    """What root may do for being root, it may not for a while: the capabilities 1 and 2 of capabilities(7)."""
    if sys.platform != "linux":
        assert os.geteuid() != 0, "root may read everything, so that this cannot be tested"
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    version = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    assert libc.capget(version, before) == 0, os.strerror(ctypes.get_errno())
    less = (ctypes.c_uint32 * 6)(before[0] & ~0b110, *before[1:])
    assert libc.capset(version, less) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        assert libc.capset(version, before) == 0, os.strerror(ctypes.get_errno())
