"""One package offers a shortcut, a norm, a network, data, a recipe and a study, and each is trained with."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweeps.compose.test_plugins import package, records
from tests.typed import ROOT, typed

POINTS = """
[skipbench.shortcuts]
halved = whole:Halved
[skipbench.norms]
shifted = whole:Shifted
[skipbench.networks]
tiny = whole:Tiny
[skipbench.data]
stripes = whole:STRIPES
[skipbench.recipes]
brisk = whole:brisk
[skipbench.studies]
everything = whole:STUDY
"""
CODE = '''"""One of each."""

import numpy as np
import torch
from torch import nn

from lightning_modules.data.images import Images
from lightning_modules.training.recipe import Recipe


class Halved(nn.Module):
    """Half of the input, every second pixel of it where the size changes."""

    def __init__(self, c_in, c_out, stride, *, norm, factor=0.5):
        super().__init__()
        self.conv, self.norm, self.factor = nn.Conv2d(c_in, c_out, 1, stride), norm(c_out), factor

    def forward(self, x):
        return self.factor * self.norm(self.conv(x))


class Shifted(nn.Module):
    """A learnt shift a channel."""

    def __init__(self, channels, *, start=0.0):
        super().__init__()
        self.shift = nn.Parameter(torch.full((channels, 1, 1), start))

    def forward(self, x):
        return x + self.shift


class Tiny(nn.Module):
    """As many 3×3 convolutions as it is deep, less one, a mean and a linear layer."""

    def __init__(self, depth, in_channels, classes, *, norm, activation, units=6):
        super().__init__()
        sizes = [in_channels, *[units] * (depth - 1)]
        layers = [(nn.Conv2d(a, b, 3, padding=1), norm(b), activation()) for a, b in zip(sizes, sizes[1:])]
        self.body, self.head = nn.Sequential(*(part for layer in layers for part in layer)), nn.Linear(units, classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


def stripes(folder, *, n=400):
    """Images striped across or along, under noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    images = rng.integers(0, 100, (n, 8, 8))
    images[:, ::2] += 100
    images[labels == 1] = images[labels == 1].transpose(0, 2, 1)
    images, half = images[..., None].astype(np.uint8), n // 2
    return Images(images[:half], labels[:half], images[half:], labels[half:])


def brisk(*, optimizer, schedule, augment, lr=0.05, weight_decay=0.0, batch_size=64, epochs=1):
    """One epoch."""
    about = {"lr": lr, "weight_decay": weight_decay, "batch_size": batch_size, "epochs": epochs}
    return Recipe(optimizer=optimizer, schedule=schedule, augment=augment, **about)


STRIPES = {
    "_target_": "lightning_modules.data.module.ImageData",
    "_partial_": True,
    "source": {"_target_": "whole.stripes", "_partial_": True, "n": 400},
    **{"channels": 1, "size": 8, "classes": 2, "held_out": 40, "split_seed": 0},
}
STUDY = {
    "name": "everything",
    "question": "Does each of them train?",
    "grid": [
        {"shortcut": ["A", "halved"]},
        {"norm": "shifted"},
        {"network": "tiny", "depth": 3},
        {"data": "stripes"},
        {"recipe": "brisk"},
        {"shortcut": "halved", "shortcut.factor": 0.25},
    ],
    "seeds": [0],
    "fixed": {"block": "residual", "depth": 8, "recipe.epochs": 1},
}
'''
NEW = {"shortcut": "halved", "norm": "shifted", "network": "tiny", "data": "stripes", "recipe": "brisk"}


@pytest.mark.slow
def test_each_is_offered_chosen_by_the_study_trained_recorded_shown_and_stale_once_changed(tmp_path: Path) -> None:
    site = package(tmp_path / "site", "the_whole", POINTS, whole=CODE)
    asked = ["-m", "study=everything", "tracker=none", "hydra/launcher=basic", "trainer.threads=1"]
    done = typed(*asked, at=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "WARNING: init does not know Shifted, whose weights stay as they were made\n"
    assert "everything: 7 cells × 1 seed: 7 to train" in done.stdout
    found = records(tmp_path)
    assert len({record["identity"] for record in found}) == 7
    for group, name in NEW.items():
        (record, *more) = [record for record in found if record["axes"].get(group) == name]
        assert len(more) == (group == "shortcut"), "one of them with another factor"
        assert record["status"] == "finished"
        assert re.search(rf"^.* {name} .* \d+\.\d\d +\d", done.stdout, re.MULTILINE), "a line of the table"
    by_axis = {name: record for record in found for group, name in NEW.items() if record["axes"].get(group) == name}
    assert "block" not in by_axis["tiny"]["axes"], "it names none"
    assert by_axis["tiny"]["params"] == (9 * 6 + 6 + 12) + (9 * 36 + 6 + 12) + 70
    assert by_axis["stripes"]["data_digest"] != by_axis["brisk"]["data_digest"]
    assert by_axis["brisk"]["steps"] == 1280 // 64
    assert {record["axes"].get("shortcut.factor") for record in found} == {None, 0.25}

    listed = subprocess.run(
        [sys.executable, "-m", "ablations", "list", "shortcuts"],
        **{"cwd": tmp_path, "capture_output": True, "text": True, "check": True},
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]), "COLUMNS": "200"},
    ).stdout
    assert re.search(r"^halved +Half of the input, .* the_whole 0\.1 \(whole:Halved\)", listed, re.MULTILINE)

    file = site / "whole.py"
    file.write_text(file.read_text().replace("* self.norm(", "* 2 * self.norm("))
    changed = typed(*asked, "plan=true", at=tmp_path, PYTHONPATH=str(site))
    assert "2 to train, 5 reused" in changed.stdout, "what does not name it stays"
    assert "2 records are stale: whole.py changed" in changed.stdout
    assert json.loads((tmp_path / "runs/.studies/everything/plan.json").read_text())["study"]["name"] == "everything"
