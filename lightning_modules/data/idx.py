"""Read data sets in IDX files: MNIST, Fashion-MNIST and one's own."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Container
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightning_modules.data.download import Remote, fetch_files
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST_MD5 = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)
DOTTED = tuple(name.replace("-idx", ".idx") for name in NAMES)  # as some copies call them
TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)


def mnist(folder: Path, *, url: str = MNIST, note: str = "") -> Images:
    """MNIST: 60,000 + 10,000 grey digits of 28 × 28, from `folder`/MNIST/raw or else `url`.   LeCun et al. 1998."""
    return _published(Path(folder), "MNIST/raw", url, MNIST_MD5, data="mnist", note=note, names=DIGITS)


def fashion_mnist(folder: Path, *, url: str = FASHION_MNIST, note: str = "") -> Images:
    """Fashion-MNIST: clothes in MNIST's format, from `folder`/FashionMNIST/raw or else `url`.   Xiao et al. 2017."""
    below, md5 = "FashionMNIST/raw", FASHION_MNIST_MD5
    return _published(Path(folder), below, url, md5, data="fashion_mnist", note=note, names=CLOTHES)


def idx(
    folder: Path, *, train_images: str, train_labels: str, test_images: str, test_labels: str, note: str = ""
) -> Images:
    """Your own four IDX files, gzipped or not; paths are relative to `folder` (data_dir) or absolute.

    Images (N, H, W) or (N, H, W, C) and labels (N,) or (N, k) of any of the six types that IDX has.
    """
    names = (train_images, train_labels, test_images, test_labels)
    return _images([Path(folder) / str(name) for name in names], data="idx", note=note)


def _published(
    folder: Path, below: str, url: str, md5: tuple[str, ...], *, data: str, note: str, names: tuple[str, ...]
) -> Images:
    """Files as they lie, unpacked or not, with a dash or a dot in their names; those that are absent are downloaded."""
    files = [_lying(folder / below, pair) for pair in zip(NAMES, DOTTED, strict=True)]
    remote = {
        f"{below}/{n}.gz": Remote(f"{url.rstrip('/')}/{n}.gz", f"md5:{m}") for n, m in zip(NAMES, md5, strict=True)
    }
    fetch_files(
        {n: r for (n, r), file in zip(remote.items(), files, strict=True) if not file.is_file()}, folder, data=data
    )
    images = replace(_images(files, data=data, note=note, published=True), class_names=names, outputs=10)
    for file, labels in ((files[1], images.train_labels), (files[3], images.test_labels)):
        if (highest := int(labels.max())) > 9:
            raise DataError(
                f"data={data}: {file} holds the label {highest}, but 10 classes allow 0 to 9: "
                "it is damaged or another data set's, get it again"
            )
    return images


def _lying(folder: Path, names: tuple[str, ...]) -> Path:
    """The first file there is; where there is none, the publisher's."""
    found = [folder / f"{name}{end}" for name in names for end in ("", ".gz")]
    return next((file for file in found if file.is_file()), found[1])


def _images(files: list[Path], *, data: str, note: str, published: bool = False) -> Images:
    axes, types = (((3,), (1,)), (8,)) if published else (((3, 4), (1, 2)), TYPES)
    parts = [read_idx(file, axes[k % 2], data=data, types=types) for k, file in enumerate(files)]
    for k in (0, 2):
        if len(parts[k]) != len(parts[k + 1]):
            raise DataError(
                f"data={data}: {files[k]} holds {len(parts[k])} images but {files[k + 1]} {len(parts[k + 1])} labels: "
                "get both again"
            )
    train, test = (part[..., None] if part.ndim == 3 else part for part in (parts[0], parts[2]))
    return Images(train, parts[1], test, parts[3], note=note)


def read_idx(file: Path, allowed: tuple[int, ...], *, data: str, types: Container[int] = TYPES) -> np.ndarray:
    """The array in an IDX file: two zero bytes, the type, the number of axes, then big-endian sizes, then the numbers.

    Args:
        allowed: how many axes it may have.
        types: of its numbers that may be, by IDX's codes.
    """
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"data={data}: {file} is a damaged or cut-off .gz file: delete it and get it again") from error
    except OSError as error:
        raise DataError(
            f"data={data}: {file} could not be read ({error.strerror}): correct data_dir or the file"
        ) from error
    code, ndim = tuple(content[2:4]) if len(content) > 3 else (0, 0)
    start = 4 + 4 * ndim
    if content[:2] != bytes(2) or code not in types or ndim not in allowed or len(content) < start:
        kind = f"{'' if types is TYPES else 'of bytes '}with {' or '.join(map(str, allowed))} axes"
        raise DataError(f"data={data}: {file} is not an IDX file {kind}: delete it and get it again")
    shape, dtype = tuple(np.frombuffer(content, ">u4", ndim, 4).tolist()), np.dtype(TYPES[code])
    size = math.prod(shape) * dtype.itemsize
    if size == 0 or len(content) != start + size:
        held = len(content) - start
        raise DataError(f"data={data}: {file} holds {held} bytes of data, not the {size} it announces: get it again")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
