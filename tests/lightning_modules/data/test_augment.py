from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.data.augment import CropFlip, NoAugment, Resize

BATCH = np.random.default_rng(0).integers(1, 256, (24, 6, 6, 3), dtype=np.uint8)


def all_crops(image: np.ndarray, pad: int) -> set[bytes]:
    """Naively: every crop of the padded image, and its mirror image."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    crops = [padded[y : y + height, x : x + width] for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
    return {crop.tobytes() for crop in crops} | {crop[:, ::-1].tobytes() for crop in crops}


@pytest.mark.parametrize("pad", [0, 1, 4])
@pytest.mark.parametrize("shape", [(6, 6, 3), (5, 7, 1)])
def test_each_output_is_a_crop_of_the_padded_original(pad, shape):
    batch = np.random.default_rng(0).integers(1, 256, (24, *shape), dtype=np.uint8)
    before = batch.copy()
    out = CropFlip(pad)(batch, np.random.default_rng(1))
    assert out.shape == batch.shape
    assert out.dtype == np.uint8
    assert all(crop.tobytes() in all_crops(image, pad) for crop, image in zip(out, batch, strict=True))
    assert (batch == before).all()


def test_every_crop_and_both_mirrors_are_equally_likely():
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    out = CropFlip(1)(np.repeat(image, 9000, 0), np.random.default_rng(0))
    kinds, counts = np.unique(out.reshape(9000, -1), axis=0, return_counts=True)
    assert len(kinds) == 18
    assert (np.abs(counts - 500) < 5 * np.sqrt(500)).all()


def test_randomness_comes_from_the_generator_alone():
    first, again, other = (CropFlip()(BATCH, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_resize_is_the_same_in_training_and_evaluation():
    resize = Resize(96)
    trained = resize(BATCH, np.random.default_rng(0))
    assert trained.shape == (24, 96, 96, 3)
    assert trained.dtype == np.uint8
    assert (trained == resize.at_evaluation(BATCH)).all()
    assert resize.out_size(28) == 96


@pytest.mark.parametrize("channels", [1, 3])
def test_resize_is_bilinear(channels):
    from PIL import Image

    batch = np.random.default_rng(0).integers(0, 256, (3, 28, 28, channels), dtype=np.uint8)
    out = Resize(96).at_evaluation(batch)
    for image, resized in zip(batch, out, strict=True):
        expected = Image.fromarray(image.squeeze()).resize((96, 96), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(expected).astype(int).reshape(resized.shape) - resized).max() <= 1


@pytest.mark.parametrize("augment", [NoAugment(), CropFlip()])
def test_others_leave_evaluation_and_size_alone(augment):
    assert augment.at_evaluation(BATCH) is BATCH
    assert augment.out_size(28) == 28


def test_bad_settings_say_what_is_allowed():
    with pytest.raises(ValueError, match=r"augment.pad=-1 is negative: choose 0"):
        CropFlip(-1)
    with pytest.raises(ValueError, match=r"augment.size=0 is not a size: choose 1"):
        Resize(0)
