"""Choose the images of the training and the validation part."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_modules.data.images import split

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


def divide(labels: np.ndarray, held_out: int, split_seed: int, take: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the ascending indices of the images to train on and to validate on; see `split` and `taken`.

    Raises:
        ValueError: so many images cannot be held out, or taken.
    """
    train, val = split(labels, held_out, split_seed)
    return (train if take is None else train[taken(labels[train], take, split_seed)]), val


def taken(labels: np.ndarray, take: int, split_seed: int) -> np.ndarray:
    """Return the ascending indices of `take` images, in the classes' proportions and at least one of each class.

    What is taken with a smaller `take` is part of it. In a random order of its n images, the k-th of a class has the
    rank (k - 1/2) / n, the first of each class comes before all others, and the images of the lowest ranks are taken
    (Sainte-Laguë's method).

    Raises:
        ValueError: `take` is no whole number from the number of classes to that of the images.
    """
    values, counts = np.unique(labels, return_counts=True)
    if not isinstance(take, int) or isinstance(take, bool) or not len(values) <= take <= len(labels):
        least, most = f"{len(values)} (one of each class)", f"{len(labels)} (all that are not held out)"
        raise ValueError(f"data.take={take} of {len(labels)} images: choose from {least} to {most}, or null for all")
    random = np.random.RandomState([split_seed, TAKE])
    order = np.concatenate([random.permutation(np.flatnonzero(labels == value)) for value in values])
    ranks = [(np.arange(n) + 0.5) * (np.arange(n) > 0) / n for n in counts]
    return np.sort(order[np.argsort(np.concatenate(ranks), kind="stable")[:take]])
