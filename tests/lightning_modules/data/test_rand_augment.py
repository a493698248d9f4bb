"""The operations of RandAugment are those of Pillow, with which they were published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from lightning_modules.data.augment import NoAugment
from lightning_modules.data.rand_augment import OPERATIONS, RandAugment, operation

SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((40, 32), 3)
PICTURE = np.asarray(SMOOTH.filter(ImageFilter.GaussianBlur(1)))


def moved(*matrix: float) -> Callable[[Any], Any]:
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix)


def by_pillow(m: float) -> dict[str, Callable[[Any], Any]]:
    return {
        "autocontrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "rotate": lambda image: image.rotate(30 * m),
        "solarize": lambda image: ImageOps.solarize(image, 256 * (1 - abs(m))),
        "color": lambda image: ImageEnhance.Color(image).enhance(1 + 0.9 * m),
        "posterize": lambda image: ImageOps.posterize(image, 8 - round(4 * abs(m))),
        "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1 + 0.9 * m),
        "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1 + 0.9 * m),
        "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * m),
        "shear_x": moved(1, 0.3 * m, 0, 0, 1, 0),
        "shear_y": moved(1, 0, 0, 0.3 * m, 1, 0),
        "translate_x": moved(1, 0, round(150 / 331 * m * 40), 0, 1, 0),
        "translate_y": moved(1, 0, 0, 0, 1, round(150 / 331 * m * 32)),
    }


@pytest.mark.parametrize("strength", [0.3, -0.3, 0.8])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "identity"])
def test_an_operation_is_pillows(name: str, strength: float) -> None:
    expected = np.asarray(by_pillow(strength)[name](Image.fromarray(PICTURE))).astype(int)
    made = operation(name, torch.from_numpy(PICTURE.copy())[None], torch.tensor([strength]))[0].numpy().astype(int)
    assert (np.abs(made - expected) > 2).mean() < 0.02, "but for rounding at the edges of pixels"
    assert (made != PICTURE).any()


@pytest.mark.parametrize("size", [(32, 40), (40, 40), (17, 23)])
def test_equalize_is_pillows_to_the_last_digit(size: tuple[int, int]) -> None:
    """Of a dark picture, so that the table's steps are large and their rounding shows."""
    pixels = np.random.default_rng(1).normal(60, 25, (*size, 3)).clip(0, 255).astype(np.uint8)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(pixels)))
    made = operation("equalize", torch.from_numpy(pixels)[None], torch.tensor([0.3]))[0].numpy()
    assert (made == expected).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_it_takes_grey_and_colour_and_is_a_function_of_the_generator(channels: int) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (64, 8, 8, channels), dtype=np.uint8)
    augment = RandAugment(NoAugment(), operations=2, magnitude=9)
    first, again, other = (augment(batch.copy(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (first.dtype, first.shape) == (np.uint8, batch.shape)
    assert (RandAugment(NoAugment(), operations=0)(batch.copy(), np.random.default_rng(0)) == batch).all()


def test_each_operation_and_sign_is_equally_likely() -> None:
    drawn = RandAugment(NoAugment(), operations=3).own_draw(28_000, np.random.default_rng(0))
    kinds, counts = np.unique(np.concatenate([2 * drawn[0::2] + drawn[1::2]]), return_counts=True)
    assert len(kinds) == 2 * len(OPERATIONS) == 28
    assert (np.abs(counts - 3000) < 5 * np.sqrt(3000)).all()


def test_a_magnitude_beyond_the_published_is_refused() -> None:
    with pytest.raises(ValueError, match="magnitude=31 must be from 0 to 30"):
        RandAugment(NoAugment(), magnitude=31)
