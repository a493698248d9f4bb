"""Black out a square of each image."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import After, Augment


class Cutout(After):
    """A black square of `size` pixels a side around a uniform place; what sticks out is cut off. DeVries & Taylor 2017.

    Args:
        first: what happens to the images before.
        size: in pixels; the paper takes 16 for CIFAR-10 and 8 for CIFAR-100.
    """

    def __init__(self, first: Augment, *, size: int = 16) -> None:
        super().__init__(first)
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"augment.size={size} is not a size: choose 1 or more pixels")
        self.size = size

    def own_draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """The centres, as shares of 2³⁰ of the height and the width."""
        return rng.integers(0, 2**30, (2, count))

    def own(self, images: Tensor, drawn: Tensor) -> Tensor:
        _, height, width, _ = images.shape
        hidden = self._covered(height, drawn[0])[:, :, None] & self._covered(width, drawn[1])[:, None, :]
        return images.masked_fill(hidden[..., None], 0)

    def _covered(self, size: int, drawn: Tensor) -> Tensor:
        """Which places of an axis lie under the square, (N, size)."""
        start = (drawn * size >> 30)[:, None] - self.size // 2
        places = torch.arange(size, device=drawn.device)
        return (places >= start) & (places < start + self.size)
