"""A search that pauses its trials, really typed: what goes on ends as if it had never paused."""

import csv
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ablations.__main__ import main
from tests.sweeps.search.typed import search, start, write_study
from tests.typed import typed

SPACE = "{recipe.lr: {low: 0.001, high: 1.0, log: true}}"
WORDS = ("pruner=halving", "pruner.factor=2", "recipe.epochs=4", "block=residual", "width=0.5")
TOLD = ("number", "state", "point", "reported", "values")


def halved(at: Path, *, kills: int, launcher: str = "basic") -> list[dict[str, Any]]:
    """A search of four trials with two seeds, killed so often while a trial is paused, and typed again."""
    write_study(at, space=SPACE, search="{trials: 4, seeds: [3, 4], replicate: {top: 1, seeds: [5]}}")
    for most in range(1, kills + 1):
        process = start(at, *WORDS, launcher=launcher)
        while process.poll() is None and len([t for t in trials_of(at) if t["state"] == "paused"]) < most:
            time.sleep(0.01)
        assert process.poll() is None, "it was killed before its end"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done = search(at, *WORDS, launcher=launcher)
    assert done.returncode == 0, done.stderr
    trials = trials_of(at)
    states = Counter(trial["state"] for trial in trials)
    assert set(states) == {"complete", "pruned"}
    assert sum(states.values()) == 4
    epochs = sum(len(trial["reported"]) for trial in trials) + 4 * states["complete"]
    assert f"; {epochs} of 32 epochs" in done.stdout
    at_two = [trial for trial in trials if len(trial["reported"]) >= 2]
    assert len(at_two) >= 2, "half of those at the first rung"
    assert states["complete"] >= len(at_two) / 2
    assert not list((at / "runs").glob("*/*.ckpt"))
    assert not list((at / "runs").rglob("lease*.json"))
    return trials


def trials_of(at: Path) -> list[dict[str, Any]]:
    paths = sorted((at / "runs" / ".studies").glob("*/trials/*/*/trial.json"))
    return [json.loads(path.read_text()) for path in paths]


def without_seconds(path: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(path.read_text().splitlines())]


@pytest.mark.long
def test_what_paused_was_killed_and_went_on_is_bit_for_bit_what_never_paused(tmp_path: Path) -> None:
    trials = halved(tmp_path, kills=1)
    rates = ",".join(str(trial["point"]["recipe.lr"]) for trial in trials if trial["state"] == "complete")
    words = ["data=digits", "recipe=digits_quick", *WORDS[2:], "depth=8", f"recipe.lr={rates}", "seed=3,4"]
    plain = typed("-m", *words, f"runs={tmp_path / 'plain'}", "tracker=none", "hydra/launcher=basic", at=tmp_path)
    assert plain.returncode == 0, plain.stderr
    records = {record["identity"]: record for record in map(json.loads, _texts(tmp_path / "plain", "record.json"))}
    compared = 0
    for run in (run for trial in trials if trial["state"] == "complete" for run in trial["runs"]):
        folder = tmp_path / "runs" / run["folder"]
        ours, theirs = json.loads((folder / "record.json").read_text()), records[run["identity"]]
        assert ours["metrics"] == theirs["metrics"]
        assert (ours["epochs"], ours["steps"]) == (4, theirs["steps"])
        for name in ("curve.csv", "diagnostics.csv"):
            assert without_seconds(folder / name) == without_seconds(tmp_path / "plain" / theirs["folder"] / name)
        compared += 1
    assert compared == len(records) >= 2


@pytest.mark.long
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_killed_again_and_again_it_ends_with_the_same_trials(tmp_path: Path, launcher: str) -> None:
    whole = halved(tmp_path / "whole", kills=0)
    broken = halved(tmp_path / "broken", kills=2, launcher=launcher)
    if launcher == "basic":  # with several workers, what is known when a trial begins depends on who is faster
        assert [[one[key] for key in TOLD] for one in broken] == [[one[key] for key in TOLD] for one in whole]


@pytest.mark.long
def test_two_simulated_workers_let_go_on_what_two_real_ones_do(tmp_path: Path) -> None:
    rates = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    words = ["data=digits", "recipe=digits_quick", *WORDS[2:], "depth=8", f"recipe.lr={','.join(map(str, rates))}"]
    done = typed("-m", *words, "seed=3", f"runs={tmp_path / 'grid'}", "tracker=none", "keep=nothing", at=tmp_path)
    assert done.returncode == 0, done.stderr
    (name,) = (path.name for path in (tmp_path / "grid" / ".studies").iterdir())
    table, out = tmp_path / "t.csv", tmp_path / "out.json"
    assert main(["tabulate", name, "--runs", str(tmp_path / "grid"), "--out", str(table)]) == 0
    search_of_six = "{trials: 6, seeds: [3], replicate: {top: 1, seeds: [5]}}"
    write_study(tmp_path, space=f"{{recipe.lr: {rates}}}", search=search_of_six)
    for more in ((), (f"simulate={table}", f"simulated={out}")):
        done = search(tmp_path, *WORDS, "sampler=random", "workers=2", *more, launcher="joblib")
        assert done.returncode == 0, done.stderr
    real, simulated = trials_of(tmp_path), json.loads(out.read_text())["trials"]
    assert {trial["worker"] for trial in simulated} == {0, 1}
    curves = [{t["cell"]: dict(map(tuple, t["reported"])) for t in some if t["reported"]} for some in (real, simulated)]
    for some in curves:
        assert len(some) == 6
        for rung in (1, 2):
            here = sorted(curve[rung] for curve in some.values() if rung in curve)
            last = here[-(-len(here) // 2) - 1]
            going = [curve for curve in some.values() if max(curve) > rung]
            assert len(going) >= len(here) / 2
            assert all(curve in going for curve in some.values() if curve.get(rung, last) < last), "the best"
    for cell, curve in curves[0].items():
        epochs = curve.keys() & curves[1][cell].keys()
        assert [curve[epoch] for epoch in epochs] == [curves[1][cell][epoch] for epoch in epochs]


def _texts(runs: Path, name: str) -> list[str]:
    return [path.read_text() for path in runs.glob(f"*/{name}")]
