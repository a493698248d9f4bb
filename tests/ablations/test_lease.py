"""One process trains a run; who dies gives it up."""

import os
import subprocess
import sys
import time
from pathlib import Path

from ablations.lease import EXPIRES, NAME, claim, held

ROOT = Path(__file__).parents[2]
RACE = """
import sys, time
from pathlib import Path
from ablations.lease import claim
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
