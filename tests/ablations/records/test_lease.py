"""One process trains a run; who dies gives it up."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.records import lease
from ablations.records.lease import EXPIRES, NAME, claim, held

ROOT = Path(__file__).parents[3]
RACE = """
import sys, time
from pathlib import Path
from ablations.records.lease import claim
time.sleep(max(0, float(sys.argv[2]) - time.time()))
with claim(Path(sys.argv[1])) as ours:
    print(int(ours), flush=True)
    time.sleep(1.5)
"""


def test_a_claim_is_exclusive_and_given_back(tmp_path: Path) -> None:
    with claim(tmp_path) as ours, claim(tmp_path) as second:
        assert ours
        assert not second
        assert held(tmp_path)
    assert not held(tmp_path)
    with claim(tmp_path) as again:
        assert again


def test_of_several_processes_one_gets_it(tmp_path: Path) -> None:
    call = [sys.executable, "-c", RACE, str(tmp_path), str(time.time() + 1)]
    racers = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)]
    answers = sorted(racer.communicate()[0].strip() for racer in racers)
    assert answers == ["0", "0", "0", "1"]


def test_a_lease_without_heartbeat_is_taken_over_and_a_fresh_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("{}")
    with claim(tmp_path) as ours:
        assert not ours
    old = time.time() - EXPIRES - 1
    os.utime(path, (old, old))
    assert not held(tmp_path)
    with claim(tmp_path) as ours:
        assert ours
    assert not list(tmp_path.iterdir())


def test_the_lease_of_a_killed_process_is_void_at_once(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", RACE, str(tmp_path), "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    assert held(tmp_path)
    holder.kill()
    holder.communicate()
    with claim(tmp_path) as ours:
        assert ours


def test_a_lease_of_the_future_is_not_void(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("{}")
    soon = time.time() + 3600
    os.utime(path, (soon, soon))
    assert held(tmp_path)


def test_of_several_who_take_over_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text('{"host": "elsewhere", "pid": 1}')
    os.utime(path, (0, 0))
    call = [sys.executable, "-c", RACE, str(tmp_path), str(time.time() + 1)]
    racers = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(4)]
    answers = sorted(racer.communicate()[0].strip() for racer in racers)
    assert answers == ["0", "0", "0", "1"]
    assert not list(tmp_path.iterdir())


def test_who_found_a_lease_void_too_late_does_not_take_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NAME
    path.write_text('{"host": "elsewhere", "pid": 1}')
    os.utime(path, (0, 0))
    looked: list[bool] = []
    look = lease._void

    def slow(at: Path) -> bool:
        """Between the look of one process and its grasp, another takes the lease over."""
        void = look(at)
        if not looked:
            looked.append(void)
            other = claim(tmp_path)
            assert other.__enter__()
            monkeypatch.undo()
            others.append(other)
        return void

    others: list = []
    monkeypatch.setattr(lease, "_void", slow)
    with claim(tmp_path) as ours:
        assert looked == [True]
        assert not ours
    others[0].__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_a_lease_given_up_between_two_looks_is_not_void(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lower number beside ours would let the next who comes think that the folder is free."""
    first = claim(tmp_path)
    assert first.__enter__()

    def gone(path: Path) -> bool:
        monkeypatch.undo()
        first.__exit__(None, None, None)
        return False

    monkeypatch.setattr(lease, "orphaned", gone)
    with claim(tmp_path) as ours:
        assert ours
        assert [path.name for path in tmp_path.iterdir()] == [NAME]
        with claim(tmp_path) as second:
            assert not second


def test_who_was_thought_dead_does_not_free_what_another_holds(tmp_path: Path) -> None:
    with claim(tmp_path) as ours:
        assert ours
        os.utime(tmp_path / NAME, (0, 0))
        (tmp_path / NAME).write_text('{"host": "elsewhere", "pid": 1}')  # as another machine would see it
        os.utime(tmp_path / NAME, (0, 0))
        second = claim(tmp_path)
        assert second.__enter__()
    assert held(tmp_path)
    second.__exit__(None, None, None)
    assert not held(tmp_path)


def test_a_clock_an_hour_off_holds_nothing_up_for_an_hour(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text('{"host": "elsewhere", "pid": 1}')
    soon = time.time() + 3600
    os.utime(path, (soon, soon))
    with claim(tmp_path) as ours:
        assert not ours, "its holder may live"
    assert abs(path.stat().st_mtime - time.time()) < 5, "from now on its heartbeat decides"


def test_the_clock_of_the_file_server_counts_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).write_text('{"host": "elsewhere", "pid": 1}')
    for hours in (-1, 1):
        now = time.time() + 3600 * hours
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert held(tmp_path)


def test_a_claim_on_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ablations.records.lease.json.dump", full)
    with pytest.raises(OSError, match="No space"), claim(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
