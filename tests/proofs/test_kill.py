"""A sweep killed again and again, at any moment, ends as one that nobody disturbed, number for number."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import cycle
from pathlib import Path

import pytest

from ablations.__main__ import main
from tests.proofs.sweeps import finish, planned, results, start, table, until

EPOCHS = 20
ASKED = ("block=plain,residual", "depth=8", f"recipe.epochs={EPOCHS}")
KINDS = ["start", "training", "recording"]
MANY = random.Random(20).sample(["start"] * 10 + ["training"] * 5 + ["recording"] * 5, 20)
# By where its workers are, the seconds in which a sweep composes, checks, starts them, claims its first runs.
STARTING = {"hydra/launcher=basic": 2.5, "hydra.launcher.n_jobs=2": 6.0}


def epochs(folder: Path) -> int:
    """How many epochs a run has written down, as long as it has no record."""
    try:
        return -1 if (folder / "record.json").exists() else len((folder / "curve.csv").read_text().splitlines()) - 1
    except FileNotFoundError:
        return 0


def now(runs: Path) -> dict[Path, int]:
    """The runs under way, or left so, and their epochs."""
    return {path.parent: epochs(path.parent) for path in runs.glob("*/lease*.json")}


def killed(runs: Path, kind: str, launcher: str, chance: random.Random, *asked: str) -> bool:
    """Type the sweep and kill it, with all its workers, at a random instant; whether it was still at work."""
    process = start(runs, *asked, launcher)
    if kind == "start":
        instant = time.monotonic() + chance.uniform(0, STARTING[launcher])
        working = until(lambda: time.monotonic() > instant, process)
    elif kind == "training":
        before = now(runs)
        working = until(lambda: any(done > before.get(folder, 0) for folder, done in now(runs).items()), process)
        time.sleep(chance.uniform(0, 1.2))
    else:
        working = until(lambda: EPOCHS in now(runs).values(), process)
        time.sleep(chance.uniform(0, 0.06))  # it looks at the test set, writes its record, gives its lease back
    working = working and process.poll() is None
    if working:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return working


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "seeds"), [(KINDS, 2), pytest.param(MANY, 8, marks=pytest.mark.long)])
def test_killed_at_random_instants_it_ends_in_the_table_of_an_unkilled_one(
    tmp_path: Path, kinds: list[str], seeds: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    asked = (*ASKED, f"seed=range({seeds})")
    finish(whole, *asked, "hydra/launcher=basic")
    chance = random.Random(20)
    hits, kept, halves = 0, set[str](), 0
    for kind, launcher in zip(kinds, cycle(STARTING), strict=False):
        hits += killed(broken, kind, launcher, chance, *asked)
        halves += len(list(broken.glob("*/last.ckpt")))
        assert kept <= set(results(broken)), "what was recorded stays"
        kept = set(results(broken))
    assert hits >= 0.75 * len(kinds), f"only {hits} of {len(kinds)} kills met a sweep at work"
    assert halves, "some were killed in the midst of a training"
    said = finish(broken, *asked, "hydra/launcher=basic")
    assert f"{2 * seeds - len(kept)} to train, {len(kept)} reused" in said
    found, expected = results(broken), results(whole)
    assert len(found) == 2 * seeds
    assert {record["identity"] for record in found.values()} == planned(broken) == planned(whole)
    for label, record in expected.items():
        for key in ("identity", "status", "metrics", "epochs", "steps", "params", "macs", "data_digest"):
            assert found[label][key] == record[key], (label, key)
    assert table(broken) == table(whole)
    assert main(["doctor", "--repair", "--runs", str(broken)]) == 0, "what lies about can be cleared away"
    assert table(broken) == table(whole)
