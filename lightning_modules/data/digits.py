"""Read the digits that come with this package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_modules.data.images import Images, split

EMBEDDED = Path(__file__).with_name("digits.npz")


def digits(folder: Path, *, split_seed: int = 0) -> Images:
    """1,797 handwritten digits, 8 × 8 pixels from 0 to 16: 1,437 to train and 360 to test, in the classes' proportions.

    They come with this package (`folder` is not looked at): the test part of E. Alpaydin and C. Kaynak, "Optical
    Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0, in the
    order scikit-learn's `load_digits` has them, stored as uint8. `split_seed` decides which are to test.
    """
    with np.load(EMBEDDED) as stored:
        pixels, labels = stored["images"][..., None], stored["labels"].astype(np.int64)
    train, test = split(labels, held_out=360, split_seed=split_seed)
    return Images(pixels[train], labels[train], pixels[test], labels[test])
