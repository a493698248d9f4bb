"""`init=trained init.run=…`: a run that starts from the weights of another."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch

from ablations.question.hydra_syntax import to_overrides
from lightning_modules.networks.trained import start_from
from lightning_modules.training.weights import read_weights, tensors
from sweeps.training import build
from tests.lightning_modules.trained import composed
from tests.typed import typed

QUICK = ["depth=8", "tracker=none", "trainer=cpu", "trainer.threads=1", "keep=final"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    runs = tmp_path_factory.mktemp("first")
    done = typed(f"runs={runs}", *QUICK, "recipe.epochs=2", at=runs)
    assert done.returncode == 0, done.stderr
    (record,) = runs.glob("*/record.json")
    return record.parent


def test_a_network_starts_with_the_weights_of_a_run(first: Path) -> None:
    network = build(composed("init=trained", *to_overrides({"init.run": str(first)}))).network
    weights, _ = read_weights(first / "weights.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in tensors(network).items())


def test_the_content_of_the_weights_identifies_a_run_and_not_where_they_lie(first: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "copied"
    copytree(first, copy)
    runs = tmp_path / "runs"
    runs.mkdir()
    for folder in (first, copy):
        words = ["init=trained", f"init.run={folder}", "recipe.epochs=1", "recipe.lr=0.001"]
        done = typed(f"runs={runs}", *QUICK, *words, at=tmp_path)
        assert done.returncode == 0, done.stderr
    (path,) = runs.glob("*/record.json")
    record, before = (json.loads(text.read_text()) for text in (path, first / "record.json"))
    assert record["metrics"]["train_loss"] < before["metrics"]["train_loss"], "it goes on from what was learnt"
    assert str(tmp_path) not in path.read_text()
    assert str(first.parent) not in path.read_text(), "a record holds no machine's folders"
    swept = ["init=trained", f"init.run={first},{copy}", "recipe.epochs=1", "recipe.lr=0.002", "seed=0"]
    done = typed("-m", f"runs={runs}", *QUICK, *swept, "hydra/launcher=basic", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(runs.glob("*/record.json"))) == 2, "two folders with the same weights are one cell"


def test_a_mistake_is_named(first: Path, tmp_path: Path) -> None:
    says = {
        "depth=8": "init=trained needs the folder of a finished run",
        "init.run=nowhere": "there is no folder nowhere",
        f"init.run={first} depth=14": "stages.0.1.body.0.conv.weight",
        f"init.run={first} width=2": "is (8, 1, 3, 3) there and (16, 1, 3, 3) here",
    }
    for words, sentence in says.items():
        runs = tmp_path / "runs"
        runs.mkdir(exist_ok=True)
        done = typed(f"runs={runs}", *QUICK, "init=trained", *words.split(), at=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert sentence in done.stderr
        assert not list(runs.iterdir())
    words = "seed=0", f"init.run={first},nowhere", "depth=8,14"
    done = typed("-m", f"runs={runs}", *QUICK[1:], "init=trained", *words, "plan=true", at=tmp_path)
    assert done.stderr == ""
    assert "4 cells × 1 seed: 1 to train, 0 reused, 3 invalid" in done.stdout
    assert done.stdout.count("depth=14: the trained network is another one: stages.0.1.body.0.conv.weight") == 1


def test_a_classifier_of_other_classes_starts_afresh_and_nothing_else(first: Path) -> None:
    weights, _ = read_weights(first / "weights.safetensors")
    network = build(composed("data.classes=12", "init=torch")).network
    before = tensors(network)
    kept = start_from(network, weights)
    after = tensors(network)
    assert kept == [name for name in after if name.startswith("head.")]
    for name, value in after.items():
        assert torch.equal(value, before[name] if name in kept else weights[name])
