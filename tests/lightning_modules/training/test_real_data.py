"""A small part of real CIFAR-10, where there is one beside this repository."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from lightning_modules.data.augment import CropFlip
from lightning_modules.data.cifar import cifar10
from lightning_modules.data.images import Images
from lightning_modules.data.module import ImageData
from tests.lightning_modules.trained import train

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "unpack.py"


def part(folder: Path) -> Images:
    """A thousand images to train, 300 held out and 300 to test."""
    whole = cifar10(folder)
    train, test = (
        (whole.train_images[:1300], whole.train_labels[:1300]),
        (whole.test_images[:300], whole.test_labels[:300]),
    )
    return Images(*train, *test, note="a part of CIFAR-10 (JPEG)")


@pytest.mark.long
@pytest.mark.skipif(not REAL.is_file(), reason=f"no real CIFAR-10: {REAL} is not there")
def test_residual_20_learns_cifar(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(REAL), str(tmp_path)], check=True, capture_output=True)
    data = ImageData(
        partial(part),
        channels=3,
        size=32,
        classes=10,
        held_out=300,
        split_seed=0,
        folder=tmp_path,
        batch_size=50,
        augment=CropFlip(),
        seed=0,
    )
    words = ["data=cifar10", "network=cifar", "depth=20", "recipe=he2015_short", "recipe.epochs=4", "recipe.lr=0.05"]
    rows = train(*words, data=data).curve.rows
    losses = [row["train_loss"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert 2.0 < losses[0] < 3.5
    assert losses[-1] < 2.0, "chance is 2.3"
    assert rows[-1]["val_error"] < 80, "chance is 90"
