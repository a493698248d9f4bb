"""`network._target_=mine.Net`: any module trains, and is handed what its signature names and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sweeps.fits_task import check_outputs, warn_of_scaled_input
from sweeps.preflight import size_of
from tests.typed import ROOT, typed

NET = '''
import torch
from torch import nn


class Net(nn.Module):
    """As others write it: other names, options of its own."""

    def __init__(self, in_chans, num_classes, init, hidden=8, img_size=None):
        super().__init__()
        self.size = img_size
        self.weight = nn.Parameter(torch.randn(in_chans * img_size**2, hidden) / 8)
        self.head = nn.Linear(hidden, num_classes)
        init(self)

    def forward(self, x):
        return self.head((x.flatten(1) @ self.weight).relu())


class Attention(nn.Module):
    """Modules whose outputs are tuples, that are called by keyword, or not at all."""

    def __init__(self, classes):
        super().__init__()
        self.embed, self.attend = nn.Linear(8, 16), nn.MultiheadAttention(16, 2, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        x = self.embed(input=x[:, 0])
        x = x + self.attend(x, x, x)[0]
        return self.head(self.layer(src=x).mean(1))


class Linear(nn.Module):
    """Without anything that could be a block."""

    def __init__(self, classes):
        super().__init__()
        self.layer = nn.Linear(64, classes)

    def forward(self, x):
        return self.layer(x.flatten(1))


def made(depth, **options):
    """A function in place of a class, which hands on what it is given."""
    layers = [nn.Linear(64, 64) for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(64, options["num_classes"]))
'''
QUICK = "recipe.epochs=1", "tracker=none", "trainer=cpu", "trainer.threads=1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(NET)
    return tmp_path


def trained(folder: Path, *words: str) -> tuple[list[dict[str, Any]], str]:
    done = typed(*words, *QUICK, at=folder)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return [json.loads(path.read_text()) for path in folder.glob("runs/*/record.json")], said


def test_a_network_is_handed_what_its_signature_names(folder):
    (record,), said = trained(folder, "network._target_=mine.Net", "network.hidden=5", "norm=group")
    assert record["params"] == 64 * 5 + 5 * 10 + 10
    assert record["axes"] == record["axes"] | {"network": "Net", "network.hidden": 5}
    assert not {"block", "norm", "depth", "width"} & set(record["axes"]), "what it does not take is no part of it"
    assert said.count("init does not know Net, whose weights stay as they were made") == 1
    assert "norm has no effect" in said


def test_a_function_that_hands_on_its_options_is_given_those_that_are_typed(folder):
    (record,), _ = trained(folder, "network._target_=mine.made", "network.num_classes=10", "depth=1")
    assert (record["axes"]["depth"], record["params"]) == (1, 64 * 65 + 65 * 10)


@pytest.mark.long
def test_a_sweep_goes_over_its_options_and_over_networks(folder):
    swept = "network._target_=mine.Net,mine.Linear", "network.hidden=4,5", "seed=0"
    records, _ = trained(folder, "-m", *swept, "on_invalid=skip", "workers=1")
    assert sorted(record["params"] for record in records) == [64 * 4 + 50, 64 * 5 + 60]
    (folder / "own" / "study").mkdir(parents=True)
    (folder / "own" / "study" / "own.yaml").write_text(
        "# @package _global_\nstudy:\n  name: own\n  question: Does it train?\n  expect: Yes.\n"
        "  cost: {runs: 2, cpu_minutes: 1, gpu_minutes: 1}\n  claims: []\n"
        "  grid:\n    - {network._target_: mine.Net, network.hidden: [6]}\n    - {network._target_: mine.Linear}\n"
        "  seeds: [0]\n  fixed: {data: digits, recipe: digits_quick}\n"
    )
    records, _ = trained(folder, "-m", "--config-dir", "own", "study=own", "workers=1")
    assert {record["params"] for record in records} >= {650, 64 * 6 + 70}


@pytest.mark.parametrize(("network", "blocks"), [("Attention", 4), ("Linear", 0)])
def test_what_looks_for_blocks_holds_or_says_that_there_are_none(folder, network, blocks):
    _, said = trained(folder, f"network._target_=mine.{network}", "recipe.lesions=true")
    assert "lesions: this network has no block that can be taken out" in said
    (header,) = (path.read_text().splitlines()[0] for path in folder.glob("runs/*/diagnostics.csv"))
    assert header.count("gradient_norm.block_") == blocks


def test_growing_and_matching_say_what_a_network_lacks(folder):
    words = "network._target_=mine.Linear", "recipe.grow_from=8", "recipe.grow_at=1", "recipe.epochs=2"
    done = typed(*words, "tracker=none", at=folder)
    assert "this network has no depth to grow in: use network=cifar" in done.stdout + done.stderr
    done = typed("-m", "+study.match=params", "network._target_=mine.Linear", "plan=true", at=folder)
    assert "match needs a width to change, and this network takes none: leave match out" in done.stdout + done.stderr


def test_an_argument_that_nothing_gives_is_named(folder):
    (folder / "other.py").write_text(NET.replace("hidden=8", "hidden"))
    done = typed("network._target_=other.Net", *QUICK, at=folder)
    assert "missing 1 required positional argument: 'hidden'" in done.stderr
    assert done.returncode == 1
    done = typed("network._target_=other.Net", "network.hiden=5", *QUICK, at=folder)
    assert "nothing uses network.hiden; did you mean hidden?" in done.stderr


class Odd(nn.Module):
    """A network whose outputs are not those that the data has classes for."""

    def __init__(self, gives):
        super().__init__()
        self.gives = gives
        self.head = {"lazy": nn.LazyLinear(10), "nothing": nn.Identity()}.get(gives, nn.Linear(64, 15))

    def forward(self, x):
        outputs = self.head(x.flatten(1))
        found = {"pair": (outputs, x), "nothing": outputs[:, :10], "complex": outputs[:, :10] * 1j}
        return found.get(self.gives, outputs)


ODD = {
    "more": "Odd gives outputs of N × 15, and the task and its data want N × 10",
    "pair": "Odd returns a tuple: let its forward return the outputs alone",
    "complex": r"Odd gives complex outputs.*: return their abs\(\) or .real",
    "nothing": "Odd has no parameters that are trained",
}


@pytest.mark.parametrize("gives", ODD)
def test_outputs_that_the_task_cannot_use_are_refused_before_training(gives: str) -> None:
    node = {"_target_": f"{__name__}.Odd", "gives": gives}
    with pytest.raises(ValueError, match=ODD[gives]):
        check_outputs(node, (1, 8, 8), 10, "Classification", tokens=False)
    check_outputs(node, (1, 8, 8), 10, "MyTask", tokens=False)
    check_outputs({**node, "gives": "more"}, (1, 8, 8), 15, "Regression", tokens=False)


def test_a_lazy_network_is_told_to_write_its_sizes_out() -> None:
    with pytest.raises(ValueError, match="lazy modules"):
        size_of({"_target_": f"{__name__}.Odd", "gives": "lazy"}, (1, 8, 8))


class Waves(nn.Module):
    """A network whose first weights are complex."""

    def __init__(self, casts: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 10, dtype=torch.complex64))
        self.casts = casts

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu().flatten(1)  # which torch has for real numbers alone
        return ((x.to(torch.complex64) if self.casts else x) @ self.weight).abs()


def test_complex_weights_see_real_data_or_are_refused_in_a_sentence() -> None:
    node = {"_target_": f"{__name__}.Waves", "casts": True}
    assert size_of(node, (1, 8, 8))[0] == 640
    check_outputs(node, (1, 8, 8), 10, "Classification", tokens=False)
    sentence = (
        r"^Waves has complex weights, and the data is real: let its forward begin with x = x.to\(torch.complex64\)$"
    )
    with pytest.raises(ValueError, match=sentence):
        size_of({"_target_": f"{__name__}.Waves", "casts": False}, (1, 8, 8))


class ScaledIn(nn.Module):
    """y = f(x / 2) + x."""

    def __init__(self, c_in, c_out, stride, *, body, by=0.5):
        super().__init__()
        self.body, self.by = body(c_in, c_out, stride), by

    def forward(self, x):
        return x + self.body(self.by * x)


@pytest.mark.parametrize(
    ("body", "norm", "options", "warned"),
    [
        ("attention.Attention", "Pixel", {}, True),
        ("attention.Mlp", "Pixel", {}, True),
        ("attention.Mlp", "DyT", {}, False),  # which a scale goes through
        ("attention.Mlp", "Pixel", {"by": 1}, False),
        ("bodies.Single", "Pixel", {}, False),
    ],
    ids=str,
)
def test_a_scale_that_a_norm_undoes_is_warned_of(body, norm, options, warned, caplog):
    ours = "lightning_modules.networks"
    node = {"_target_": f"{ours}.{body}", "norm": {"_target_": f"{ours}.norms.{norm}", "_partial_": True}}
    node |= {"activation": {"_target_": "torch.nn.GELU", "_partial_": True}} if "Mlp" in body else {}
    warn_of_scaled_input(
        {"_target_": f"{__name__}.ScaledIn", "_partial_": True, "body": {**node, "_partial_": True}, **options}
    )
    said = f"ScaledIn scales what {body.rpartition('.')[2]} sees, which the norm that this body begins with undoes"
    assert (said in caplog.text) == warned


def test_an_image_transformer_learns_digits(tmp_path):
    size = "network.layers=2", "network.features=32", "network.heads=2", "recipe.epochs=12"
    learnt = "optimizer=adamw", "recipe.lr=0.005", "recipe.batch_size=64", "recipe.lesions=true"
    done = typed(
        *("--config-dir", ROOT / "examples/vit", "network=vit", *size, *learnt, "tracker=none", "trainer=cpu"),
        at=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/*/record.json"))
    assert record["metrics"]["test_error"] < 15
    assert record["metrics"]["lesion_max"] > 10, "attention and perceptrons are taken out one by one"


def test_a_network_of_torchvision_trains(folder):
    library = pytest.importorskip("torchvision.models")
    words = f"network._target_={library.__name__}.resnet18", "network.num_classes=10", "data=synthetic"
    sizes = "data.held_out=32", "data.source.train=128", "data.source.test=16"
    (record,), _ = trained(folder, *words, *sizes)
    assert record["params"] == 11_181_642
