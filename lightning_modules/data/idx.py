"""Read data sets in IDX files: MNIST, Fashion-MNIST and one's own."""

from __future__ import annotations

import gzip
import zlib
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
FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_MNIST_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)


def mnist(folder: Path, *, url: str = MNIST, note: str = "") -> Images:
    """MNIST: 60,000 + 10,000 grey digits of 28 × 28, from `folder`/MNIST/raw or else `url`.   LeCun et al. 1998."""
    return _published(Path(folder), "MNIST/raw", url, MNIST_MD5, data="mnist", note=note)


def fashion_mnist(folder: Path, *, url: str = FASHION_MNIST, note: str = "") -> Images:
    """Fashion-MNIST: clothes in MNIST's format, from `folder`/FashionMNIST/raw or else `url`.   Xiao et al. 2017."""
    return _published(Path(folder), "FashionMNIST/raw", url, FASHION_MNIST_MD5, data="fashion_mnist", note=note)


def idx(
    folder: Path, *, train_images: str, train_labels: str, test_images: str, test_labels: str, note: str = ""
) -> Images:
    """Your own four IDX files, gzipped or not; paths are relative to `folder` (data_dir) or absolute."""
    names = (train_images, train_labels, test_images, test_labels)
    return _images([Path(folder) / name for name in names], data="idx", note=note)


def _published(folder: Path, below: str, url: str, md5: tuple[str, ...], *, data: str, note: str) -> Images:
    """Files as they lie, unpacked or not; those that lie in neither way are downloaded."""
    plain = [folder / below / name for name in NAMES]
    files = [file if file.is_file() else file.with_name(f"{file.name}.gz") for file in plain]
    remote = {
        f"{below}/{n}.gz": Remote(f"{url.rstrip('/')}/{n}.gz", f"md5:{m}") for n, m in zip(NAMES, md5, strict=True)
    }
    fetch_files(
        {n: r for (n, r), file in zip(remote.items(), files, strict=True) if not file.is_file()}, folder, data=data
    )
    images = _images(files, data=data, note=note)
    for file, labels in ((files[1], images.train_labels), (files[3], images.test_labels)):
        if (highest := int(labels.max())) > 9:
            raise DataError(
                f"data={data}: {file} holds the label {highest}, but 10 classes allow 0 to 9: "
                "it is damaged or another data set's, get it again"
            )
    return images


def _images(files: list[Path], *, data: str, note: str) -> Images:
    parts = [read_idx(file, 1 if k % 2 else 3, data=data) for k, file in enumerate(files)]
    for k in (0, 2):
        if len(parts[k]) != len(parts[k + 1]):
            raise DataError(
                f"data={data}: {files[k]} holds {len(parts[k])} images but {files[k + 1]} {len(parts[k + 1])} labels: "
                "get both again"
            )
    train, test = parts[0][..., None], parts[2][..., None]
    return Images(train, parts[1].astype(np.int64), test, parts[3].astype(np.int64), note=note)


def read_idx(file: Path, ndim: int, *, data: str) -> np.ndarray:
    """The uint8 array in an IDX file: two zero bytes, type 8, `ndim`, then big-endian sizes, then the bytes."""
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"data={data}: {file} is a damaged or cut-off .gz file: delete it and get it again") from error
    except OSError as error:
        raise DataError(
            f"data={data}: {file} could not be read ({error.strerror}): correct data_dir or the file"
        ) from error
    start = 4 + 4 * ndim
    if content[:4] != bytes((0, 0, 8, ndim)) or len(content) < start:
        raise DataError(f"data={data}: {file} is not an IDX file of bytes with {ndim} axes: delete it and get it again")
    shape = tuple(np.frombuffer(content, ">u4", ndim, 4).tolist())
    size = int(np.prod(shape))
    if size == 0 or len(content) != start + size:
        held = len(content) - start
        raise DataError(f"data={data}: {file} holds {held} bytes of data, not the {size} it announces: get it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
