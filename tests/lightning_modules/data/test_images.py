from __future__ import annotations

import numpy as np
import pytest

from lightning_modules.data.checks import check
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images, targets
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


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        (np.zeros((20, 4, 4, 3), np.int64) + 255, np.uint8),
        (np.zeros((20, 4, 4, 3), bool), np.uint8),
        (np.zeros((20, 4, 4, 3), np.uint16) + 256, np.float32),
        (np.zeros((20, 4, 4, 3), np.int8) - 1, np.float32),
        (np.zeros((20, 4, 4, 3), np.float64) + 0.5, np.float32),
        (np.zeros((20, 4, 4, 3), np.float16), np.float32),
        (np.zeros((20, 9, 2), np.float64), np.float32),
        (np.zeros((20, 7)), np.float32),
        (np.zeros((20, 7), np.int32), np.int64),
    ],
)
def test_numbers_of_any_type_are_stored_as_bytes_floats_or_tokens(inputs, dtype):
    stored = images(train_images=inputs, test_images=inputs).prepared("mine")
    assert stored.train_images.dtype == dtype
    assert (stored.train_images == inputs).all()
    assert stored.tokens == (dtype == np.int64)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (np.full((20, 4, 4, 3), np.nan), "train_images holds NaN or infinity in 20 of 20 examples"),
        (np.full((20, 3), 1e300), "train_images holds NaN or infinity in 20 of 20 examples"),
        (np.zeros((20, 3), complex), "train_images are complex128, not numbers"),
        (np.full((20, 3), "a"), "train_images are <U1, not numbers"),
        (np.zeros(20), "train_images have 1 axes: save images"),
        (np.zeros((20, 1, 1, 1, 1)), "train_images have 5 axes: save images"),
        (np.zeros((20, 0, 3)), "train_images are 20 x 0 x 3: no axis may be empty"),
        (np.full((20, 3), -1), "train_images holds the token -1: number tokens from 0"),
    ],
)
def test_what_is_no_number_is_refused(inputs, says):
    with pytest.raises(DataError, match=f"^data=mine: {says}"):
        images(train_images=inputs).prepared("mine")


@pytest.mark.parametrize(
    ("targets", "dtype", "classes"),
    [
        (np.arange(20, dtype=np.uint8) % 5, np.int64, 5),
        (np.arange(20) % 2 == 0, np.int64, 2),
        (np.linspace(0, 1, 20), np.float32, 1),
        (np.zeros((20, 3)), np.float32, 3),
        (np.zeros((20, 4), np.uint8), np.int64, 4),
    ],
)
def test_targets_are_of_any_type_and_shape(targets, dtype, classes):
    stored = images(train_labels=targets, test_labels=targets).prepared("mine")
    assert stored.train_labels.dtype == dtype
    assert stored.classes == classes
    check(stored, channels=3, size=4, classes=classes, name="mine")


@pytest.mark.parametrize(
    "numbers", [1.6e9 + np.arange(40), 1_600_000_000 + np.arange(40), np.arange(80).reshape(40, 2) + np.array([0, 1e9])]
)
def test_targets_that_float32_does_not_tell_apart_are_refused(numbers):
    with pytest.raises(DataError, match="differ too little for float32 to tell them apart: subtract their mean first"):
        targets(numbers, "train_labels")
    assert len(targets(numbers - numbers.mean(0), "train_labels")) == 40
    assert len(targets(np.full(40, 0.1), "train_labels")) == 40


def test_a_data_set_knows_its_sizes():
    def of(inputs, **more):
        stored = images(train_images=inputs, test_images=inputs, **more).prepared("mine")
        return stored.channels, stored.size, stored.classes

    assert of(np.zeros((20, 4, 4, 3))) == (3, 4, 5)
    assert of(np.zeros((20, 4, 6, 1))) == (1, (4, 6), 5)
    assert of(np.zeros((20, 9, 2))) == (2, (9,), 5)
    assert of(np.zeros((20, 7))) == (7, (), 5)
    tokens = np.arange(140).reshape(20, 7) % 11
    assert of(tokens) == (11, (7,), 5)
    assert of(tokens, train_labels=tokens, test_labels=tokens) == (11, (7,), 11), "the next token"


@pytest.mark.parametrize(
    ("labels", "classes", "says"),
    [
        (np.arange(20) % 5 + 1, 6, "begin at 1: save labels - 1, so that the 5 classes are 0 to 4"),
        (np.arange(20) % 5 + 1, 5, "begin at 1: save labels - 1, so that the 5 classes are 0 to 4"),
        (np.arange(20) % 2, 1000, "hold 2 classes, not 1000: leave data.classes out, or set it to 2"),
        (np.arange(20) % 5 * 2, 9, "never hold 1, 3, 5 and more: number the classes from 0 to 4"),
    ],
)
def test_an_output_that_nothing_teaches_is_refused(labels, classes, says):
    stored = images(train_labels=labels, test_labels=labels)
    with pytest.raises(DataError, match=f"^data=mine: train_labels {says}"):
        check(stored, channels=3, size=4, classes=classes, name="mine")


def test_channels_that_come_first_are_told_how_to_come_last():
    first = np.zeros((20, 3, 4, 4), np.uint8)
    with pytest.raises(DataError, match=r"save images.transpose\(0, 2, 3, 1\), with the channels last"):
        check(images(train_images=first, test_images=first), channels=3, size=4, classes=5, name="mine")


def test_a_digest_of_bytes_is_not_one_of_floats():
    floats = np.zeros((20, 4, 4, 3), np.float32)
    others = [images(), images(train_images=floats), images(validation=np.arange(3))]
    assert len({one.digest for one in others}) == 3
    assert images().digest == images(class_names=("a",), outputs=5).digest


def test_statistics_of_floats_keep_their_scale():
    rng = np.random.default_rng(0)
    numbers = (rng.normal(size=(600, 9, 3)) * [1e-7, 1.0, 1e6] + [5.0, -1e6, 0.0]).astype(np.float32)
    numbers[:, :, 0] = 5.0
    mean, std = statistics(numbers, np.arange(600))
    np.testing.assert_allclose(mean, numbers.reshape(-1, 3).astype(np.float64).mean(0), rtol=1e-9)
    np.testing.assert_allclose(std[1:], numbers.reshape(-1, 3).astype(np.float64).std(0)[1:], rtol=1e-9)
    assert std[0] == 1, "a constant channel is safe to divide by"
    tiny = rng.normal(size=(100, 2)).astype(np.float32) * 1e-8
    np.testing.assert_allclose(statistics(tiny, np.arange(100))[1], tiny.astype(np.float64).std(0), rtol=1e-9)
