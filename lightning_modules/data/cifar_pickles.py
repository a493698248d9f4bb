"""Read CIFAR's batches as they are pickled for Python, without running anything that a pickle asks for."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_modules.data.errors import DataError

PIXELS = 3 * 32 * 32
CORES = ("core", "_core")  # of NumPy, before 2 and since
NUMBERS = re.compile("[iu][1248]")


class _Type:
    """Keeps what a pickled NumPy dtype says: its name."""

    def __init__(self, name: Any = "", *args: Any) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else str(name)

    def __setstate__(self, state: Any) -> None:
        if not NUMBERS.fullmatch(self.name):
            raise ValueError(f"it holds an array of {self.name}")


class _Array:
    """Keeps what a pickled NumPy array holds; NumPy itself is called by nothing in the file."""

    def __init__(self, *args: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def value(self) -> np.ndarray:
        _, shape, dtype, by_columns, content = self.state
        content = content.encode("latin1") if isinstance(content, str) else content
        return np.frombuffer(content, f"<{dtype.name}").reshape(shape, order="F" if by_columns else "C")


def _of_buffer(content: Any, dtype: _Type, shape: Any, order: str) -> _Array:
    array = _Array()
    array.state = 1, shape, dtype, order == "F", content
    return array


def _scalar(dtype: _Type, content: Any) -> int:
    return int(_of_buffer(content, dtype, (), "C").value)


def _text(text: Any, encoding: Any = "latin1") -> bytes:
    """What Python 3 writes for bytes in an old protocol: `_codecs.encode(text, "latin1")`."""
    return text.encode("latin1")


ALLOWED = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in CORES},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in CORES},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _of_buffer for core in CORES},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _text,
}


class _Unpickler(pickle.Unpickler):
    """Makes plain data alone; every name of an array's parts stands for a class of this module."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_batches(files: Sequence[Path], label: bytes, *, data: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (N, 32, 32, 3), and the labels of some batches.

    Args:
        label: the key of the labels.

    Raises:
        DataError: a file is damaged, or asks for more than an array of bytes, which is not done.
    """
    batches = [_batch(file, label, data, classes) for file in files]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, np.concatenate([labels for _, labels in batches])


def read_names(file: Path, key: bytes) -> tuple[str, ...]:
    """Return the names of the classes; none where the file cannot be read."""
    try:
        with open(file, "rb") as stream:
            return tuple(str(name, "utf-8") for name in _Unpickler(stream, encoding="bytes").load()[key])
    except Exception:  # whatever a damaged pickle raises: names are not needed
        return ()


def _batch(file: Path, label: bytes, data: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    again = "delete it and get it again"
    try:
        with open(file, "rb") as stream:
            found = _Unpickler(stream, encoding="bytes").load()
        pixels, labels = _bytes(found[b"data"]), _labels(found[label])
    except OSError as error:
        raise DataError(
            f"data={data}: {file} could not be read ({error.strerror}): correct data_dir or the file"
        ) from error
    except Exception as error:  # whatever a damaged pickle raises
        raise DataError(
            f"data={data}: {file} is no batch of CIFAR's as it is pickled ({_reason(error)}): {again}"
        ) from error
    if labels.ndim != 1 or len(pixels) != len(labels) or not len(labels):
        raise DataError(f"data={data}: {file} has {len(pixels)} images and {len(labels)} labels: {again}")
    if labels.min() < 0 or labels.max() >= classes:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise DataError(
            f"data={data}: {file} holds the label {wrong}, but {classes} classes allow 0 to {classes - 1}: {again}"
        )
    return pixels, labels


def _bytes(array: Any) -> np.ndarray:
    """The rows of pixels of a pickled uint8 array."""
    pixels = array.value
    if pixels.dtype != np.uint8:
        raise ValueError(f"its pixels are {pixels.dtype}, not bytes")
    return pixels.reshape(-1, PIXELS)


def _labels(labels: Any) -> np.ndarray:
    return np.array(labels.value if isinstance(labels, _Array) else labels, np.int64)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
