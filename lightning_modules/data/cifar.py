"""Read data sets in CIFAR's binary layout: CIFAR-10, CIFAR-100 and one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_modules.data.cifar_pickles import read_batches, read_names
from lightning_modules.data.download import Archive, fetch_archive
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images

CIFAR10 = Archive("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530")
CIFAR100 = Archive("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8")

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def cifar10(folder: Path, *, url: str = CIFAR10.url, note: str = "") -> Images:
    """CIFAR-10: 50,000 + 10,000 images of 32 × 32 × 3, from `folder`/cifar-10-batches-bin or else from `url`.

    Where that folder is not there, cifar-10-batches-py is read if it is: the pickles that torchvision keeps. Where the
    files are not the publisher's (re-compressed, say), `note` is what every output must say of them.
    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    train = {f"cifar-10-batches-bin/data_batch_{k}.bin": 10_000 for k in range(1, 6)}
    test = {"cifar-10-batches-bin/test_batch.bin": 10_000}
    pickled = Path(folder) / "cifar-10-batches-py"
    if pickled.is_dir() and not (Path(folder) / "cifar-10-batches-bin").is_dir():
        batches = [f"data_batch_{k}" for k in range(1, 6)], ["test_batch"]
        return _pickled(pickled, *batches, b"labels", data="cifar10", note=note, names=NAMES)
    fetch_archive(Archive(url, CIFAR10.checksum), Path(folder), [*train, *test], data="cifar10")
    return _images(folder, train, test, data="cifar10", classes=10, note=note, names=NAMES)


def cifar100(folder: Path, *, url: str = CIFAR100.url, note: str = "") -> Images:
    """CIFAR-100 with its fine labels: as CIFAR-10, from cifar-100-binary or cifar-100-python, or else from `url`."""
    pickled = Path(folder) / "cifar-100-python"
    if pickled.is_dir() and not (Path(folder) / "cifar-100-binary").is_dir():
        names = read_names(pickled / "meta", b"fine_label_names")
        return _pickled(
            pickled, ["train"], ["test"], b"fine_labels", data="cifar100", note=note, names=names, classes=100
        )
    train, test = {"cifar-100-binary/train.bin": 50_000}, {"cifar-100-binary/test.bin": 10_000}
    fetch_archive(Archive(url, CIFAR100.checksum), Path(folder), [*train, *test], data="cifar100")
    return _images(folder, train, test, data="cifar100", classes=100, note=note, label_bytes=2)


def cifar_binary(
    folder: Path,
    *,
    train: Sequence[str],
    test: Sequence[str],
    classes: int,
    size: Any = 32,
    channels: int = 3,
    label_bytes: int = 1,
    note: str = "",
) -> Images:
    """Your own files in CIFAR's binary layout: `label_bytes` (the last is the label), then the planes of pixels."""
    height, width = (size, size) if isinstance(size, int) else size
    shape = channels, height, width
    parts = dict.fromkeys(train), dict.fromkeys(test)
    return _images(
        folder, *parts, data="cifar_binary", classes=classes, note=note, label_bytes=label_bytes, shape=shape
    )


def _images(
    folder: Path,
    train: Mapping[str, int | None],
    test: Mapping[str, int | None],
    *,
    data: str,
    classes: int,
    note: str,
    label_bytes: int = 1,
    shape: tuple[int, int, int] = (3, 32, 32),
    names: tuple[str, ...] = (),
) -> Images:
    """The files named by `train` and `test`, each with the number of records it must hold (None: any)."""

    def read(files: Mapping[str, int | None]) -> tuple[np.ndarray, np.ndarray]:
        records = [_records(Path(folder) / name, n, data, label_bytes, shape, classes) for name, n in files.items()]
        count, (channels, height, width) = sum(map(len, records)), shape
        pixels, labels = np.empty((count, height, width, channels), np.uint8), np.empty(count, np.int64)
        start = 0
        for part in records:
            here = slice(start, start := start + len(part))
            pixels[here] = part[:, label_bytes:].reshape(-1, *shape).transpose(0, 2, 3, 1)
            labels[here] = part[:, label_bytes - 1]
        return pixels, labels

    return Images(*read(train), *read(test), note=note, class_names=names, outputs=classes)


def _pickled(
    folder: Path,
    train: Sequence[str],
    test: Sequence[str],
    label: bytes,
    *,
    data: str,
    note: str,
    names: tuple[str, ...],
    classes: int = 10,
) -> Images:
    """The batches below `folder` that are named."""

    def read(files: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return read_batches([folder / name for name in files], label, data=data, classes=classes)

    return Images(*read(train), *read(test), note=note, class_names=names, outputs=classes)


def _records(
    file: Path, count: int | None, data: str, label_bytes: int, shape: tuple[int, int, int], classes: int
) -> np.ndarray:
    length = label_bytes + int(np.prod(shape))
    try:
        content = np.fromfile(file, np.uint8)
    except OSError as error:
        raise DataError(
            f"data={data}: {file} could not be read ({error.strerror}): correct data_dir or the file"
        ) from error
    expected = f"{count} records of {length} bytes" if count else f"a whole number of {length}-byte records"
    if not len(content) or len(content) % length or (count and len(content) != count * length):
        raise DataError(f"data={data}: {file} has {len(content)} bytes, not {expected}: delete it and get it again")
    records = content.reshape(-1, length)
    if (highest := int(records[:, label_bytes - 1].max())) >= classes:
        raise DataError(
            f"data={data}: {file} holds the label {highest}, but {classes} classes allow 0 to {classes - 1}: "
            "it is damaged or another data set's, get it again"
        )
    return records
