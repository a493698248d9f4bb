from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_modules.data.digits import digits, digits_pixels, digits_rows

DIGEST = "980675725e31e67ade07a63e84b641368beba87374070082371ba9916f17b25f"


def test_digits_are_what_scikit_learn_has(tmp_path):
    images = digits(tmp_path)
    labels = np.concatenate([images.train_labels, images.test_labels])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images.train_images.shape == (1437, 8, 8, 1)
    assert images.test_images.shape == (360, 8, 8, 1)
    assert max(images.train_images.max(), images.test_images.max()) == 16
    total = sum(int(part.sum(dtype=np.int64)) for part in (images.train_images, images.test_images))
    assert total == 561718  # load_digits().data.sum()


def test_the_test_part_is_stratified_and_fixed(tmp_path):
    images = digits(tmp_path)
    assert np.bincount(images.test_labels).tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    assert images.digest == DIGEST


@pytest.mark.parametrize(("source", "steps"), [(digits_rows, 8), (digits_pixels, 64)])
def test_digits_are_series_of_their_rows_or_pixels(source, steps):
    whole, series = digits(Path()), source(Path())
    assert series.train_images.shape == (1437, steps, 64 // steps)
    assert (series.train_images.reshape(whole.train_images.shape) == whole.train_images).all()
    assert (series.test_labels == whole.test_labels).all()
    assert source(Path(), as_images=True).test_images.shape == (360, 1, steps, 64 // steps)
    assert source(Path(), split_seed=3).digest != series.digest
