"""Make small data sets of numbers and of labels out of the digits that come with this package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lightning_modules.data.digits import digits
from lightning_modules.data.images import Images

TRAITS = ("even", "prime", "above four", "closed loop")
MEMBERS = ((0, 2, 4, 6, 8), (2, 3, 5, 7), (5, 6, 7, 8, 9), (0, 6, 8, 9))


def digits_centre(folder: Path, *, split_seed: int = 0) -> Images:
    """The digits, and the centre of their ink: targets (N, 2), row and column in pixels, for a regression."""
    images = digits(folder, split_seed=split_seed)
    return replace(images, train_labels=_centre(images.train_images), test_labels=_centre(images.test_images))


def digits_traits(folder: Path, *, split_seed: int = 0) -> Images:
    """The digits, and which of `TRAITS` they have: targets (N, 4) of 0 and 1, for a multilabel task."""
    images = digits(folder, split_seed=split_seed)
    return replace(images, train_labels=_traits(images.train_labels), test_labels=_traits(images.test_labels))


def _centre(images: np.ndarray | object) -> np.ndarray:
    ink = np.asarray(images, np.float64)[..., 0]
    places = np.arange(ink.shape[1])
    mass = ink.sum(axis=(1, 2))
    return np.stack([ink.sum(axis=2) @ places / mass, ink.sum(axis=1) @ places / mass], axis=1).astype(np.float32)


def _traits(labels: np.ndarray) -> np.ndarray:
    return np.stack([np.isin(labels, members) for members in MEMBERS], axis=1).astype(np.int64)
