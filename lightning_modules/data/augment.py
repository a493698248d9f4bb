"""Change a batch of images before the network sees it: crops, mirror images, resizing. Others build on `After`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor
from torch.nn.functional import pad as padded


class Augment(ABC):
    """What happens to a whole batch, uint8 (N, H, W, C) to uint8 (N, H', W', C), before the network sees it.

    Where `resident` is true it can also be done on a device that holds the data set: `draw` makes the random decisions,
    from the same stream as on the CPU, and `on_device` carries them out, image by image: of several batches at a time.
    """

    resident = False
    images_only = True

    @abstractmethod
    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For training: all randomness comes from `rng`; `images` is the caller's to give away."""

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """The decisions for `count` images, int64 (k, count), that `__call__` would make: by default there are none."""
        return np.empty((0, count), np.int64)

    def on_device(self, images: Tensor, drawn: Tensor) -> Tensor:
        """As `__call__`, of images (N, H, W, C) and decisions (k, N) that lie on a device."""
        return images

    def at_evaluation(self, images: np.ndarray) -> np.ndarray:
        """The part that also applies to validation and test images: by default nothing."""
        return images

    def out_size(self, size: int) -> int:
        """H' = W' for H = W = `size`."""
        return size


class NoAugment(Augment):
    """Images as they are."""

    resident, images_only = True, False

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images


class CropFlip(Augment):
    """`pad` black pixels around, a random crop of the old size, every other one mirrored. He et al. 2015, Sec. 4.2."""

    resident = True

    def __init__(self, pad: int = 4) -> None:
        if pad < 0:
            raise ValueError(f"augment.pad={pad} is negative: choose 0 (mirror only) or more pixels")
        self.pad = pad

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, height, width, channels = images.shape
        pad = self.pad
        tops, lefts, mirrored = self.draw(count, rng)
        wide = np.zeros((count, height + 2 * pad, width + 2 * pad, channels), images.dtype)
        wide[:, pad : pad + height, pad : pad + width] = images
        rows = wide.reshape(count, height + 2 * pad, -1)  # to copy whole rows is faster than to gather pixels
        crops = sliding_window_view(rows, (height, width * channels), axis=(1, 2))
        cropped = crops[np.arange(count), tops, channels * lefts].reshape(images.shape)
        mirror = mirrored.astype(bool)
        cropped[mirror] = cropped[mirror, :, ::-1]
        return cropped

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Where the crop begins from the top and the left, and whether it is mirrored."""
        tops, lefts = rng.integers(0, 2 * self.pad + 1, (2, count))
        return np.stack([tops, lefts, rng.random(count) < 0.5])

    def on_device(self, images: Tensor, drawn: Tensor) -> Tensor:
        tops, lefts, mirrored = drawn[:, :, None]
        _, height, width, _ = images.shape
        wide = padded(images, (0, 0, self.pad, self.pad, self.pad, self.pad))
        columns = torch.arange(width, device=images.device)
        columns = lefts + torch.where(mirrored > 0, width - 1 - columns, columns)
        rows = tops + torch.arange(height, device=images.device)
        which = torch.arange(len(images), device=images.device)
        return wide[which[:, None, None], rows[:, :, None], columns[:, None, :]]


class After(Augment):
    """Applies `first` to the images, and then, in training, what a subclass does with `own_draw` and `own`."""

    def __init__(self, first: Augment) -> None:
        self.first = first
        self.resident = first.resident

    def own_draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """The decisions for `count` images, int64 (k, count): by default there are none."""
        return np.empty((0, count), np.int64)

    def own(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Carry the decisions out on images (N, H, W, C) of uint8: by default they stay as they are."""
        return images

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        images = self.first(images, rng)
        return self.own(torch.from_numpy(images), torch.from_numpy(self.own_draw(len(images), rng))).numpy()

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        before = self.first.draw(count, rng).astype(np.int64)
        return np.concatenate([before, self.own_draw(count, rng)])

    def on_device(self, images: Tensor, drawn: Tensor) -> Tensor:
        before = len(drawn) - len(self.own_draw(0, np.random.default_rng(0)))
        return self.own(self.first.on_device(images, drawn[:before]), drawn[before:])

    def at_evaluation(self, images: np.ndarray) -> np.ndarray:
        return self.first.at_evaluation(images)

    def out_size(self, size: int) -> int:
        return self.first.out_size(size)


class Resize(Augment):
    """Every image to `size` × `size`, bilinear and antialiased, in training and evaluation alike; nothing is random."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"augment.size={size} is not a size: choose 1 or more pixels")
        self.size = size

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.at_evaluation(images)

    def at_evaluation(self, images: np.ndarray) -> np.ndarray:
        from torch.nn.functional import interpolate

        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        resized = interpolate(pixels, size=(self.size, self.size), mode="bilinear", antialias=True)
        return resized.permute(0, 2, 3, 1).numpy()

    def out_size(self, size: int) -> int:
        return self.size
