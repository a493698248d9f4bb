from __future__ import annotations

import gzip

import numpy as np
import pytest

from lightning_modules.data.errors import DataError
from lightning_modules.data.idx import NAMES, idx, mnist


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + sizes + array.astype(np.uint8).tobytes()


def write(folder, *, pack=gzip.compress, suffix=".gz"):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (30, 28, 28)),
        np.arange(30) % 10,
        rng.integers(0, 256, (20, 28, 28)),
        np.arange(20) % 10,
    ]
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / f"{name}{suffix}").write_bytes(pack(idx_bytes(array)))
    return arrays


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_files_are_read_packed_or_not(tmp_path, pack, suffix):
    arrays = write(tmp_path / "MNIST/raw", pack=pack, suffix=suffix)
    images = mnist(tmp_path)
    assert (images.train_images[..., 0] == arrays[0]).all()
    assert (images.test_labels == arrays[3]).all()


def test_own_files_are_read_where_they_lie(tmp_path):
    arrays = write(tmp_path / "mine", suffix="")
    names = ("train_images", "train_labels", "test_images", "test_labels")
    images = idx(tmp_path, **{name: f"mine/{file}" for name, file in zip(names, NAMES, strict=True)})
    assert (images.test_images[..., 0] == arrays[2]).all()


LABELS = idx_bytes(np.full(30, 10))
PIXELS = idx_bytes(np.zeros((30, 28, 28)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (NAMES[0], gzip.compress(PIXELS)[:40], "is a damaged or cut-off .gz file: delete it and get it again"),
        (NAMES[0], PIXELS[:-1], "holds 23519 bytes of data, not the 23520 it announces"),
        (NAMES[0], b"<html>not found</html>", "is not an IDX file of bytes with 3 axes"),
        (NAMES[0], b"", "is not an IDX file of bytes with 3 axes"),
        (NAMES[0], LABELS, "is not an IDX file of bytes with 3 axes"),
        (NAMES[1], LABELS, "holds the label 10, but 10 classes allow 0 to 9"),
    ],
    ids=["cut gz", "cut", "foreign", "empty", "swapped", "label"],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    write(tmp_path / "MNIST/raw")
    file = tmp_path / "MNIST/raw" / f"{name}.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"^data=mnist: {file} {message}") as caught:
        mnist(tmp_path)
    assert "\n" not in str(caught.value)


def test_images_and_labels_must_be_as_many(tmp_path):
    write(tmp_path / "MNIST/raw")
    (tmp_path / "MNIST/raw" / NAMES[1]).write_bytes(idx_bytes(np.zeros(29)))
    with pytest.raises(DataError, match=r"holds 30 images but .* 29 labels"):
        mnist(tmp_path)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bytes, "")])
def test_names_with_a_dot_are_known(tmp_path, pack, suffix):
    arrays = write(tmp_path / "MNIST/raw", pack=pack, suffix=suffix)
    for name in NAMES:
        file = tmp_path / "MNIST/raw" / f"{name}{suffix}"
        file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    assert (mnist(tmp_path).train_images[..., 0] == arrays[0]).all()
    assert mnist(tmp_path).class_names == tuple("0123456789")


@pytest.mark.parametrize(("code", "dtype"), [(9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_own_files_may_hold_any_type_of_the_format(tmp_path, code, dtype):
    write(tmp_path / "mine", suffix="")
    numbers = np.random.default_rng(0).normal(size=(30, 4, 6, 2)).astype(dtype)
    sizes = np.array(numbers.shape, ">u4").tobytes()
    (tmp_path / "mine" / NAMES[0]).write_bytes(bytes((0, 0, code, 4)) + sizes + numbers.tobytes())
    names = ("train_images", "train_labels", "test_images", "test_labels")
    images = idx(tmp_path, **{name: f"mine/{file}" for name, file in zip(names, NAMES, strict=True)})
    assert images.train_images.dtype.isnative
    assert (images.train_images == numbers).all()
