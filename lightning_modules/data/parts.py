"""Choose the examples of the training and the validation part, and compute the statistics of the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lightning_modules.data.checks import check_held_out
from lightning_modules.data.images import Images, Pixels

SPLITS = ("fixed", "seed")
TAKE = 1  # the random stream of `taken`, beside the one of `split`


def split_seed_of(split: str, split_seed: int, seed: int) -> int:
    """Return the seed by which the images are split: `split_seed`, mixed with the run's `seed` where `split` is "seed".

    Raises:
        ValueError: `split` is neither "fixed" nor "seed".
    """
    if split not in SPLITS:
        raise ValueError(f"split={split} is neither {' nor '.join(SPLITS)}")
    if split == "fixed":
        return split_seed
    return int(np.random.SeedSequence([split_seed, seed]).generate_state(1)[0])


def divided(
    images: Images, held_out: Any, split_seed: int, take: Any = None, split: str = "fixed"
) -> tuple[np.ndarray, np.ndarray]:
    """As `divide`, for a data set. A validation part that it brings itself is used, unless `split` is "seed"."""
    if images.validation is None or split == "seed":
        return divide(images.train_labels, held_out, split_seed, take)
    check_held_out(held_out)
    train = np.setdiff1d(np.arange(len(images.train_labels)), images.validation)
    return _train(images.train_labels, train, take, split_seed), images.validation


def divide(labels: np.ndarray, held_out: Any, split_seed: int, take: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the ascending indices of the images to train on and to validate on; see `split` and `taken`.

    Args:
        held_out: how many, or a share of them between 0 and 1.

    Raises:
        ValueError: so many images cannot be held out, or taken.
    """
    check_held_out(held_out)
    if isinstance(held_out, float):
        held_out = max(1, round(held_out * len(labels)))
    train, val = split(labels, held_out, split_seed)
    return _train(labels, train, take, split_seed), val


def _train(labels: np.ndarray, train: np.ndarray, take: Any, split_seed: int) -> np.ndarray:
    return train if take is None else train[taken(labels[train], take, split_seed)]


def split(labels: np.ndarray | Sequence[int], held_out: int, split_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split into ascending indices (train, validation), `held_out` of them for validation in the classes' proportions.

    It depends on its arguments alone: NumPy guarantees RandomState's stream for good, but not Generator's.

    Raises:
        ValueError: unless 0 < held_out < len(labels).
    """
    labels = strata(np.asarray(labels))
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


def taken(labels: np.ndarray, take: Any, split_seed: int) -> np.ndarray:
    """Return the ascending indices of `take` images, in the classes' proportions and at least one of each class.

    What is taken with a smaller `take` is part of it. In a random order of its n images, the k-th of a class has the
    rank (k - 1/2) / n, the first of each class comes before all others, and the images of the lowest ranks are taken
    (Sainte-Laguë's method).

    Args:
        take: how many, or a share of them between 0 and 1.

    Raises:
        ValueError: `take` is no whole number from the number of classes to that of the images, and no such share.
    """
    labels = strata(labels)
    values, counts = np.unique(labels, return_counts=True)
    count = round(take * len(labels)) if isinstance(take, float) and 0 < take < 1 else take
    if not isinstance(count, int) or isinstance(count, bool) or not len(values) <= count <= len(labels):
        least, most = f"{len(values)} (one of each class)", f"{len(labels)} (all that are not held out)"
        raise ValueError(f"data.take={take} of {len(labels)} images: choose from {least} to {most}, or null for all")
    random = np.random.RandomState([split_seed, TAKE])
    order = np.concatenate([random.permutation(np.flatnonzero(labels == value)) for value in values])
    ranks = [(np.arange(n) + 0.5) * (np.arange(n) > 0) / n for n in counts]
    return np.sort(order[np.argsort(np.concatenate(ranks), kind="stable")[:count]])


def strata(labels: np.ndarray) -> np.ndarray:
    """Return what proportions are kept of: the classes; targets that are no classes are all of one stratum."""
    return labels if labels.ndim == 1 and labels.dtype.kind in "iub" else np.zeros(len(labels), np.int64)


def statistics(pixels: Pixels, indices: np.ndarray, *, at_most: int = 2048) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of each channel, in raw units, float64 (C,); 1 for a constant channel.

    Images on disk are sampled evenly (`at_most`), arrays are used whole. Tokens have no statistics: (0,). Sums of 256
    squares of bytes stay below 2**24, so float32 holds them exactly and the result does not depend on the order of
    summation.
    """
    dtype = getattr(pixels, "dtype", np.uint8)
    if dtype == np.int64:
        return np.zeros(0), np.ones(0)
    if dtype != np.uint8:
        return _of_floats(pixels, indices)
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


def _of_floats(numbers: Pixels, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation in float64, the squares about the mean: floats may be tiny, or far from 0."""
    channels = numbers.shape[-1]
    chunks = [indices[start : start + 256] for start in range(0, len(indices), 256)]

    def mean_of(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        sums = sum(function(numbers[chunk].astype(np.float64)).reshape(-1, channels).sum(0) for chunk in chunks)
        return np.asarray(sums) * channels / (len(indices) * int(np.prod(numbers.shape[1:])))

    mean = mean_of(lambda chunk: chunk)
    deviation = np.sqrt(mean_of(lambda chunk: np.square(chunk - mean)))
    return mean, np.where(deviation <= 1e-9 * np.abs(mean), 1.0, deviation)
