"""Read the digits that come with this package, as images or as series."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lightning_modules.data.images import Images
from lightning_modules.data.parts import split

EMBEDDED = Path(__file__).with_name("digits.npz")
NAMES = tuple("0123456789")


def digits(folder: Path, *, split_seed: int = 0) -> Images:
    """1,797 handwritten digits, 8 × 8 pixels from 0 to 16: 1,437 to train and 360 to test, in the classes' proportions.

    They come with this package (`folder` is not looked at): the test part of E. Alpaydin and C. Kaynak, "Optical
    Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0, in the
    order scikit-learn's `load_digits` has them, stored as uint8. `split_seed` decides which are to test.
    """
    with np.load(EMBEDDED) as stored:
        pixels, labels = stored["images"][..., None], stored["labels"].astype(np.int64)
    train, test = split(labels, held_out=360, split_seed=split_seed)
    return Images(pixels[train], labels[train], pixels[test], labels[test], class_names=NAMES)


def digits_rows(folder: Path, *, as_images: bool = False, split_seed: int = 0) -> Images:
    """Each digit as a series of its 8 rows, a row of 8 pixels a step: (C, L) = (8, 8). See `digits` and `series`."""
    return series(digits(folder, split_seed=split_seed), 8, as_images=as_images)


def digits_pixels(folder: Path, *, as_images: bool = False, split_seed: int = 0) -> Images:
    """Each digit as a series of its 64 pixels, row by row, one a step: (C, L) = (1, 64). See `digits` and `series`."""
    return series(digits(folder, split_seed=split_seed), 64, as_images=as_images)


def series(images: Images, steps: int, *, as_images: bool = False) -> Images:
    """Cut each image, read row by row, into `steps` steps: (N, steps, pixels a step).

    With `as_images`, a series is an image one pixel high and `steps` wide, so that networks for images convolve over
    the steps.
    """
    if not isinstance(as_images, bool):
        raise ValueError(f"as_images={as_images} is neither true nor false")
    shape = (1, steps, -1) if as_images else (steps, -1)

    def cut(pixels: np.ndarray) -> np.ndarray:
        return pixels.reshape(len(pixels), *shape)

    train, test = (cut(np.asarray(part)) for part in (images.train_images, images.test_images))
    return replace(images, train_images=train, test_images=test)
