from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class Augment(ABC):
    """What happens to a whole batch, uint8 (N, H, W, C) to uint8 (N, H', W', C), before the network sees it."""

    @abstractmethod
    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For training: all randomness comes from `rng`; `images` is the caller's to give away."""

    def at_evaluation(self, images: np.ndarray) -> np.ndarray:
        """The part that also applies to validation and test images: by default nothing."""
        return images

    def out_size(self, size: int) -> int:
        """H' = W' for H = W = `size`."""
        return size


class Keep(Augment):
    """Images as they are."""

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images


class CropFlip(Augment):
    """`pad` black pixels around, a random crop of the old size, every other one mirrored. He et al. 2015, Sec. 4.2."""

    def __init__(self, pad: int = 4) -> None:
        if pad < 0:
            raise ValueError(f"augment.pad={pad} is negative: choose 0 (mirror only) or more pixels")
        self.pad = pad

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, height, width, channels = images.shape
        pad, row = self.pad, width * channels
        tops, lefts = rng.integers(0, 2 * pad + 1, (2, count))
        mirrored = rng.random(count) < 0.5
        padded = np.zeros((count, height + 2 * pad, width + 2 * pad, channels), np.uint8)
        padded[:, pad : pad + height, pad : pad + width] = images
        # A loop over images that copies whole rows is faster than any gather over pixels.
        rows = padded.reshape(count, height + 2 * pad, -1)
        cropped = np.empty((count, height, row), np.uint8)
        for k, (top, left) in enumerate(zip(tops.tolist(), (channels * lefts).tolist(), strict=True)):
            cropped[k] = rows[k, top : top + height, left : left + row]
        cropped = cropped.reshape(images.shape)
        cropped[mirrored] = cropped[mirrored, :, ::-1]
        return cropped


class Resize(Augment):
    """Every image to `size` × `size`, bilinear and antialiased, in training and evaluation alike; nothing is random."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"augment.size={size} is not a size: choose 1 or more pixels")
        self.size = size

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.at_evaluation(images)

    def at_evaluation(self, images: np.ndarray) -> np.ndarray:
        import torch
        from torch.nn.functional import interpolate

        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        resized = interpolate(pixels, size=(self.size, self.size), mode="bilinear", antialias=True)
        return resized.permute(0, 2, 3, 1).numpy()

    def out_size(self, size: int) -> int:
        return self.size
