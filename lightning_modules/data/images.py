"""Hold a data set as arrays of uint8, check it, split it, and compute its statistics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lightning_modules.data.errors import DataError


class Pixels(Protocol):
    """Images (N, H, W, C) of uint8: a NumPy array, or something that decodes the ones it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, indices: np.ndarray, /) -> np.ndarray: ...


class OnDisk(Pixels, Protocol):
    """Images that are decoded when asked for."""

    def listing(self) -> bytes:
        """What stands for them in a digest: names and sizes in bytes."""
        ...


@dataclass(frozen=True)
class Images:
    """A data set: uint8 NHWC images, int64 labels, and what every output made from them must say ('' for nothing)."""

    train_images: np.ndarray | OnDisk
    train_labels: np.ndarray
    test_images: np.ndarray | OnDisk
    test_labels: np.ndarray
    note: str = ""

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of shapes and contents; of names and sizes where the images stay on disk."""
        total = hashlib.sha256()
        for part in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            total.update(repr(tuple(part.shape)).encode())
            total.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part.listing())
        return total.hexdigest()


def check(images: Images, *, channels: int, size: int, classes: int, name: str) -> None:
    """Raise DataError unless the data set `name` has the channels, size and classes that its config states."""
    for part in ("train", "test"):
        pixels, labels = getattr(images, f"{part}_images"), getattr(images, f"{part}_labels")
        _check_pixels(pixels, f"data={name}: {part}_images", channels=channels, size=size)
        _check_labels(labels, f"data={name}: {part}_labels", classes=classes, count=len(pixels))


def _check_pixels(pixels: Pixels, what: str, *, channels: int, size: int) -> None:
    dtype = getattr(pixels, "dtype", np.dtype(np.uint8))
    if dtype != np.uint8:
        raise DataError(f"{what} are {dtype}, not uint8: save pixels as whole numbers from 0 to 255")
    if len(pixels) == 0:
        raise DataError(f"{what} holds no image: at least one is needed")
    if tuple(pixels.shape[1:]) != (size, size, channels):
        found = " x ".join(map(str, pixels.shape[1:]))
        wanted = f"{size} x {size} x {channels} (height x width x channels)"
        hint = "set data.size and data.channels to what the files hold"
        raise DataError(f"{what} are {found}, not {wanted} as the config says: {hint}")


def _check_labels(labels: np.ndarray, what: str, *, classes: int, count: int) -> None:
    if labels.shape != (count,):
        raise DataError(f"{what} has shape {labels.shape}, not ({count},): every image needs one label")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{what} are {labels.dtype}, not integers: number the classes from 0")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        hint = "number the classes from 0" if low < 0 else f"correct the labels or set data.classes={high + 1}"
        raise DataError(f"{what} holds {wrong}, but {classes} classes allow 0 to {classes - 1}: {hint}")


def split(labels: np.ndarray | Sequence[int], held_out: int, split_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split into ascending indices (train, validation), `held_out` of them for validation in the classes' proportions.

    It depends on its arguments alone: NumPy guarantees RandomState's stream for good, but not Generator's.

    Raises:
        ValueError: unless 0 < held_out < len(labels).
    """
    labels = np.asarray(labels)
    if not 0 < held_out < len(labels):
        raise ValueError(f"held_out={held_out} of {len(labels)} training images: choose from 1 to {len(labels) - 1}")
    if not 0 <= split_seed < 2**32:
        raise ValueError(f"split_seed={split_seed} is not a seed: choose from 0 to {2**32 - 1}")
    values, counts = np.unique(labels, return_counts=True)
    shares, left = np.divmod(held_out * counts, len(labels))
    largest = np.argsort(-left, kind="stable")[: held_out - shares.sum()]
    shares[largest] += 1
    random = np.random.RandomState(split_seed)
    taken = [random.permutation(np.flatnonzero(labels == v))[:n] for v, n in zip(values, shares, strict=True)]
    chosen = np.zeros(len(labels), bool)
    chosen[np.concatenate(taken)] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def statistics(pixels: Pixels, indices: np.ndarray, *, at_most: int = 2048) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of each channel, in raw pixel units, float64 (C,); 1 for a constant channel.

    Images on disk are sampled evenly (`at_most`), arrays are used whole. Sums of 256 squares stay below 2**24, so
    float32 holds them exactly and the result does not depend on the order of summation.
    """
    if not isinstance(pixels, np.ndarray) and len(indices) > at_most:
        indices = indices[np.linspace(0, len(indices) - 1, at_most).astype(np.int64)]
    channels = pixels.shape[-1]
    first = second = np.zeros(int(np.prod(pixels.shape[1:])))
    for start in range(0, len(indices), 256):
        chunk = pixels[indices[start : start + 256]].astype(np.float32)
        chunk = chunk.reshape(len(chunk), -1)
        first = first + chunk.sum(0)
        second = second + np.square(chunk, out=chunk).sum(0)
    count = len(indices) * first.size // channels
    mean = first.reshape(-1, channels).sum(0) / count
    variance = second.reshape(-1, channels).sum(0) / count - mean**2
    return mean, np.where(variance < 1e-9, 1.0, np.sqrt(np.maximum(variance, 0)))
