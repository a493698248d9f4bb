"""A sweep that is told to stop stops at once, gives up what it held, keeps what is finished and says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("launcher", ["joblib", "basic"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_sweep_that_is_told_to_stop(tmp_path: Path, stop: signal.Signals, launcher: str) -> None:
    asked = ["block=plain", "depth=8,20", "seed=0,1", "recipe.epochs=200", "tracker=none", f"hydra/launcher={launcher}"]
    call = [sys.executable, str(ROOT / "run.py"), "-m", f"runs={tmp_path}", *asked]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(tmp_path.glob("*/curve.csv")):
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
    time.sleep(1)
    assert {path: path.read_text() for path in curves} == curves, "no worker goes on alone"
