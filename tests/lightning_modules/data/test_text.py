"""Text as sequences of characters: nothing is lost, nothing is in two parts, and the file is the published one."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from lightning_modules.data.errors import DataError
from lightning_modules.data.text import characters, shakespeare
from tests.lightning_modules.trained import train

PACKED = Path(__file__).resolve().parents[4] / "shared" / "data" / "tinyshakespeare" / "input.txt.gz"
TEXT = "To be, or not to be: that is the question — whether 'tis nobler in the mind to suffer the slings. " * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real file."""
    if not PACKED.is_file():
        pytest.skip(f"no real text: {PACKED} is not there")
    folder = tmp_path_factory.mktemp("text")
    (folder / "tinyshakespeare").mkdir()
    (folder / "tinyshakespeare" / "input.txt").write_bytes(gzip.decompress(PACKED.read_bytes()))
    return folder


def read(sequences: np.ndarray, letters: tuple[str, ...]) -> str:
    """The text of sequences, each of which begins with the last character of the one before it."""
    codes = [*sequences[0, :1], *sequences[:, 1:].ravel()]
    return "".join(letters[code] for code in codes)


@pytest.mark.parametrize("length", [2, 5, 14])
def test_each_character_is_predicted_once_and_is_in_one_part(length):
    images = characters(TEXT, length)
    train, val = np.split(images.train_images, images.validation[:1])
    assert len(val) == len(images.validation)
    parts = [read(part, images.class_names) for part in (train, val, images.test_images)]
    ends = int(0.9 * len(TEXT)), int(0.9 * len(TEXT)) + (len(TEXT) - int(0.9 * len(TEXT))) // 2
    for text, begin, end in zip(parts, (0, *ends), (*ends, len(TEXT)), strict=True):
        assert TEXT[begin:end].startswith(text)
        assert end - begin - len(text) < length - 1
    assert images.prepared("text").tokens
    assert images.classes == images.channels == len(set(TEXT))


@pytest.mark.parametrize("length", [1, 16])
def test_a_length_that_does_not_fit_is_refused(length):
    with pytest.raises(ValueError, match=f"length={length}: choose from 2 to 15 characters a sequence"):
        characters(TEXT, length)


@pytest.mark.parametrize("text", ["", "a", TEXT[:30]])
def test_a_text_that_is_too_short_is_refused(text):
    with pytest.raises(ValueError, match=f"a text of {len(text)} characters has too few for three parts: it needs 31"):
        characters(text, 2)
    assert len(characters(TEXT[:31], 2).test_images) == 1


def test_shakespeare_is_the_published_text(folder):
    images = shakespeare(folder)
    assert (len(images.train_images), len(images.validation), len(images.test_images)) == (16_819, 885, 885)
    assert read(images.train_images[:1], images.class_names).startswith("First Citizen:\nBefore we proceed any further")
    assert images.classes == images.channels == 65


def test_another_file_is_refused(tmp_path):
    (tmp_path / "tinyshakespeare").mkdir()
    (file := tmp_path / "tinyshakespeare" / "input.txt").write_text(TEXT)
    with pytest.raises(DataError, match=re.escape(f"data=shakespeare: {file} is not the published file: delete it")):
        shakespeare(tmp_path)


def test_what_is_downloaded_is_checked(server, tmp_path):
    server.files["input.txt"] = TEXT.encode()
    with pytest.raises(DataError, match=r"wrong checksum"):
        shakespeare(tmp_path, url=f"{server.url}input.txt")


def test_a_small_transformer_learns_more_than_the_frequencies_of_characters(folder):
    """Of the training's frequencies the test text has a perplexity of 28.9; 60 steps of a tiny network are below it."""
    words = ["data=shakespeare", f"data_dir={folder}", "data.take=1920", "data.source.length=32", "depth=1"]
    words += ["width=0.5", "recipe.steps=null", "recipe.epochs=1", "recipe.lr=0.01"]
    (*_, row) = train(*words).curve.rows
    images = shakespeare(folder)
    counts = np.bincount(images.train_images.ravel(), minlength=65) + 1
    alone = np.exp(-np.log(counts / counts.sum())[images.test_images].mean())
    assert alone == pytest.approx(28.9, abs=0.1)
    assert row["val_perplexity"] < 0.75 * alone
