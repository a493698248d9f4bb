"""Several devices for one run, really typed: Lightning starts the command again for each, and one of them records."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from ablations.records.predictions import read_predictions
from sweeps.compose.compose import run_of
from sweeps.preflight import check_trainer
from sweeps.training import build
from tests.lightning_modules.trained import composed, train
from tests.typed import ended, start

ROOT = Path(__file__).parents[3]
# Batch norm would see each device's share of a batch; layer norm sees each image by itself.
ONE = ["depth=8", "norm=layer", "recipe.lr=0.02", "tracker=none", "trainer.accelerator=cpu", "trainer.threads=1"]
LONG = "recipe.epochs=8"
TWO = [*ONE, "trainer=ddp", "trainer.devices=2"]


def typed(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-W", "always", str(ROOT / "run.py"), *arguments, f"runs={runs}"]
    env = os.environ | {"PYTHONWARNINGS": "always"}
    return subprocess.run(call, capture_output=True, text=True, env=env, cwd=runs, timeout=300)


def record_in(runs: Path) -> dict:
    (path,) = runs.glob("*/record.json")
    return json.loads(path.read_text())


def test_batch_norm_on_several_cpus_is_refused() -> None:
    """Each would see its share of the batch, and the run's numbers would depend on how many there are."""
    for norm, choice in (("layer", nullcontext()), ("batch", pytest.raises(ValueError, match=r"choose norm=group"))):
        config = composed("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", f"norm={norm}", "depth=8")
        run = run_of(config, config.hydra)
        with choice:
            check_trainer(config.trainer, run.config["recipe"], run.config["network"])


def labels_of(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    data = build(composed(*words)).data
    return data.images.train_labels[data.val_indices], data.images.test_labels


@pytest.mark.slow
def test_two_devices_are_one_run_also_after_interruptions(tmp_path: Path) -> None:
    """Killed, then interrupted as a terminal does it, which tells all processes; then it goes on to its end."""
    for stop in (signal.SIGKILL, signal.SIGINT):
        begun = time.time()
        process = start(*TWO, LONG, f"runs={tmp_path}", at=tmp_path, PYTHONWARNINGS="always")
        while not [path for path in tmp_path.glob("*/last.ckpt") if path.stat().st_mtime > begun]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(stop) if stop == signal.SIGKILL else os.killpg(process.pid, stop)
        stderr = process.communicate(timeout=60)[1]  # which waits for the other process too
    assert process.returncode == 130
    assert stderr == "interrupted; the same command goes on where this one stopped\n"
    assert not list(tmp_path.glob("*/record.json"))
    done = typed(*TWO, LONG, runs=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("finished") == 1, "one process speaks"
    record = record_in(tmp_path)
    assert record["provenance"]["device"] == "2 × cpu, 1 thread"
    assert (record["epochs"], record["steps"]) == (8, 80)
    folder = tmp_path / record["folder"]
    files = {path.name for path in folder.iterdir() if path.name != ".hydra"}
    tables = {"record.json", "config.yaml", "curve.csv", "diagnostics.csv", "predictions.npz", "run.log"}
    assert files == tables | {"weights.safetensors"}
    kept = read_predictions(folder)
    assert kept is not None
    for part, labels in zip(("val", "test"), labels_of(ONE), strict=True):
        assert (kept[f"{part}_label"] == labels).all(), "the shares of the devices, in the order of the data set"
        wrong = 100 * (kept[f"{part}_label"] != kept[f"{part}_class"]).mean()
        assert wrong == pytest.approx(record["metrics"][f"{part}_error"])
        loss = -np.log(kept[f"{part}_true"]).mean()
        assert loss == pytest.approx(record["metrics"][f"{part}_loss"], rel=1e-4)
    overrides = (folder / ".hydra" / "overrides.yaml").read_text()
    assert "trainer=ddp" in overrides
    assert "train_ddp_process" not in overrides, "the first process's"
    config = composed(*ONE, LONG)
    assert record["identity"] == run_of(config, config.hydra).identity
    curve = list(csv.DictReader((folder / "curve.csv").read_text().splitlines()))
    assert len(curve) == 8
    losses = [[float(row[loss]) for loss in ("train_loss", "val_loss")] for row in curve[:2]]
    alone = [[row[loss] for loss in ("train_loss", "val_loss")] for row in train(*ONE, LONG).curve.rows[:2]]
    assert losses == [pytest.approx(row, rel=1e-3) for row in alone], "in the long run, roundings grow"


@pytest.mark.long
def test_a_batch_that_cannot_be_shared_is_said(tmp_path: Path) -> None:
    done = typed(*TWO, "recipe.batch_size=127", runs=tmp_path)
    assert done.returncode == 2
    assert record_in(tmp_path)["cause"] == "error: batch_size=127 is not a multiple of 2, the number of devices"


def test_a_sweep_gives_each_run_one_device(tmp_path: Path) -> None:
    done = ended(start("-m", *TWO, f"runs={tmp_path}", at=tmp_path))
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line == "error: trainer.devices=2: a run of a sweep has one device; leave out -m"
    assert not list(tmp_path.glob("*/record.json"))
