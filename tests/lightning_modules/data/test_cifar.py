from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from lightning_modules.data.cifar import cifar10, cifar100, cifar_binary
from lightning_modules.data.errors import DataError

FOLDER = "cifar-10-batches-bin"


def write(file, count, label_bytes=1, classes=10):
    records = np.random.default_rng(count).integers(0, 256, (count, label_bytes + 3072), dtype=np.uint8)
    records[:, :label_bytes] %= classes
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(records.tobytes())
    return records


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar")
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        write(folder / FOLDER / f"{name}.bin", 10_000)
    return folder


@pytest.fixture
def spoilt(whole, tmp_path):
    """spoilt(name, change): the same files, one of them changed."""

    def build(name, change):
        (tmp_path / FOLDER).mkdir()
        for file in (whole / FOLDER).iterdir():
            (tmp_path / FOLDER / file.name).symlink_to(file)
        content = bytearray((whole / FOLDER / name).read_bytes())
        (tmp_path / FOLDER / name).unlink()
        (tmp_path / FOLDER / name).write_bytes(change(content))
        return tmp_path

    return build


def test_records_become_labels_and_channel_last_pixels(tmp_path):
    first, second = write(tmp_path / "a.bin", 7), write(tmp_path / "b.bin", 5)
    images = cifar_binary(tmp_path, train=["a.bin", "b.bin"], test=["b.bin"], classes=10, note="mine")
    records = np.concatenate([first, second])
    assert images.train_labels.tolist() == records[:, 0].tolist()
    assert (images.train_images.transpose(0, 3, 1, 2).reshape(12, -1) == records[:, 1:]).all()
    assert len(images.test_images) == 5
    assert images.note == "mine"


def test_the_last_label_byte_counts(tmp_path):
    records = write(tmp_path / "a.bin", 7, label_bytes=2, classes=100)
    images = cifar_binary(tmp_path, train=["a.bin"], test=["a.bin"], classes=100, label_bytes=2)
    assert images.train_labels.tolist() == records[:, 1].tolist()
    with pytest.raises(DataError, match=f"holds the label {records[:, 1].max()}, but 10 classes"):
        cifar_binary(tmp_path, train=["a.bin"], test=["a.bin"], classes=10, label_bytes=2)
    records[:, 1] %= 10
    (tmp_path / "a.bin").write_bytes(records.tobytes())
    cifar_binary(tmp_path, train=["a.bin"], test=["a.bin"], classes=10, label_bytes=2)


def test_cifar100_has_fine_labels(tmp_path):
    write(tmp_path / "cifar-100-binary/train.bin", 50_000, label_bytes=2, classes=100)
    records = write(tmp_path / "cifar-100-binary/test.bin", 10_000, label_bytes=2, classes=100)
    images = cifar100(tmp_path)
    assert images.train_images.shape == (50_000, 32, 32, 3)
    assert (images.test_labels == records[:, 1]).all()


def spoil_label(content):
    content[3073 * 17] = 10
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content[: len(content) // 2],
            "has 15365000 bytes, not 10000 records of 3073 bytes: delete it",
        ),
        (lambda content: content[:-1], "has 30729999 bytes, not 10000 records"),
        (lambda content: b"", "has 0 bytes, not 10000 records"),
        (lambda content: b"<html>not found</html>", "has 22 bytes, not 10000 records"),
        (spoil_label, "holds the label 10, but 10 classes allow 0 to 9"),
    ],
    ids=["half", "one byte short", "empty", "foreign", "label"],
)
def test_a_damaged_file_is_named(spoilt, change, message):
    folder = spoilt("data_batch_3.bin", change)
    with pytest.raises(DataError, match=f"^data=cifar10: {folder / FOLDER / 'data_batch_3.bin'} {message}"):
        cifar10(folder)


def test_an_absent_own_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"data=cifar_binary: .*/a.bin could not be read"):
        cifar_binary(tmp_path, train=["a.bin"], test=["a.bin"], classes=10)


