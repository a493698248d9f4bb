"""A sweep that is told to stop stops at once, gives up what it held, keeps what is finished and says how to go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ablations.records.layout import CHECKPOINT
from tests.typed import ROOT, Done, start, typed

pytestmark = pytest.mark.slow


def test_what_a_test_starts_heeds_ctrl_c() -> None:
    """Also where the tests themselves were started with it ignored (`make test &`)."""
    code = "import signal; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", code], check=True)


TOLD_WHILE_TORCH_BEGINS = """
import os, pathlib, signal, sys
from sweeps.preflight import check_nodes

class Told:
    def find_spec(name, *rest):
        if name == "torch._C":
            os.kill(os.getpid(), signal.SIGTERM)
            sys.meta_path.remove(Told)

signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.meta_path.insert(0, Told)
try:
    recipe = {"_target_": "lightning_modules.training.recipe.Recipe"}
    check_nodes({"network": {}, "data": {}, "recipe": recipe}, pathlib.Path())
except KeyboardInterrupt:
    print(hasattr(sys.modules.get("torch"), "compile"))  # which is defined at its end
"""


def test_torch_is_whole_when_a_run_that_is_told_to_stop_meanwhile_stops() -> None:
    done = subprocess.run([sys.executable, "-c", TOLD_WHILE_TORCH_BEGINS], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("launcher", [pytest.param("joblib", marks=pytest.mark.long), "basic"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_sweep_that_is_told_to_stop(tmp_path: Path, stop: signal.Signals, launcher: str) -> None:
    asked = ["block=plain", "depth=8,20", "seed=0,1", "recipe.epochs=200", "tracker=none", f"hydra/launcher={launcher}"]
    process = start("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    while not (begun := list(tmp_path.glob("*/curve.csv"))) or len(begun[0].read_text().splitlines()) < 8:
        assert process.poll() is None
        time.sleep(0.05)
    if stop == signal.SIGINT:
        os.killpg(process.pid, stop)  # as a terminal does
    else:
        process.send_signal(stop)  # as a scheduler does
    told = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - told < 20
    assert process.returncode == 130
    assert "interrupted; the same command goes on" in stderr
    assert "Traceback" not in stderr
    assert not list(tmp_path.glob("*/lease.json")), "leases are given up"
    curves = {path: path.read_text() for path in tmp_path.glob("*/curve.csv")}
    for path, curve in curves.items():
        saved = torch.load(path.with_name(CHECKPOINT), weights_only=True)["epoch"]
        finished = len(curve.splitlines()) - 2  # at least: the last row may be of the epoch that was at its end
        assert saved + 1 >= finished - 1, "the state is that of the last finished epoch, or of the one before it"
    time.sleep(1)
    assert {path: path.read_text() for path in curves} == curves, "no worker goes on alone"


FAILS = (
    "from lightning_modules.networks.blocks import Residual\n\n\n"
    "class Mine(Residual):\n    def join(self, x, fx):\n        if not x.is_meta:\n"
    "            raise RuntimeError('my own mistake')\n        return super().join(x, fx)\n"
)


def test_failures_in_a_row_stop_a_sweep_and_mended_code_trains_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILS)
    asked = ["-m", f"runs={tmp_path}", "depth=8", "seed=range(4)", "tracker=none", "hydra/launcher=basic"]
    asked += ["recipe.epochs=1", "block=residual", "block._target_=mine.Mine", "max_consecutive_failures=2"]

    def again(*more: str) -> Done:
        return typed(*asked, *more, at=tmp_path)

    stopped = again()
    assert stopped.returncode == 2, stopped.stderr
    assert len(list(tmp_path.glob("*/record.json"))) == 2
    assert "2 runs were left" in stopped.stdout
    retried = again("retry=failed")
    assert retried.returncode == 2
    assert len(list(tmp_path.glob("*/record.failed-1.json"))) == 2, "what was recorded is kept"
    (tmp_path / "mine.py").write_text(FAILS.replace("if not x.is_meta", "if False"))
    mended = again()
    assert mended.returncode == 0, mended.stderr
    assert "2 records are stale: mine.py changed" in " ".join(mended.stdout.split())
    assert len(list(tmp_path.glob("*/record.json"))) == 6, "the failed ones are kept, under the code that failed"


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    asked = ["block=plain", "depth=8,14", "seed=0,1", "recipe.epochs=10", "tracker=none"]
    process = start("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    while not (leases := list(tmp_path.glob("*/lease.json"))) or not list(tmp_path.glob("*/curve.csv")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(json.loads(leases[0].read_text())["pid"], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert "a worker was killed; new ones go on" in stdout
    assert len(list(tmp_path.glob("*/record.json"))) == 4
    assert not list(tmp_path.glob("*/lease.json"))


def in_session(session: int) -> set[int]:
    """The processes of a session that have not ended."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(of) == session and state != "Z":
            found.add(int(path.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the workers")
@pytest.mark.parametrize(
    "asked",
    [["depth=8", "workers=1"], pytest.param(["study=search_budget", "workers=2"], marks=pytest.mark.long)],
    ids=" ".join,
)
def test_no_process_outlives_a_sweep_that_is_killed(tmp_path: Path, asked: list[str]) -> None:
    """Of one worker too: joblib then starts a second, which never gets anything to do."""
    process = start("-m", f"runs={tmp_path}", "recipe.epochs=500", "tracker=none", *asked, at=tmp_path)
    while not list(tmp_path.glob("*/curve.csv")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert len(in_session(process.pid)) >= 4, "the sweep, the forkserver and two workers"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    late = time.monotonic() + 20
    while (left := in_session(process.pid)) and time.monotonic() < late:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
