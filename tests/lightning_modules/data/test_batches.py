from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from lightning_modules.data.augment import CropFlip, NoAugment
from lightning_modules.data.batches import Batches

COUNT = 103
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(COUNT)  # a label names its image


def batches(indices=LABELS, batch_size=10, augment=None, **changes) -> Batches:
    return Batches(PIXELS, LABELS, indices, batch_size=batch_size, augment=augment or NoAugment(), **changes)


def seen(loader: Batches, epoch: int = 0) -> list[list[int]]:
    loader.set_epoch(epoch)
    return [labels.tolist() for _, labels in loader]


def joined(lists) -> list[int]:
    return list(chain.from_iterable(lists))


def pixels(loader: Batches, epoch: int = 0) -> torch.Tensor:
    loader.set_epoch(epoch)
    return torch.cat([images for images, _ in loader])


def test_training_drops_the_rest_and_evaluation_keeps_it():
    training, evaluation = batches(seed=0), batches()
    assert [len(batch) for batch in seen(training)] == [10] * 10
    assert joined(seen(evaluation)) == LABELS.tolist()
    assert (len(training), len(evaluation)) == (10, 11)


def test_a_training_set_smaller_than_a_batch_is_one_batch():
    loader = batches(batch_size=128, seed=0)
    assert len(loader) == 1
    assert sorted(seen(loader)[0]) == LABELS.tolist()


def test_images_belong_to_their_labels_and_lie_channels_last():
    for loader in (batches(seed=0), batches()):
        for images, labels in loader:
            assert images.dtype == torch.uint8
            assert images.is_contiguous(memory_format=torch.channels_last)
            assert (images.permute(0, 2, 3, 1).numpy() == PIXELS[labels]).all()


def test_an_epoch_is_a_pure_function_of_seed_and_epoch():
    loader = batches(seed=3, augment=CropFlip())
    first, second = pixels(loader, 0), pixels(loader, 1)
    assert not torch.equal(first, second)
    assert torch.equal(pixels(loader, 0), first)
    assert torch.equal(pixels(batches(seed=3, augment=CropFlip()), 1), second)
    assert not torch.equal(pixels(batches(seed=4, augment=CropFlip()), 1), second)


def test_seeds_are_paired_whatever_the_augmentation():
    assert seen(batches(seed=3), 5) == seen(batches(seed=3, augment=CropFlip()), 5)


def test_no_other_randomness_is_used_or_moved():
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()
    pixels(batches(seed=0, augment=CropFlip()))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_the_epoch_is_read_at_the_first_batch():
    loader = batches(seed=0)
    iterator = iter(loader)
    loader.set_epoch(7)
    assert next(iterator)[1].tolist() == seen(loader, 7)[0]


class Slow:
    """Images that are no array, so that batches are made ahead."""

    shape = PIXELS.shape

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        if (indices == 13).any():
            raise OSError("13 is damaged")
        return PIXELS[indices]


def test_batches_made_ahead_are_the_same_batches():
    wanted = np.setdiff1d(LABELS, [13])
    usual, early = (
        Batches(images, LABELS, wanted, batch_size=10, augment=CropFlip(), seed=0) for images in (PIXELS, Slow())
    )
    for epoch in (0, 1):
        assert torch.equal(pixels(usual, epoch), pixels(early, epoch))
        assert seen(usual, epoch) == seen(early, epoch)
    next(iter(early))


def test_batches_pinned_for_a_device_are_the_same_batches(monkeypatch):
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    usual, early = (batches(augment=CropFlip(), seed=0, pinned=pin) for pin in (False, True))
    assert torch.equal(pixels(usual), pixels(early))
    assert [len(tensor) for tensor in pinned] == [10] * 20, "images and labels of every batch"
    assert seen(usual, 1) == seen(early, 1)


def test_what_goes_wrong_ahead_is_raised():
    with pytest.raises(OSError, match="13 is damaged"):
        list(Batches(Slow(), LABELS, LABELS, batch_size=10, augment=NoAugment()))


@pytest.mark.parametrize("world_size", [2, 5])
@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("count", [103, 101, 100, 51])
def test_devices_share_every_batch_out_exactly_once(world_size, seed, count):
    whole = seen(batches(LABELS[:count], seed=seed), 2)
    shares = [
        seen(batches(LABELS[:count], seed=seed, rank=rank, world_size=world_size), 2) for rank in range(world_size)
    ]
    assert len({len(share) for share in shares}) == 1
    assert all(batch for share in shares for batch in share)
    together = [joined(parts) for parts in zip(*shares, strict=True)]
    assert joined(together) == joined(whole)
    if seed is not None:
        assert together == whole


def test_devices_and_epochs_augment_differently():
    one = np.zeros(100, np.int64)  # a single image, so that the order does not matter
    first, second = (batches(one, seed=0, augment=CropFlip(), rank=rank, world_size=2) for rank in (0, 1))
    assert not torch.equal(pixels(first), pixels(second))
    assert not torch.equal(pixels(first, 0), pixels(first, 1))


def test_what_cannot_be_shared_says_so():
    with pytest.raises(ValueError, match="batch_size=10 is not a multiple of 3, the number of devices"):
        batches(seed=0, world_size=3)
    with pytest.raises(ValueError, match="2 images cannot be shared by 5 devices: use fewer"):
        batches(LABELS[:2], world_size=5)


@pytest.mark.parametrize("augment", [NoAugment(), CropFlip(2), CropFlip(0)])
@pytest.mark.parametrize(("seed", "size"), [(3, 10), (None, 10), (3, 128)])
@pytest.mark.parametrize("made", [1, 3000, 2**24])  # bytes at a time: a batch, some, an epoch
def test_a_device_that_holds_the_data_set_makes_the_same_batches(augment, seed, size, made, monkeypatch):
    monkeypatch.setattr("lightning_modules.data.batches.MADE", made)
    options = {"batch_size": size, "augment": augment, "seed": seed}
    loaders = [Batches(images, LABELS, LABELS[5:], **options) for images in (PIXELS, torch.from_numpy(PIXELS))]
    for epoch in (0, 4):
        for loader in loaders:
            loader.set_epoch(epoch)
        for here, there in zip(*loaders, strict=True):
            assert torch.equal(here[0], there[0])
            assert torch.equal(here[1], there[1])
            assert there[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_the_positions_of_the_devices_put_their_images_into_the_order_of_one(world_size: int):
    whole = np.full(COUNT, -1)
    for rank in range(world_size):
        loader = batches(world_size=world_size, rank=rank)
        whole[loader.positions] = joined(seen(loader))
    assert whole.tolist() == LABELS.tolist()
