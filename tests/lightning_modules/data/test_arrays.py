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


@pytest.mark.parametrize(
    ("shape", "axes", "stored"),
    [
        ((6, 5, 7, 3), None, (6, 5, 7, 3)),
        ((6, 3, 5, 7), None, (6, 5, 7, 3)),
        ((6, 1, 28, 28), None, (6, 28, 28, 1)),
        ((6, 5, 7, 9), "NHWC", (6, 5, 7, 9)),
        ((6, 5, 7, 9), "NCHW", (6, 7, 9, 5)),
        ((6, 5, 7), None, (6, 5, 7, 1)),
        ((6, 5, 7), "NCL", (6, 7, 5)),
        ((6, 5, 7), "NLC", (6, 5, 7)),
        ((6, 5), None, (6, 5)),
    ],
)
def test_channels_come_last_whatever_the_axes_of_the_file(tmp_path, shape, axes, stored):
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    save(tmp_path / "a.npz", train_images=inputs, test_images=inputs[:4])
    found = arrays(tmp_path, path="a.npz", axes=axes).train_images
    assert found.shape == stored
    channels_first = axes in ("NCHW", "NCL") or (axes is None and len(shape) == 4 and stored != shape)
    assert (np.moveaxis(found, -1, 1).ravel() if channels_first else found.ravel()).tolist() == inputs.ravel().tolist()


@pytest.mark.parametrize(
    ("inputs", "axes", "says"),
    [
        (np.zeros((6, 5, 7, 9)), None, "are 5 x 7 x 9: say which axis has the channels, data.source.axes=NHWC or NCHW"),
        (
            np.zeros((6, 5), int),
            None,
            "have two axes of whole numbers: say data.source.axes=ND of vectors, or NL of tok",
        ),
        (np.zeros((6, 5)), "NCL", "have 2 axes, and data.source.axes=NCL does not name them: choose ND or NL"),
        (np.zeros((6, 5)), "NL", "are float64: tokens are whole numbers from 0"),
        (np.zeros((6, 5, 5), np.uint8), "nhw", "have 3 axes, and data.source.axes=nhw does not name them: choose NHW"),
    ],
)
def test_axes_that_must_be_named_are_asked_for(tmp_path, inputs, axes, says):
    save(tmp_path / "a.npz", train_images=inputs, test_images=inputs[:4])
    with pytest.raises(DataError, match=f"^data=arrays: train_images {says}"):
        arrays(tmp_path, path="a.npz", axes=axes)


def test_whole_numbers_are_vectors_or_tokens_as_the_axes_say(tmp_path):
    for dtype in (np.uint8, np.int64):
        inputs = np.arange(30).reshape(6, 5).astype(dtype)
        save(tmp_path / "a.npz", train_images=inputs, test_images=inputs[:4])
        assert not arrays(tmp_path, path="a.npz", axes="ND").tokens
        assert arrays(tmp_path, path="a.npz", axes="NL").tokens


def test_a_file_may_bring_its_validation_part_and_the_names_of_its_classes(tmp_path):
    save(
        tmp_path / "a.npz",
        val_images=np.ones((3, 5, 5), np.uint8),
        val_labels=np.arange(3, dtype=np.uint8),
        class_names=np.array(list("abcdef")),
    )
    found = arrays(tmp_path, path="a.npz")
    assert found.class_names == tuple("abcdef")
    assert found.validation.tolist() == [6, 7, 8]
    assert found.train_labels.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert found.train_images[6:].min() == 1
    save(tmp_path / "b.npz", val_images=np.ones((3, 5, 5), np.uint8))
    with pytest.raises(DataError, match=r"b.npz lacks val_labels"):
        arrays(tmp_path, path="b.npz")


@pytest.mark.parametrize(
    ("count", "fill", "says"), [(0, 0.0, "val_images holds no image"), (3, np.nan, "val_images holds NaN .* in 3 of 3")]
)
def test_what_is_wrong_with_the_validation_part_is_said_of_it(tmp_path, count, fill, says):
    val = {"val_images": np.full((count, 5, 5), fill), "val_labels": np.zeros(count, int)}
    save(tmp_path / "a.npz", train_images=np.zeros((6, 5, 5)), **val)
    with pytest.raises(DataError, match=says):
        arrays(tmp_path, path="a.npz")


def test_inputs_and_targets_are_names_too(tmp_path):
    parts = {"train_inputs": np.zeros((6, 3)), "train_targets": np.linspace(0, 1, 6)}
    np.savez(tmp_path / "a.npz", **parts, test_inputs=np.zeros((4, 3)), test_targets=np.zeros(4))
    found = arrays(tmp_path, path="a.npz")
    assert found.train_images.shape == (6, 3)
    assert found.train_labels.dtype == np.float32
