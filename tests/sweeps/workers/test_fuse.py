"""`trainer.fuse=K` in a sweep, really typed: the records of a group are those of runs that were trained alone."""

import json
import math
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ablations.analysis.verdicts import judge
from ablations.identity.run import Run
from ablations.records.record import read_plan, read_records
from benchmarks import fuse as benchmark
from lightning_modules.vmapped.fused import SLOWER
from sweeps.workers.group import GroupTrainer, group_key, group_size
from tests.typed import Done, start, typed

ITS_OWN = {"seconds", "images_per_second", "provenance"}


def sweep(runs: Path, *arguments: str) -> Done:
    done = typed("-m", f"runs={runs}", "hydra/launcher=basic", *arguments, at=runs.parent, timeout=1800)
    assert done.returncode == 0, done.stderr
    return done


def files(runs: Path) -> list[str]:
    """What all runs left, by name; W&B's folders are named by the time."""
    found = [path.relative_to(runs) for path in runs.rglob("*") if path.is_file()]
    assert not [path for path in found if path.name == "lease.json"]
    return sorted(str(path) for path in found if path.parts[0] not in ("wandb", ".studies", ".workers"))


def results(path: Path) -> dict[str, Any]:
    return {key: value for key, value in json.loads(path.read_text()).items() if key not in ITS_OWN}


def numbers(metrics: dict[str, float | None]) -> list[float]:
    return [math.nan if value is None else value for value in metrics.values()]


@pytest.mark.slow
def test_a_group_leaves_what_runs_alone_leave(tmp_path: Path) -> None:
    asked = ["block=residual", "recipe.lr=0.05,0.1,1e300", "seed=1", "depth=8", "recipe.precision=64-true"]
    asked += ["recipe.epochs=2", "tracker=offline", "trainer.threads=1"]
    fused, alone = tmp_path / "fused", tmp_path / "alone"
    assert sweep(fused, *asked, "trainer.fuse=3").stderr == ""
    sweep(alone, *asked, "trainer.fuse=1")
    assert files(fused) == files(alone)
    assert len(list((fused / "wandb").glob("offline-run-*"))) == len(list((alone / "wandb").glob("offline-run-*")))
    for path in sorted(fused.glob("*/record.json")):
        one, other = results(path), results(alone / path.parent.name / path.name)
        assert numbers(one.pop("metrics")) == pytest.approx(numbers(other.pop("metrics")), rel=1e-6, nan_ok=True)
        assert one == other
        assert one["status"] == ("diverged" if "1e+300" in one["label"] else "finished")
        assert "training begins" in (path.parent / "run.log").read_text()
        for name in ("curve.csv", "diagnostics.csv"):
            lines, same = ((folder / path.parent.name / name).read_text().splitlines() for folder in (fused, alone))
            assert lines[0] == same[0]
            assert len(lines) == len(same)


@pytest.mark.long
def test_in_float32_the_verdicts_of_the_headline_are_the_same(tmp_path: Path) -> None:
    outcomes = []
    for fuse in (3, 1):
        runs = tmp_path / str(fuse)
        done = sweep(runs, "study=headline", "tracker=none", "trainer.threads=1", f"trainer.fuse={fuse}")
        assert "one by one" not in done.stderr
        outcomes.append([found.outcome for found in judge(read_plan(runs, "headline"), read_records(runs)[0])])
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].count("supported") > len(outcomes[0]) / 2


def test_what_cannot_be_trained_together_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[bool] = []

    def train_in_lockstep(bodies: list[Any], *, known: bool, faster: bool, snapshot: Any) -> str | None:
        asked.append(known)
        return "it asks" if len(bodies) == 3 else SLOWER if len(bodies) == 2 else None

    monkeypatch.setattr("lightning_modules.vmapped.fused.train_in_lockstep", train_in_lockstep)
    groups = GroupTrainer(lambda run, turn: None, faster=True)
    for name, count in (("odd", 3), ("slow", 2), ("even", 4), ("even", 4)):
        groups.train(name, ["a run"] * count)
    assert asked == [False, False, False, True], "it is tried once"
    assert [groups.one_by_one(name) for name in ("odd", "slow", "even", "new")] == [True, True, False, False]
    assert caplog.messages == ["3 runs were trained one by one, not as one program (trainer.fuse): it asks"]


def test_runs_of_a_kind_differ_in_seed_rate_and_decay_alone() -> None:
    def run(seed: int = 0, **changed: Any) -> Run:
        recipe = {"lr": 0.1, "batch_size": 128, "optimizer": {"lr": 0.1, "weight_decay": 0.0}} | changed
        return Run({}, seed, {"network": {"lr": changed.get("network", 1)}, "data": {}, "recipe": recipe})

    assert (
        group_key(run()) == group_key(run(seed=3)) == group_key(run(lr=0.2, optimizer={"lr": 0.2, "weight_decay": 1.0}))
    )
    assert (
        len(
            {
                group_key(run()),
                group_key(run(batch_size=64)),
                group_key(run(optimizer={"momentum": 0.9})),
                group_key(run(network=2)),
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("fuse", "accelerator", "wanted"), [(3, "cpu", 3), ("auto", "cpu", 1), (1, "auto", 1), ("auto", "auto", 1)]
)
def test_how_many_a_worker_takes(fuse: Any, accelerator: str, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = OmegaConf.create({"fuse": fuse, "accelerator": accelerator})
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert group_size(trainer, runs=100, workers=2) == wanted
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    if (fuse, accelerator) == ("auto", "auto"):
        assert [group_size(trainer, runs=runs, workers=2) for runs in (1, 2, 7, 100)] == [1, 1, 4, 8]
    else:
        assert group_size(trainer, runs=100, workers=2) == wanted
    trainer.deterministic = True
    assert group_size(trainer, runs=100, workers=2) == wanted, "no clock decides how a deterministic run is computed"


@pytest.mark.slow
def test_ctrl_c_gives_up_the_leases_of_a_group(tmp_path: Path) -> None:
    asked = ["block=plain", "depth=8", "seed=range(3)", "recipe.epochs=500", "tracker=none", "trainer.fuse=3"]
    process = start("-m", f"runs={tmp_path}", "hydra/launcher=basic", *asked, at=tmp_path)
    while len(list(tmp_path.glob("*/last.ckpt"))) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    assert len(list(tmp_path.glob("*/lease.json"))) == 3
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; the same command goes on" in stderr
    assert "Traceback" not in stderr
    assert not list(tmp_path.glob("*/lease.json"))
    assert len(list(tmp_path.glob("*/last.ckpt"))) == 3, "each goes on from its own"
    assert not list(tmp_path.glob("*/record.json"))


def test_what_the_benchmark_prints() -> None:
    config = benchmark.composed("trainer=cpu", "trainer.threads=1", "data=digits", "depth=8", "recipe.epochs=1")
    *_, ratio, alone, together = benchmark.compared(config, 2, 1, cuda=False).split(" | ")
    assert re.fullmatch(r"(\d\.\d\d)× \(\1 to \1\)", ratio)
    assert int(alone) >= 0 <= int(together)
