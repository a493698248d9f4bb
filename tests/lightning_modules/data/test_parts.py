"""Which images are trained on: a stratified, nested subset, and parts that the seed may draw."""

from __future__ import annotations

import itertools
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_modules.data.digits import digits
from lightning_modules.data.image_folder import image_folder
from lightning_modules.data.images import Images
from lightning_modules.data.parts import divide, split, split_seed_of, statistics, taken

UNEQUAL = np.repeat(np.arange(5), [3, 40, 200, 57, 700])
SOME = [10, 11, 57, 100, 333, 999]


FIXED = [12, 14, 22, 25, 26, 27]


@pytest.mark.parametrize("labels", [np.arange(1000) % 7, np.random.default_rng(0).permutation(UNEQUAL)])
def test_what_is_taken_is_stratified_and_nested(labels: np.ndarray) -> None:
    classes = int(labels.max()) + 1
    for take in SOME:
        chosen = taken(labels, take, 0)
        counts = np.bincount(labels[chosen], minlength=classes)
        shares = np.bincount(labels) * take / len(labels)
        assert len(np.unique(chosen)) == take
        assert (np.diff(chosen) > 0).all()
        assert (counts >= 1).all(), "a network cannot learn a class that it never sees"
        rare = (shares < 1).sum()  # that are given one more than their share, at the others' cost
        assert (np.abs(counts - shares) <= 1 + rare).all()
    parts = [set(taken(labels, take, 0)) for take in range(classes, len(labels) + 1)]
    assert all(small < large for small, large in itertools.pairwise(parts))
    assert parts[-1] == set(range(len(labels)))


def test_it_depends_on_the_split_seed_alone() -> None:
    before = np.random.get_state()[1].copy()  # pyright: ignore[reportIndexIssue, reportArgumentType, reportCallIssue]
    assert taken(np.arange(30) % 3, 6, 0).tolist() == taken(np.arange(30) % 3, 6, 0).tolist() == FIXED
    assert taken(np.arange(30) % 3, 6, 1).tolist() != FIXED
    assert (np.random.get_state()[1] == before).all()  # pyright: ignore[reportIndexIssue, reportArgumentType]


@pytest.mark.parametrize("take", [0, -3, 6, 844, 1000, 7.5, 100.0, True, "many"])
def test_how_many_can_be_taken_is_said(take: Any) -> None:
    says = f"data.take={take} of 843 images: choose from 7 (one of each class) to 843 (all that are not held out)"
    with pytest.raises(ValueError, match=re.escape(says)):
        divide(np.arange(1000) % 7, 157, 0, take)


def test_only_the_training_part_becomes_smaller(image_data) -> None:
    whole, some = image_data(), image_data(take=200)
    assert set(some.train_indices) < set(whole.train_indices)
    assert (some.val_indices == whole.val_indices).all()
    assert len(some.train_indices) == 200
    assert len(some.images.test_labels) == 360
    some.prepare_data()
    mean, _ = statistics(some.images.train_images, some.train_indices)
    assert float(some._mean) == pytest.approx(float(mean[0]))
    assert float(some._mean) != float(whole._mean)
    assert (image_data(take=1280).train_indices == whole.train_indices).all()
    (batch,) = image_data(take=100, batch_size=128).train_dataloader()
    assert len(batch[1]) == 100, "fewer than a batch are one batch"


def test_images_on_disk_are_taken_too(image_data, tmp_path: Path) -> None:
    for part in ("train", "val"):
        for k in range(24):
            file = tmp_path / part / "abc"[k % 3] / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(file)
    about = {"channels": 3, "classes": 3, "held_out": 6, "folder": tmp_path, "batch_size": 4, "take": 9}
    data = image_data(partial(image_folder, size=8), **about)
    assert np.bincount(data.images.train_labels[data.train_indices]).tolist() == [3, 3, 3]
    assert [len(labels) for _, labels in data.train_dataloader()] == [4, 4]
    assert len(data.val_indices) == 6


