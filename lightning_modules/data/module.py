"""The LightningDataModule: load, check, split and augment a data set, and normalise it on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from lightning_modules.data.augment import Augment
from lightning_modules.data.batches import Batches
from lightning_modules.data.checks import check, check_values
from lightning_modules.data.images import Images, Pixels, Size, load, name_of, network_shape, squared
from lightning_modules.data.parts import divided, split_seed_of, statistics

Source = Callable[..., Images]
Copies = dict[tuple[str, torch.device], Tensor]
SHARE = 0.25  # of a GPU's free memory that a data set may take


class ImageData(LightningDataModule):
    """A data set in memory: checked, split, shuffled and augmented on the CPU, normalised on the device.

    `source(folder)` gives the data: images, series, vectors or tokens. `held_out` of the training examples (a number,
    or a share) are for validation; of the others all are trained on, or `take`. `seed` decides order and augmentation.
    The network gets batches of float: (N, C, H, W) in channels_last memory, (N, C, L) or (N, C), each channel with mean
    0 and standard deviation 1 over the examples that are trained on. Tokens come as they are, int64 (N, L).

    Args:
        channels, size, classes: what the data must have; None: what it has. `size` is one number or [height, width] of
            images, [length] of series and tokens, [] of vectors; `channels` of tokens is the number of different ones.
        split: "fixed": `split_seed` decides which images are held out, for every seed the same ones; "seed": so does
            `seed`, and a source that takes a `split_seed` gets it, since it has no test set but the one it draws.

    Raises:
        ValueError: the seed is negative, `split` is none, or a setting is of another kind.
        DataError: from `prepare_data` and `setup`, where the data set cannot be used.
    """

    def __init__(
        self,
        source: Source,
        *,
        held_out: float,
        split_seed: int,
        folder: Path,
        batch_size: int,
        augment: Augment,
        seed: int,
        channels: int | None = None,
        size: Any = None,
        classes: int | None = None,
        take: float | None = None,
        split: str = "fixed",
    ) -> None:
        super().__init__()
        if seed < 0:
            raise ValueError(f"seed={seed} is negative: choose 0 or more")
        check_values(
            {"channels": channels, "size": size, "classes": classes, "held_out": held_out, "split_seed": split_seed}
        )
        self.folder = Path(folder)
        self.source = self.unsplit = source
        self.said = channels, squared(size), classes
        self.held_out, self.take, self.split = held_out, take, split
        self.split_seed = split_seed_of(split, split_seed, seed)
        if split == "seed" and "split_seed" in signature(source).parameters:
            self.source = partial(source, split_seed=self.split_seed)
        self.batch_size, self.augment, self.seed = batch_size, augment, seed
        self._parts: _Parts | None = None

    @property
    def channels(self) -> int:
        return self.images.channels if self.said[0] is None else self.said[0]

    @property
    def size(self) -> Size:
        return self.images.size if self.said[1] is None else self.said[1]

    @property
    def classes(self) -> int:
        return self.images.classes if self.said[2] is None else self.said[2]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input as the network sees it: (C, H, W), (C, L) or (C,); of tokens (L,)."""
        tokens = isinstance(self.size, tuple) and self.tokens
        return network_shape(self.channels, self.size, self.augment, tokens=tokens)

    @property
    def tokens(self) -> bool:
        """Whether the inputs are tokens."""
        return _images(_Request(self.source, self.folder))[0].tokens

    @property
    def images(self) -> Images:
        return self._loaded.images

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the data set; the same however it is split."""
        return _images(_Request(self.unsplit, self.folder))[0].digest

    @property
    def note(self) -> str:
        """What every output made from these images must say; mostly ''."""
        return self.images.note

    @property
    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel, in raw units: what the network's input is normalised by."""
        return self._loaded.mean, self._loaded.std

    @property
    def train_indices(self) -> np.ndarray:
        return self._loaded.train

    @property
    def val_indices(self) -> np.ndarray:
        return self._loaded.val

    @property
    def train_targets(self) -> np.ndarray:
        """The labels, or other targets, that are trained on."""
        return self.images.train_labels[self.train_indices]

    def prepare_data(self) -> None:
        """Loads and checks everything, downloading what is absent: call it early to fail early. Once is enough."""
        if self._parts is None:
            chosen = self.held_out, self.split_seed, self.take, self.split
            self._parts = _load(_Request(self.source, self.folder), self.said, *chosen)
            self.shape  # noqa: B018 raises where the augmentation is not for such data
            self._mean, self._scale = (torch.from_numpy(one) for one in (self._parts.mean, 1 / self._parts.std))

    def setup(self, stage: str | None = None) -> None:
        self.prepare_data()

    def train_dataloader(self) -> Batches:
        return self._batches("train", self.train_indices, seed=self.seed)

    def val_dataloader(self) -> Batches:
        return self._batches("train", self.val_indices)

    def test_dataloader(self) -> Batches:
        return self._batches("test", np.arange(len(self.images.test_labels)))

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int = 0) -> tuple[Tensor, Tensor]:
        """Normalise on the device the batch is on: to float32, or float64 where the network is; tokens stay."""
        inputs, labels = batch
        if inputs.dtype == torch.int64:
            return batch
        dtype = torch.float64 if self.trainer is not None and self.trainer.precision == "64-true" else torch.float32
        shape = (1, -1, *(1,) * (inputs.ndim - 2))
        if (self._mean.device, self._mean.dtype, self._mean.ndim) != (inputs.device, dtype, inputs.ndim):
            self._mean, self._scale = (one.to(dtype).view(shape).to(inputs.device) for one in (self._mean, self._scale))
        layout = torch.channels_last if inputs.ndim == 4 else torch.preserve_format
        numbers = inputs.to(dtype, memory_format=layout, copy=True)
        return numbers.sub_(self._mean).mul_(self._scale), labels

    def _held(self, part: str) -> Pixels | Tensor:
        """A part's images: on the GPU that trains, where they and the augmentation fit there, or else as loaded."""
        images, device = getattr(self.images, f"{part}_images"), self._device
        if device.type != "cuda" or not isinstance(images, np.ndarray) or not self.augment.resident:
            return images
        there, key = self._loaded.there, (part, device)
        if key not in there and images.nbytes < SHARE * torch.cuda.mem_get_info(device)[0]:
            there[key] = torch.from_numpy(images).to(device)
        return there.get(key, images)

    @property
    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    @property
    def _loaded(self) -> _Parts:
        self.prepare_data()
        if self._parts is None:
            raise RuntimeError("prepare_data() left nothing behind")
        return self._parts

    def _batches(self, part: str, indices: np.ndarray, *, seed: int | None = None) -> Batches:
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        images = self._held(part) if world_size == 1 else getattr(self.images, f"{part}_images")
        return Batches(
            images,
            getattr(self.images, f"{part}_labels"),
            indices,
            batch_size=self.batch_size,
            augment=self.augment,
            seed=seed,
            rank=rank,
            world_size=world_size,
            pinned=self._device.type == "cuda" and not isinstance(images, Tensor),
        )


