"""Real CIFAR-10 and MNIST, where they lie beside this repository; in one file, since unpacking takes seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ablations.catalog.choices import CONF
from lightning_modules.data.augment import CropFlip
from lightning_modules.data.cifar import cifar10
from lightning_modules.data.idx import mnist

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "unpack.py"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10 and MNIST in their publishers' layouts."""
    if not REAL.is_file():
        pytest.skip(f"no real data sets: {REAL} is not there")
    folder = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, str(REAL), str(folder)], check=True, capture_output=True)
    return folder


def test_real_cifar10(real):
    images = cifar10(real, note="CIFAR-10 (JPEG)")
    assert np.bincount(images.train_labels).tolist() == [5000] * 10
    assert np.bincount(images.test_labels).tolist() == [1000] * 10
    mean = images.train_images.reshape(-1, 3).mean(0, dtype=np.float64) / 255
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=0.002)  # the published channel means


def test_real_mnist(real):
    images = mnist(real)
    assert np.bincount(images.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert images.test_images.shape == (10_000, 28, 28, 1)
    np.testing.assert_allclose(images.train_images.mean() / 255, 0.1307, atol=1e-4)  # the published mean


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_what_is_published_gives_batches(name, real):
    node = OmegaConf.merge({"split": "fixed"}, OmegaConf.load(CONF / "data" / f"{name}.yaml"))
    data = instantiate(node.data)(folder=real, batch_size=128, augment=CropFlip(), seed=0)
    data.prepare_data()
    assert next(iter(data.train_dataloader()))[0].shape == (128, *data.shape)
