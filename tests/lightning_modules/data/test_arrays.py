from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.data.arrays import arrays
from lightning_modules.data.errors import DataError


def save(file, **changes):
    parts = {"train_images": np.zeros((6, 5, 5), np.uint8), "train_labels": np.arange(6, dtype=np.uint8)}
    parts |= {"test_images": np.zeros((4, 5, 5), np.uint8), "test_labels": np.arange(4)}
    np.savez(file, **{name: array for name, array in (parts | changes).items() if array is not None})


def test_grey_images_get_a_channel(tmp_path):
    save(tmp_path / "a.npz")
    images = arrays(tmp_path, path="a.npz", note="mine")
    assert images.train_images.shape == (6, 5, 5, 1)
    assert images.train_labels.dtype == np.int64
    assert images.note == "mine"


def test_the_path_may_be_absolute(tmp_path):
    save(tmp_path / "a.npz")
    assert len(arrays(tmp_path / "elsewhere", path=str(tmp_path / "a.npz")).test_images) == 4


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"data=arrays: .*/a.npz is not there: set data.source.path"):
        arrays(tmp_path, path="a.npz")


def test_an_absent_array_is_named(tmp_path):
    save(tmp_path / "a.npz", test_labels=None)
    with pytest.raises(DataError, match=r"a.npz lacks test_labels \(it holds .*\): save train_images"):
        arrays(tmp_path, path="a.npz")


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut"])
def test_a_foreign_file_is_named(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.npz could not be read as an .npz of plain arrays"):
        arrays(tmp_path, path="a.npz")


def test_a_lone_array_and_pickles_are_foreign(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    save(tmp_path / "b.npz", train_labels=np.array([{}, 1], object))
    for path in ("a.npy", "b.npz"):
        with pytest.raises(DataError, match=r"could not be read as an .npz of plain arrays"):
            arrays(tmp_path, path=path)


def test_a_cut_file_is_named(tmp_path):
    save(tmp_path / "a.npz", train_images=np.random.default_rng(0).integers(0, 256, (600, 5, 5), dtype=np.uint8))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a.npz could not be read"):
        arrays(tmp_path, path="a.npz")
