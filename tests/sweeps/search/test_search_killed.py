"""A search that is killed half-way, and typed again."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.sweeps.search.typed import plan_name, search, stamps, start, write_study
from tests.typed import Begun


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.long)])
def test_a_search_that_is_killed_and_typed_again_has_exactly_its_trials(tmp_path: Path, launcher: str) -> None:
    space = "{recipe.lr: {low: 0.01, high: 1.0, log: true}, block: [plain, residual], depth: [8, 11]}"
    trained = {}
    for name in ("whole", "broken"):
        folder = tmp_path / name
        write_study(folder, space=space, search="{trials: 5, replicate: {top: 1, seeds: [1]}}")
        if name == "broken":
            process = start(folder, "recipe.epochs=2", launcher=launcher)
            while process.poll() is None and len(stamps(folder)) < 2:  # trials are told by then
                time.sleep(0.01)
            assert process.poll() is None, "it was killed before its end"
            kill_between_writes(process, folder / "runs")
        done = search(folder, "recipe.epochs=2", launcher=launcher, cold=name == "whole")
        assert (done.returncode, done.stderr) == (0, "")
        paths = sorted((folder / "runs" / ".studies" / plan_name(folder) / "trials").glob("*/*/trial.json"))
        trials = [json.loads(path.read_text()) for path in paths]
        assert [trial["number"] for trial in trials] == list(range(len(trials)))
        states = Counter(trial["state"] for trial in trials)
        assert states["complete"] == 5
        assert states["infeasible"] == len(trials) - 5 > 0, "which used up no trial"
        assert not list((folder / "runs").rglob("lease*.json"))
        trained[name] = [(trial["point"], trial["values"]) for trial in trials]
    if launcher == "basic":  # with several workers, what is known when a trial begins depends on who is faster
        assert trained["broken"] == trained["whole"]


def kill_between_writes(process: Begun, runs: Path) -> None:
    """Kill a search while nobody holds its journal's lock, for which the next one would wait, and say so."""
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(0.05)  # until all have stopped
    while list(runs.rglob("journal.log.lock*")):
        os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.01)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
