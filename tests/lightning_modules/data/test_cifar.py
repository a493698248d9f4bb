from __future__ import annotations

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


def test_real_cifar10(real):
    images = cifar10(real, note="CIFAR-10 (JPEG)")
    assert np.bincount(images.train_labels).tolist() == [5000] * 10
    assert np.bincount(images.test_labels).tolist() == [1000] * 10
    mean = images.train_images.reshape(-1, 3).mean(0, dtype=np.float64) / 255
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=0.002)  # the published channel means
