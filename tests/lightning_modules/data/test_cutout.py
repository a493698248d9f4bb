"""A square is blacked out, of the size that is asked for, anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.data.augment import CropFlip, NoAugment
from lightning_modules.data.cutout import Cutout

BATCH = np.full((4000, 7, 9, 2), 255, np.uint8)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_hole_is_a_square_of_that_size_but_for_what_sticks_out(size: int) -> None:
    holes = Cutout(NoAugment(), size=size)(BATCH.copy(), np.random.default_rng(0)) == 0
    assert (holes[..., 0] == holes[..., 1]).all(), "in all channels"
    rows, columns = holes.any((2, 3)).sum(1), holes.any((1, 3)).sum(1)
    assert (holes[..., 0].sum((1, 2)) == rows * columns).all(), "a rectangle"
    assert (rows.max(), columns.max()) == (size, size)
    assert rows.min() >= min(1, size // 2)


def test_its_centre_is_equally_likely_everywhere() -> None:
    holes = (Cutout(NoAugment(), size=1)(BATCH.copy(), np.random.default_rng(0)) == 0)[..., 0]
    assert (holes.sum((1, 2)) == 1).all()
    counts = holes.sum(0)
    assert (np.abs(counts - 4000 / 63) < 5 * np.sqrt(4000 / 63)).all()


def test_a_device_that_holds_the_data_makes_the_same_batch() -> None:
    batch = np.random.default_rng(0).integers(1, 256, (24, 6, 6, 3), dtype=np.uint8)
    cutout = Cutout(CropFlip(2), size=3)
    assert cutout.resident
    drawn = torch.from_numpy(cutout.draw(24, np.random.default_rng(5)))
    made = cutout.on_device(torch.from_numpy(batch), drawn).numpy()
    assert (made == cutout(batch.copy(), np.random.default_rng(5))).all()
