"""What conf/data and conf/augment offer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from lightning_modules.data.augment import Augment, CropFlip, NoAugment
from lightning_modules.data.module import ImageData

CONF = Path(__file__).resolve().parents[3] / "conf"
DATA = sorted(file.stem for file in (CONF / "data").glob("*.yaml"))
AUGMENT = sorted(file.stem for file in (CONF / "augment").glob("*.yaml"))
SERIES = ["digits_pixels", "digits_rows"]
LOADABLE = ["digits", "digits_centre", "digits_traits", "synthetic", *SERIES]


def node(name: str):
    content = OmegaConf.load(CONF / "data" / f"{name}.yaml")
    content = content if "data" in content else OmegaConf.create({"data": content})
    return OmegaConf.merge({"split": "fixed"}, content)


def build(name: str, folder: Path) -> ImageData:
    augment = NoAugment() if name in SERIES else CropFlip()
    return instantiate(node(name).data)(folder=folder, batch_size=128, augment=augment, seed=0)


@pytest.mark.parametrize("name", DATA)
def test_every_data_set_is_built_from_its_file(name, tmp_path):
    data = build(name, tmp_path)
    assert isinstance(data, ImageData)
    assert data.held_out > 0
    assert module_name(data) == name


def module_name(data: ImageData) -> str:
    """Messages say data=<name>: the source's name is the file's."""
    return data.source.func.__name__


@pytest.mark.parametrize("name", LOADABLE)
def test_what_needs_no_files_gives_batches_at_once(name, tmp_path):
    data = build(name, tmp_path)
    data.prepare_data()
    assert next(iter(data.train_dataloader()))[0].shape == (128, *data.shape)
    assert len(data.train_dataloader()) * 128 == len(data.train_indices)


@pytest.mark.parametrize("name", [name for name in DATA if name not in LOADABLE])
def test_an_empty_folder_is_one_sentence(name, tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise OSError(111, "Connection refused")

    monkeypatch.setattr("socket.getaddrinfo", refused)
    with pytest.raises(OSError, match=f"^data={name}: ") as caught:
        build(name, tmp_path).prepare_data()
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", AUGMENT)
def test_every_augmentation_is_built_from_its_file(name):
    assert isinstance(instantiate(OmegaConf.load(CONF / "augment" / f"{name}.yaml")), Augment)


@pytest.mark.parametrize("file", [f"data/{name}" for name in DATA] + [f"augment/{name}" for name in AUGMENT])
def test_every_file_says_what_it_is_and_is_short(file):
    lines = (CONF / f"{file}.yaml").read_text().splitlines()
    sentence = next(line for line in lines if not line.startswith("# @package"))
    assert sentence.startswith("# ")
    assert sentence.endswith(".")
    assert len(lines) <= 30
