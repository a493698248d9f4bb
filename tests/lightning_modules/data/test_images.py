from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.data.checks import check
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images
from lightning_modules.data.parts import split, statistics

LABELS = np.random.default_rng(0).integers(0, 7, 1000)


def images(**changes) -> Images:
    pixels = np.zeros((20, 4, 4, 3), np.uint8)
    labels = np.arange(20) % 5
    parts = {"train_images": pixels, "train_labels": labels, "test_images": pixels, "test_labels": labels}
    return Images(**(parts | changes))


@pytest.mark.parametrize("held_out", [1, 6, 100, 333, 999])
def test_split_is_exact_disjoint_and_complete(held_out):
    train, val = split(LABELS, held_out, 0)
    assert len(val) == held_out
    assert sorted([*train, *val]) == list(range(1000))


@pytest.mark.parametrize("held_out", [1, 6, 100, 333, 999])
def test_split_keeps_the_classes_proportions(held_out):
    _, val = split(LABELS, held_out, 0)
    share = np.bincount(LABELS, minlength=7) * held_out / 1000
    assert (np.abs(np.bincount(LABELS[val], minlength=7) - share) < 1).all()


FIXED = [6, 8, 10, 11, 16, 24]


def test_split_is_fixed_for_good():
    before = np.random.get_state()[1].copy()
    _, val = split(np.arange(30) % 3, 6, 0)
    assert val.tolist() == FIXED
    assert (np.random.get_state()[1] == before).all()
    assert split(np.arange(30) % 3, 6, 1)[1].tolist() != FIXED


@pytest.mark.parametrize("held_out", [0, -1, 1000, 5000])
def test_split_says_how_many_can_be_held_out(held_out):
    with pytest.raises(ValueError, match=f"held_out={held_out} of 1000 training images: choose from 1 to 999"):
        split(LABELS, held_out, 0)


def test_statistics_are_those_of_the_chosen_images():
    pixels = np.random.default_rng(0).integers(0, 256, (700, 5, 6, 3), dtype=np.uint8)
    chosen = np.arange(0, 700, 2)
    mean, std = statistics(pixels, chosen)
    expected = pixels[chosen].reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(mean, expected.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, expected.std(0), rtol=1e-9)


def test_a_constant_channel_is_safe_to_divide_by():
    mean, std = statistics(np.full((10, 4, 4, 1), 255, np.uint8), np.arange(10))
    assert (mean, std) == (255, 1)


def test_images_on_disk_are_sampled():
    class Lazy:
        shape = (5000, 2, 2, 1)
        asked = 0

        def __getitem__(self, indices):
            self.asked += len(indices)
            return np.zeros((len(indices), 2, 2, 1), np.uint8)

    lazy = Lazy()
    statistics(lazy, np.arange(5000), at_most=100)
    assert lazy.asked == 100


def test_digest_tells_data_sets_apart():
    other = np.zeros((20, 4, 4, 3), np.uint8)
    other[3, 1, 2, 0] = 1
    digests = {images().digest, images(train_images=other).digest, images(test_images=other).digest}
    assert len(digests) == 3
    assert images().digest == images().digest
    assert len(images().digest) == 64


def test_check_passes_what_is_right():
    check(images(), channels=3, size=4, classes=5, name="arrays")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train_labels": np.arange(20)},
            "data=arrays: train_labels holds 19, but 5 classes allow 0 to 4: .*classes=20",
        ),
        ({"test_labels": np.arange(20) % 5 - 1}, "data=arrays: test_labels holds -1, .*number the classes from 0"),
        ({"train_labels": np.zeros(19, int)}, r"train_labels has shape \(19,\), not \(20,\)"),
        ({"train_labels": np.arange(1, 21) % 5 + 1}, "train_labels begin at 1: save labels - 1, so that the 5 classes"),
        ({"test_labels": np.zeros(20)}, r"test_labels are float64 of \(\), and train_labels int64"),
        (
            {"test_images": np.zeros((20, 4, 5, 3), np.uint8)},
            "test_images are 4 x 5 x 3, not 4 x 4 x 3 .*set data.size",
        ),
        ({"test_images": np.zeros((0, 4, 4, 3), np.uint8)}, "test_images holds no image"),
    ],
)
def test_check_says_what_is_wrong_in_one_sentence(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        check(images(**changes), channels=3, size=4, classes=5, name="arrays")
    assert "\n" not in str(caught.value)