def pickled(folder, *, protocol=2, count=20, classes=10, key=b"labels", names=None, changes=()):
    """Batches as CIFAR's authors pickle them; Python 2 wrote protocol 2 and keys of bytes."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    found = {}
    for name in names or (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        batch = {b"data": pixels, key: (np.arange(count) % classes).tolist(), b"filenames": [b"a.png"] * count}
        found[name] = batch | dict(changes)
        (folder / name).write_bytes(pickle.dumps(found[name], protocol=protocol))
    return found


@pytest.mark.parametrize("protocol", range(6))
def test_the_pickles_that_torchvision_keeps_are_read(tmp_path, protocol):
    batches = pickled(tmp_path / "cifar-10-batches-py", protocol=protocol)
    images = cifar10(tmp_path)
    assert images.train_images.shape == (100, 32, 32, 3)
    whole = np.concatenate([batches[f"data_batch_{k}"][b"data"] for k in range(1, 6)])
    assert (images.train_images.transpose(0, 3, 1, 2).reshape(100, -1) == whole).all()
    assert images.test_labels.tolist() == batches["test_batch"][b"labels"]
    assert images.class_names[3] == "cat"


def test_labels_may_be_pickled_as_an_array_and_the_array_by_columns(tmp_path):
    labels = np.arange(20, dtype=np.int16) % 10
    pixels = np.asfortranarray(np.random.default_rng(1).integers(0, 256, (20, 3072), dtype=np.uint8))
    pickled(tmp_path / "cifar-10-batches-py", changes={b"labels": labels, b"data": pixels}.items())
    images = cifar10(tmp_path)
    assert images.test_labels.tolist() == labels.tolist()
    assert (images.test_images.transpose(0, 3, 1, 2).reshape(20, -1) == pixels).all()


def test_cifar100_is_read_from_its_pickles_with_its_names(tmp_path):
    names = [f"class {k}".encode() for k in range(100)]
    about = {"names": ("train", "test"), "key": b"fine_labels", "classes": 100, "count": 200}
    pickled(tmp_path / "cifar-100-python", **about)
    (tmp_path / "cifar-100-python/meta").write_bytes(pickle.dumps({b"fine_label_names": names}, protocol=2))
    images = cifar100(tmp_path)
    assert images.class_names[7] == "class 7"
    assert images.train_images.shape == (200, 32, 32, 3)


class Harmful:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda at: pickle.dumps({b"data": Harmful(at)}), r"it asks for posix.mkdir"),
        (lambda at: pickle.dumps({b"data": np.array([Harmful(at)], object)}), r"it (asks for|holds an array of O)"),
        (
            lambda at: pickle.dumps({b"data": np.zeros((4, 3072), np.float32), b"labels": [0] * 4}),
            "it holds an array of f4",
        ),
        (lambda at: pickle.dumps({b"data": np.zeros((4, 3072), np.uint8)}), "b'labels'"),
        (lambda at: pickle.dumps([1, 2]), "list indices"),
        (lambda at: b"<html>not found</html>", ""),
        (lambda at: b"", "Ran out of input"),
    ],
)
def test_a_pickle_runs_nothing_and_a_foreign_one_is_named(tmp_path, content, says):
    pickled(tmp_path / "cifar-10-batches-py")
    file = tmp_path / "cifar-10-batches-py/data_batch_2"
    file.write_bytes(content(tmp_path / "harm"))
    with pytest.raises(
        DataError, match=rf"^data=cifar10: {file} is no batch .*{says}.*: delete it and get it"
    ) as caught:
        cifar10(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_wrong_labels_in_a_pickle_are_named(tmp_path):
    pickled(tmp_path / "cifar-10-batches-py", classes=11)
    with pytest.raises(DataError, match="data_batch_1 holds the label 10, but 10 classes allow 0 to 9"):
        cifar10(tmp_path)
