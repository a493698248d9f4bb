"""Make batches whose order and augmentation depend on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import Augment
from lightning_modules.data.images import Pixels

ORDER, AUGMENT = 0, 1  # what a random stream is for: the streams of one (seed, epoch) are independent
MADE = 2**24  # bytes of images that are made at a time on a device: each time costs some fifteen launches


class Batches:
    """One part of a data set as (inputs, targets), stored as `Images` has them, the channels moved behind N.

    So images are (N, C, H, W) in channels_last memory and series (N, C, L); vectors and tokens are as they are.

    With a `seed` it is for training: order and augmentation are a pure function of (seed, epoch), and the last batch is
    left out where it would be smaller. Without one it is for evaluation: in order and complete. `batch_size` counts the
    images of all devices together; each of `world_size` devices iterates over its own share of every batch.

    Images may be a tensor, of a device that holds the whole data set: batches are then the same ones, many of them made
    there at a time, and none waits for the device. Those that are `pinned` for one are made in a thread, the next one
    while this one is used, in memory that is copied to the device without waiting for it.
    """

    def __init__(
        self,
        images: Pixels | Tensor,
        labels: np.ndarray,
        indices: np.ndarray,
        *,
        batch_size: int,
        augment: Augment,
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        pinned: bool = False,
    ) -> None:
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"batch_size={batch_size} is not a multiple of {world_size}, the number of devices")
        if len(indices) < world_size:
            raise ValueError(f"{len(indices)} images cannot be shared by {world_size} devices: use fewer devices")
        self.images, self.indices, self.pinned = images, indices, pinned
        self.labels = torch.from_numpy(labels).to(images.device if isinstance(images, Tensor) else "cpu")
        self.augment, self.seed = augment, seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.ends = _ends(len(indices), batch_size, whole_only=seed is not None, at_least=world_size)

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def batch_sampler(self) -> SimpleNamespace:
        """Before every epoch, a resumed one too, Lightning calls `loader.batch_sampler.sampler.set_epoch(epoch)`."""
        return SimpleNamespace(sampler=self)

    @property
    def positions(self) -> np.ndarray:
        """Where this device's images, batch after batch, stand among those of all devices."""
        batches = np.split(np.arange(self.ends[-1]), self.ends[:-1])
        return np.concatenate([self._share(batch) for batch in batches])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # A generator: the epoch is read at the first batch, not when Lightning makes the iterator, which is earlier.
        if isinstance(self.images, Tensor):
            yield from self._resident(self.images)
            return
        batches = self._batches()
        yield from ahead(batches) if self.pinned or not isinstance(self.images, np.ndarray) else batches

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        order, start = self._order(), 0
        rng = None if self.seed is None else np.random.default_rng([self.seed, self.epoch, AUGMENT, self.rank])
        for end in self.ends:
            mine = self._share(order[start:end])
            start = end
            images: np.ndarray = self.images[mine]  # pyright: ignore[reportAssignmentType] no tensor comes here
            images = self.augment.at_evaluation(images) if rng is None else self.augment(images, rng)
            pixels = channels_second(torch.from_numpy(np.ascontiguousarray(images)))
            labels = self.labels[torch.from_numpy(mine)]
            yield (pixels.pin_memory(), labels.pin_memory()) if self.pinned else (pixels, labels)

    def _resident(self, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        order, start = self._order(), 0
        rng = None if self.seed is None else np.random.default_rng([self.seed, self.epoch, AUGMENT, self.rank])
        some = max(1, MADE // (self.ends[0] * images[0].nbytes))
        for k in range(0, len(self.ends), some):
            ends = self.ends[k : k + some]
            sizes = np.diff([start, *ends]).tolist()
            drawn = [] if rng is None else [np.concatenate([self.augment.draw(n, rng) for n in sizes], axis=1)]
            plan = _sent(np.concatenate([order[None, start : ends[-1]], *drawn]), images.device)
            start = ends[-1]
            made = images[plan[0]]
            made = made if rng is None else self.augment.on_device(made, plan[1:])
            yield from zip(channels_second(made).split(sizes), self.labels[plan[0]].split(sizes), strict=True)

    def _share(self, batch: np.ndarray) -> np.ndarray:
        return batch if self.world_size == 1 else np.array_split(batch, self.world_size)[self.rank]

    def _order(self) -> np.ndarray:
        if self.seed is None:
            return self.indices
        return np.random.default_rng([self.seed, self.epoch, ORDER]).permutation(self.indices)


def ahead(batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Make the next batch in a thread while this one is used, since decoding images is slow."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def channels_second(inputs: Tensor) -> Tensor:
    """View (N, H, W, C) as (N, C, H, W) and (N, L, C) as (N, C, L); two axes stay as they are."""
    return inputs.movedim(-1, 1) if inputs.ndim > 2 else inputs


def _sent(numbers: np.ndarray, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _ends(count: int, batch_size: int, *, whole_only: bool, at_least: int) -> list[int]:
    """Where each batch ends. A rest too small to give every device an image joins the batch before it."""
    rest = count % batch_size
    ends = list(range(batch_size, count + 1, batch_size))
    if not ends:
        return [count]
    if whole_only or rest == 0:
        return ends
    return [*ends[:-1], count] if rest < at_least else [*ends, count]