@dataclass(frozen=True)
class _Parts:
    images: Images
    train: np.ndarray
    val: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    there: Copies


@dataclass(frozen=True)
class _Request:
    """A source and a folder, equal to another that would load the same."""

    source: Source = field(compare=False)
    folder: Path
    function: Callable = field(init=False)
    arguments: str = field(init=False)

    def __post_init__(self) -> None:
        known = self.source if isinstance(self.source, partial) else partial(self.source)
        object.__setattr__(self, "folder", self.folder.absolute())
        object.__setattr__(self, "function", known.func)
        object.__setattr__(self, "arguments", repr((known.args, sorted(known.keywords.items()))))

    @property
    def name(self) -> str:
        return name_of(self.source)


@lru_cache(maxsize=2)
def _images(request: _Request) -> tuple[Images, Copies]:
    """What a source gives, and the copies of it on GPUs, for all runs."""
    return load(request.source, request.folder), {}


@lru_cache(maxsize=4)
def _load(request: _Request, said: tuple[Any, ...], held_out: float, split_seed: int, take: Any, how: str) -> _Parts:
    """Once a process: a worker trains many runs on the same images."""
    images, there = _images(request)
    has: list[Any] = [images.channels, images.size, images.classes]
    channels, size, classes = (found if wanted is None else wanted for wanted, found in zip(said, has, strict=True))
    check(images, channels=channels, size=size, classes=classes, name=request.name)
    train, val = divided(images, held_out, split_seed, take, how)
    return _Parts(images, train, val, *statistics(images.train_images, train), there)
