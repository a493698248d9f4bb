"""One process trains a run; who dies gives it up."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
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


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether something becomes so in time."""
    late = time.monotonic() + seconds
    while not condition() and time.monotonic() < late:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("hiccup", ["the folder is gone for a while", "the server answers with an error for a while"])
def test_a_heartbeat_goes_on_after_a_hiccup_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hiccup: str
) -> None:
    monkeypatch.setattr(lease, "BEAT", 0.01)
    folder, away = tmp_path / "run", tmp_path / "away"
    with claim(folder) as ours:
        assert ours
        folder.rename(away)
        if "error" in hiccup:
            folder.touch()  # every call below it now answers ENOTDIR
        time.sleep(0.2)
        folder.unlink(missing_ok=True)
        away.rename(folder)
        os.utime(folder / NAME, (0, 0))
        assert within(10, lambda: (folder / NAME).stat().st_mtime > 0), "the heart beats again"


def test_a_heartbeat_ends_when_the_lease_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not keep a lease fresh that another process creates under the same name later."""
    monkeypatch.setattr(lease, "BEAT", 0.01)
    with claim(tmp_path) as ours:
        assert ours
        (tmp_path / NAME).unlink()
        time.sleep(0.2)
        (tmp_path / NAME).write_text("{}")
        os.utime(tmp_path / NAME, (0, 0))
        time.sleep(0.2)
        assert (tmp_path / NAME).stat().st_mtime == 0


@pytest.mark.skipif(shutil.which("unshare") is None, reason="makes a container by unshare")
def test_containers_with_one_host_name_do_not_take_each_others_leases(tmp_path: Path) -> None:
    """Two pid namespaces: the process ids of the one mean nothing in the other."""
    call = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*call, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no namespaces")
    inside = [*call, sys.executable, "-c", RACE.replace("1.5", "60"), str(tmp_path), "0"]
    holder = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    data = json.loads((tmp_path / NAME).read_text())
    (tmp_path / NAME).write_text(json.dumps({**data, "pid": 2**22 - 7}))  # an id that nobody has out here
    assert held(tmp_path)
    with claim(tmp_path) as ours:
        assert not ours
    holder.kill()
    holder.communicate()


def test_an_id_that_a_later_process_has_is_not_the_holder(tmp_path: Path) -> None:
    with claim(tmp_path):
        data = json.loads((tmp_path / NAME).read_text())
        if data["started"] is None:
            pytest.skip("this system does not say when a process started")
        assert held(tmp_path)
        (tmp_path / NAME).write_text(json.dumps({**data, "started": "1"}))
        assert not held(tmp_path)
        (tmp_path / NAME).write_text(json.dumps({**data, "started": "1", "boot": "of another kernel"}))
        assert held(tmp_path), "the heartbeat decides"


def test_the_lease_of_a_dead_process_that_nobody_waited_for_is_void(tmp_path: Path) -> None:
    call = [sys.executable, "-c", RACE.replace("1.5", "60"), str(tmp_path), "0"]
    holder = subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    os.kill(holder.pid, signal.SIGKILL)
    assert within(10, lambda: not held(tmp_path))
    holder.communicate()


def test_a_lease_of_an_older_version_is_kept_by_its_heartbeat(tmp_path: Path) -> None:
    host = {"host": lease.socket.gethostname(), "pid": 2**22 - 7}
    (tmp_path / NAME).write_text(json.dumps(host))
    assert held(tmp_path)
    os.utime(tmp_path / NAME, (0, 0))
    with claim(tmp_path) as ours:
        assert ours
