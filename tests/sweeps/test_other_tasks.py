"""What a run keeps, and what is loaded, built and exported, of every kind of data and task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skipbench
from ablations.notebook import Record
from lightning_modules.networks.trained import start_from
from sweeps.data import seen
from sweeps.export import export
from tests.typed import typed

pytestmark = pytest.mark.slow

QUICK = ("recipe.epochs=2", "tracker=none", "trainer=cpu", "trainer.threads=1", "data_dir=.")
NETWORKS = """
from torch import nn


class Next(nn.Module):
    def __init__(self, num_classes, hidden=8):
        super().__init__()
        self.embed = nn.Embedding(num_classes, hidden)
        self.layer = nn.GRU(hidden, hidden, batch_first=True)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x):
        return self.head(self.layer(self.embed(x))[0])


class Flat(nn.Module):
    def __init__(self, classes, hidden=8, inputs=64):
        super().__init__()
        self.body = nn.Linear(inputs, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)).relu())
"""
KINDS: dict[str, tuple[str, ...]] = {
    "regression": ("data=digits_centre", "depth=8"),
    "multilabel": ("data=digits_traits", "depth=8"),
    "rows": ("data=digits_rows", "depth=5"),
    "pixels": ("data=digits_pixels", "data.source.as_images=true", "network=small", "depth=8"),
    "vectors": ("data=arrays", "data.source.path=vectors.npz", "network=dense", "depth=5"),
    "rectangles": ("data=arrays", "data.source.path=rectangles.npz", "depth=8"),
    "tokens": (
        *("data=arrays", "data.source.path=tokens.npz", "data.source.axes=NL", "task=next_token"),
        *("network._target_=mine.Next", "network.hidden=6"),
    ),
    "own network": ("data=digits_centre", "network._target_=mine.Flat", "network.hidden=6"),
}


def error(predicted: torch.Tensor, labels: torch.Tensor) -> float:
    return 100 * (predicted.argmax(-1) != labels).double().mean().item()


MEASURED: dict[str, Any] = {
    "test_mse": lambda found, targets: (found - targets).square().double().mean().item(),
    "test_hamming": lambda found, targets: 100 * ((found > 0.5) != targets).double().mean().item(),
    "test_token_error": lambda found, targets: error(found[:, :-1], targets[:, 1:]),
    "test_error": error,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and networks of one's own."""
    place, rng = tmp_path_factory.mktemp("kinds"), np.random.default_rng(0)

    def write(name: str, inputs: np.ndarray, targets: np.ndarray) -> None:
        parts = {"train": slice(0, 200), "test": slice(200, None)}
        arrays = {f"{part}_images": inputs[where] for part, where in parts.items()}
        arrays |= {f"{part}_labels": targets[where] for part, where in parts.items()}
        np.savez(place / f"{name}.npz", **arrays)

    for name, shape in (("vectors", (6,)), ("rectangles", (8, 12, 3))):
        inputs = rng.normal(3, 2, (300, *shape)).astype(np.float32)
        write(name, inputs, (inputs.reshape(300, -1)[:, 0] > 3).astype(int))
    tokens = rng.integers(0, 2, (300, 12)).cumsum(1) % 5
    write("tokens", tokens, tokens)
    (place / "mine.py").write_text(NETWORKS)
    return place


@pytest.fixture(scope="module")
def trained(place: Path) -> dict[str, Path]:
    """The folder of a run of each kind."""
    found = {}
    for kind, words in KINDS.items():
        done = typed(*words, *QUICK, f"runs={kind}", at=place)
        assert done.returncode == 0, done.stdout + done.stderr
        (path,) = (place / kind).glob("*/record.json")
        found[kind] = path.parent
    return found


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)


def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "record.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_network_predicts_raw_data_as_well_as_its_run_did(kind: str, trained: dict[str, Path]) -> None:
    one = record(trained[kind])
    network: Any = skipbench.load(trained[kind])
    images = seen(one["config"]["data"]["source"], Path()).images
    predicted, targets = network.predict(images.test_images), torch.from_numpy(images.test_labels)
    name = next(name for name in MEASURED if name in one["metrics"])
    assert MEASURED[name](predicted, targets) == pytest.approx(one["metrics"][name], rel=1e-5)
    single = network.predict(images.test_images[0])
    assert torch.allclose(single[0], predicted[0], atol=1e-5), "one example is a batch of one"
    classified = name == "test_error"
    assert bool(network.trained["classes"]) == ("classes" in one) == classified, "classes are a classification's"
    if classified:
        assert predicted.sum(1).allclose(torch.ones(len(predicted)))


