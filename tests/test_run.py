"""`python run.py`, really typed: one run from the command line to its record."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sweeps.cli.errors import as_value_error
from sweeps.cli.settings import check_settings
from sweeps.preflight import check
from tests.lightning_modules.trained import composed
from tests.typed import ROOT, Done, start, typed

pytestmark = pytest.mark.slow

QUICK = ["depth=8", "recipe.epochs=2", "tracker=none"]


def run(*arguments: str, runs: Path, cold: bool = False) -> Done:
    runs.mkdir(exist_ok=True)
    return typed(f"runs={runs}", *arguments, at=runs, cold=cold)


def record_in(runs: Path) -> dict:
    (path,) = runs.glob("*/record.json")
    return json.loads(path.read_text())


def test_a_run_leaves_a_whole_record(tmp_path: Path) -> None:
    done = run(*QUICK, "seed=3", runs=tmp_path, cold=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    record = record_in(tmp_path)
    assert record["label"] == "residual-A-batch-d8-epochs=2-s3"
    assert record["status"] == "finished"
    assert record["cause"] is None
    assert record["axes"]["block"] == "residual"
    assert record["axes"]["recipe.epochs"] == 2
    assert (record["seed"], record["epochs"], record["steps"]) == (3, 2, 20)
    assert record["params"] == 19_074
    measured = {f"{part}_{kind}" for part in ("train", "val", "test") for kind in ("loss", "error")}
    assert set(record["metrics"]) == measured | {"val_ece", "test_ece"}
    assert record["data_digest"]
    assert {"git", "versions", "device", "command", "started", "finished"} <= set(record["provenance"])
    for folder in (ROOT, tmp_path):
        assert str(folder) not in json.dumps(record), "a record holds no machine's folders"
    folder = tmp_path / record["folder"]
    rows = (folder / "curve.csv").read_text().splitlines()
    assert rows[0] == "epoch,lr,train_loss,train_error,val_loss,val_error,seconds"
    assert len(rows) == 3
    assert {path.name for path in folder.iterdir()} == {
        "record.json",
        "config.yaml",
        "curve.csv",
        "diagnostics.csv",
        "predictions.npz",
        "weights.safetensors",
        ".hydra",
        "run.log",
    }

    before = (folder / "record.json").read_bytes()
    again = run(*QUICK, "seed=3", runs=tmp_path)
    assert again.returncode == 0
    assert (folder / "record.json").read_bytes() == before, "what is recorded is not trained again"
    assert record["label"] in again.stdout


def test_what_does_not_matter_is_the_same_run(tmp_path: Path) -> None:
    first = ["block=plain", "seed=0", *QUICK]
    assert run(*first, runs=tmp_path).returncode == 0
    before = record_in(tmp_path)
    again = run(*first, "shortcut=C", "trainer.threads=1", "trainer=cpu", runs=tmp_path)
    assert again.returncode == 0
    assert record_in(tmp_path) == before
    assert "shortcut has no effect" in " ".join(again.stdout.split())


def test_other_words_for_a_run_are_the_same_run(tmp_path: Path) -> None:
    """In another order, or naming a default. A LOCAL_RANK left over from something else changes nothing."""
    asked = ["recipe.lr=0.05", "recipe.batch_size=64", "depth=8", "recipe.epochs=1", "tracker=none"]
    first = typed(f"runs={tmp_path}", *asked, at=tmp_path, LOCAL_RANK="1")
    assert first.returncode == 0, first.stderr
    path = tmp_path / record_in(tmp_path)["folder"] / "record.json"
    before = path.stat().st_mtime_ns
    for words in (reversed(asked), [*asked, "recipe.label_smoothing=0.0"]):
        again = run(*words, runs=tmp_path)
        assert again.returncode == 0, again.stderr
        assert str(path) in again.stdout
    assert [found.stat().st_mtime_ns for found in tmp_path.glob("*/record.json")] == [before]


def test_other_images_under_the_same_name_are_trained_on(tmp_path: Path) -> None:
    asked = ["data=arrays", "data.source.path=x.npz", "data.channels=1", "data.size=8", "data.classes=10", "depth=8"]
    asked += ["data.held_out=20", "recipe=digits_quick", "recipe.epochs=1", "recipe.batch_size=32", "tracker=none"]
    digests = []
    for seed in (0, 1, 1):
        rng, labels = np.random.default_rng(seed), np.arange(200) % 10
        images = rng.integers(0, 255, (200, 8, 8, 1), dtype=np.uint8)
        arrays = {"train_images": images[:100], "train_labels": labels[:100]}
        np.savez(tmp_path / "x.npz", **arrays, test_images=images[100:], test_labels=labels[100:])
        done = run(*asked, f"data_dir={tmp_path}", runs=tmp_path / "r")
        assert done.returncode == 0, done.stderr
        assert ("is of other images: kept as record.stale-1.json" in " ".join(done.stderr.split())) == (
            len(digests) == 1
        )
        digests.append(record_in(tmp_path / "r")["data_digest"])
    assert digests[0] != digests[1] == digests[2]
    assert len(list((tmp_path / "r").glob("*/record.stale-*.json"))) == 1


def test_a_diverging_run_is_a_result(tmp_path: Path) -> None:
    done = run("norm=none", "recipe.lr=1e4", *QUICK, runs=tmp_path)
    assert done.returncode == 0, done.stderr
    record = record_in(tmp_path)
    assert (record["status"], record["cause"]) == ("diverged", "nan")
    assert record["metrics"]["train_loss"] is None
    assert record["metrics"]["test_error"] > 50
    assert (tmp_path / record["folder"] / "curve.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["block=residul"], "did you mean residual?"),
        (["depth=21"], "depth=21 is not 6n+2; the nearest are 20 and 26"),
        (["dpth=8"], "did you mean depth?"),
        (["recipe.lr=-1"], "recipe.lr=-1 must be > 0"),
        (["width=0"], "width=0 must be > 0"),
        (["depth=8,20"], "add -m to sweep"),
        (["block=["], "block=[ lacks a ]: write"),
        (["data=cifar10", "data_dir=nowhere"], "data_batch_1.bin"),
        (["trainer.accelerator=abacus"], "Available names are"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_sentence_before_anything_trains(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = run(*arguments, runs=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not [path for path in tmp_path.iterdir() if path.name != "nowhere"], "a mistake leaves nothing behind"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["recipe.lr=fast"], "recipe.lr=fast is not a number"),
        (["recipe.epochs=0"], "recipe.epochs=0 must be a whole number ≥ 1"),
        (["recipe.steps=5"], "either recipe.epochs or recipe.steps"),
        (["recipe.precision=8"], "none of 32, tf32, bf16-mixed, 16-mixed"),
        (["seed=-1"], "seed=-1 is not a whole number ≥ 0"),
        (["block=plain", "init=zero_residual"], "blocks with a shortcut"),
        (["body=dense"], "body=basic"),
    ],
)
def test_what_is_looked_at_before_a_training_finds_other_mistakes(words: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as found:
        look_at(words)
    assert "\n" not in str(found.value)


@as_value_error()
def look_at(words: list[str]) -> None:
    config = composed(*words)
    check_settings(config, config.hydra, words, sweep=False)
    check(config)


LONGER = ["depth=8", "recipe.epochs=24", "tracker=none", "trainer.threads=1"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("whole")
    assert run(*LONGER, runs=runs, cold=True).returncode == 0
    return runs


def test_an_interrupted_run_ends_as_an_uninterrupted_one(whole: Path, tmp_path: Path) -> None:
    """Killed, then interrupted; then it goes on to its end."""
    for stop in (signal.SIGKILL, signal.SIGINT):
        begun = time.time()
        process = start(f"runs={tmp_path}", *LONGER, at=tmp_path)
        while not [path for path in tmp_path.glob("*/last.ckpt") if path.stat().st_mtime > begun]:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.4)  # some epochs, too short for each to be saved
        process.send_signal(stop)
        _, stderr = process.communicate()
        assert not list(tmp_path.glob("*/record.json")), "it was stopped before its end"
    assert process.returncode == 130
    assert stderr.startswith("interrupted;")
    assert len(stderr.splitlines()) == 1
    (folder,) = (path.parent for path in tmp_path.glob("*/curve.csv"))
    told = len((folder / "curve.csv").read_text().splitlines()) - 1
    kept = torch.load(folder / "last.ckpt", weights_only=True)["callbacks"]["Curve"]["rows"]
    assert told - 1 <= len(kept) <= told, "the last epoch that was finished, or the one before it"
    assert run(*LONGER, runs=tmp_path).returncode == 0
    resumed = record_in(tmp_path)
    assert resumed["metrics"] == record_in(whole)["metrics"]
    assert (resumed["epochs"], resumed["steps"]) == (24, 240)
    curves = [next(runs.glob("*/curve.csv")).read_text().splitlines() for runs in (whole, tmp_path)]
    assert [line.rpartition(",")[0] for line in curves[0]] == [line.rpartition(",")[0] for line in curves[1]]


def test_help_that_nobody_reads_to_its_end_says_nothing(tmp_path: Path) -> None:
    """As in `--help | head`."""
    process = start("--help", at=tmp_path, cold=True)
    assert isinstance(process, subprocess.Popen)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert (process.returncode, stderr.read()) == (141, ""), "as of a program that SIGPIPE ends"


def test_a_damaged_test_image_is_found_before_the_training(tmp_path: Path) -> None:
    asked = ["data=image_folder", "data.size=8", "data.classes=2", "data.held_out=4", f"data_dir={tmp_path}"]
    asked += ["network=small"]
    asked += ["depth=8", "recipe=digits_quick", "recipe.epochs=1", "recipe.batch_size=8", "tracker=none"]
    for part in ("train", "val"):
        for name in ("ant", "bee"):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(8):
                image = Image.fromarray(np.random.default_rng(k).integers(0, 255, (9, 9, 3), dtype=np.uint8))
                image.save(tmp_path / part / name / f"{k}.png")
    path = tmp_path / "val" / "bee" / "7.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for sweep in ([], ["-m", "seed=0", "hydra/launcher=basic"]):
        done = run(*sweep, *asked, runs=tmp_path / "r")
        assert done.returncode == 1
        assert "val/bee/7.png could not be decoded as an image: delete it" in done.stderr
        assert not list((tmp_path / "r").glob("*/*.json"))
    path.write_bytes(whole)
    done = run(*asked, runs=tmp_path / "r")
    assert (done.returncode, done.stderr) == (0, "")