def contents(images: Images) -> list[bytes]:
    """Every image with its label, in an order that no split changes."""
    pixels = np.concatenate([np.asarray(images.train_images), np.asarray(images.test_images)])
    labels = np.concatenate([images.train_labels, images.test_labels])
    return sorted(image.tobytes() + bytes([label]) for image, label in zip(pixels, labels, strict=True))


def test_a_split_by_the_seed_draws_all_parts_of_digits_anew(image_data) -> None:
    one, again, other = (image_data(split="seed", seed=seed) for seed in (1, 1, 2))
    assert (one.val_indices == again.val_indices).all()
    assert (one.images.test_images == again.images.test_images).all()
    assert (one.val_indices != other.val_indices).any()
    assert (one.images.test_images != other.images.test_images).any()
    assert contents(one.images) == contents(other.images) == contents(digits(Path()))
    assert one.digest == other.digest == image_data().digest, "the data is the same however it is split"
    assert not set(one.train_indices) & set(one.val_indices)
    first, second = (image_data(split="fixed", seed=seed) for seed in (1, 2))
    assert (first.val_indices == second.val_indices).all()
    assert first.images is second.images


def test_a_published_test_set_is_kept(image_data) -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (300, 8, 8, 1), dtype=np.uint8), np.arange(300) % 10
    images = Images(pixels[:200], labels[:200], pixels[200:], labels[200:])

    def published(folder: Path) -> Images:
        return images

    one, other = (image_data(published, split="seed", seed=seed, held_out=50) for seed in (1, 2))
    assert one.images.test_images is other.images.test_images
    assert (one.val_indices != other.val_indices).any()


def test_a_split_is_a_function_of_split_seed_and_seed() -> None:
    seeds = [split_seed_of("seed", split_seed, seed) for split_seed in range(20) for seed in range(20)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert split_seed_of("fixed", 3, 8) == 3
    assert split(UNEQUAL, 100, seeds[0])[1].tolist() != split(UNEQUAL, 100, seeds[1])[1].tolist()


def test_another_split_is_refused(image_data) -> None:
    with pytest.raises(ValueError, match="split=sed is neither fixed nor seed"):
        image_data(split="sed")


def test_a_share_is_held_out_and_taken(image_data) -> None:
    assert len(image_data(held_out=0.2).val_indices) == 287
    assert (image_data(held_out=0.2).val_indices == image_data(held_out=287).val_indices).all()
    assert len(image_data(held_out=1e-9).val_indices) == 1
    assert (image_data(take=0.5).train_indices == image_data(take=640).train_indices).all()


@pytest.mark.parametrize("held_out", ["ten", None, True, 1.0, 0.0, -0.1, 2.5, [1], float("nan"), float("inf")])
def test_what_can_be_held_out_is_said(held_out: Any) -> None:
    with pytest.raises(ValueError, match=r"^data.held_out=.* is neither a whole number of images, as 100, nor a share"):
        divide(np.arange(1000) % 7, held_out, 0)


@pytest.mark.parametrize("targets", [np.linspace(0, 1, 300), np.arange(900).reshape(300, 3) % 2])
def test_targets_that_are_no_classes_are_split_without_strata(targets: np.ndarray) -> None:
    train, val = divide(targets, 60, 0, 100)
    assert (len(train), len(val)) == (100, 60)
    assert not set(train) & set(val)
    assert len(divide(targets, 0.1, 0)[1]) == 30


def test_a_validation_part_of_the_data_is_used_unless_the_seed_splits(image_data) -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (300, 8, 8, 1), dtype=np.uint8), np.arange(300) % 10
    images = Images(pixels[:200], labels[:200], pixels[200:], labels[200:], validation=np.arange(160, 200))

    def own(folder: Path) -> Images:
        return images

    data = image_data(own, held_out=0.1)
    assert data.val_indices.tolist() == list(range(160, 200))
    assert data.train_indices.tolist() == list(range(160))
    assert len(image_data(own, held_out=0.1, take=20).train_indices) == 20
    assert len(image_data(own, held_out=0.1, split="seed").val_indices) == 20