@pytest.mark.parametrize(("kind", "wrong"), [("vectors", "abc"), ("tokens", [[0.5]]), ("rows", np.full((8, 8), 300))])
def test_what_a_loaded_network_was_not_trained_on_is_refused(kind: str, wrong: Any, trained: dict[str, Path]) -> None:
    network: Any = skipbench.load(trained[kind])
    with pytest.raises(ValueError, match="examples"):
        network.predict(wrong)


@pytest.mark.parametrize(("metric", "better"), [("r2", max), ("mse", min)])
def test_the_best_epoch_is_that_of_the_judged_metric(metric: str, better: Any, place: Path) -> None:
    """With a rate too high to improve steadily. Fused seeds and parts of a batch keep it too."""
    runs = place / f"best {metric}"
    words = (
        "data=digits_centre",
        "depth=8",
        f"task.judged={metric}",
        "recipe.lr=0.1",
        "schedule=constant",
        "keep=best",
    )
    more = (
        "-m",
        "block=residual",
        "norm=group",
        "seed=0,1",
        "trainer.fuse=2",
        "micro_batch=64",
        "hydra/launcher=basic",
        "workers=1",
    )
    done = typed(*words, *QUICK, "recipe.epochs=5", *(more if metric == "r2" else ()), f"runs='{runs}'", at=place)
    assert done.returncode == 0, done.stdout + done.stderr
    found = list(runs.glob("*/record.json"))
    assert len(found) == (2 if metric == "r2" else 1)
    for path in found:
        rows = [line.split(",") for line in (path.parent / "curve.csv").read_text().splitlines()]
        values = [float(row[rows[0].index(f"val_{metric}")]) for row in rows[1:]]
        network: Any = skipbench.load(path.parent)
        assert network.trained["epoch"] == values.index(better(values)) + 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_exported(kind: str, trained: dict[str, Path], tmp_path: Path) -> None:
    path = export(trained[kind], "torchscript", tmp_path / "network.pt")
    network: Any = skipbench.load(trained[kind])
    images = seen(record(trained[kind])["config"]["data"]["source"], Path()).images
    inputs = network.preprocess(images.test_images[:7])
    with torch.no_grad():
        assert torch.allclose(torch.jit.load(path)(inputs), network(inputs), atol=1e-5)


@pytest.mark.parametrize("kind", ["rows", "rectangles", "tokens", "own network"])
def test_the_network_of_a_run_is_built_from_the_same_words(kind: str, trained: dict[str, Path]) -> None:
    network = skipbench.build(*KINDS[kind], "data_dir=.")
    assert sum(one.numel() for one in network.parameters()) == record(trained[kind])["params"]


def test_networks_of_ones_own_are_swept_from_python_and_shown(trained: dict[str, Path]) -> None:
    assert "mse" in Record.read(trained["own network"])._repr_html_()
    words = (*KINDS["own network"][:2], *QUICK, "runs=python")
    swept = skipbench.sweep(*words, "network.hidden=4,5", "hydra/launcher=basic", seed=[0], quiet=True)
    assert sorted(swept.records().params) == [4 * 65 + 5 * 2, 5 * 65 + 6 * 2]
    assert "val_mse" in swept._repr_html_()
    assert swept.figures


def test_the_last_layer_of_a_network_of_ones_own_starts_afresh_for_other_outputs() -> None:
    def network(classes: int) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, classes))

    first, second = network(2), network(3)
    assert start_from(second, first.state_dict()) == ["2.weight", "2.bias"]
    assert torch.equal(second[0].weight, first[0].weight)  # pyright: ignore[reportIndexIssue]
    with pytest.raises(ValueError, match="another one"):
        start_from(
            torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)), first.state_dict()
        )


def test_a_run_starts_from_the_weights_of_another_task(trained: dict[str, Path], place: Path) -> None:
    start = (f"init.run='{trained['multilabel']}'", "init=trained")
    done = typed(*KINDS["regression"], *start, *QUICK, "runs=started", at=place)
    assert done.returncode == 0, done.stderr
    assert "starts afresh" in done.stdout + done.stderr
