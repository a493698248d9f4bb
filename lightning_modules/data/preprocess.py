"""Turn images into the input of a trained network, as its training did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import Augment


class Preprocess:
    """Maps images to a normalised batch (N, C, H', W'), with the statistics of the images that were trained on.

    It takes a PIL image, a list of them, or whole numbers from 0 to 255 as an array (H, W, C) or (N, H, W, C); with one
    channel, C may be left out. A PIL image of another size is scaled so that its shorter side fits, and its centre is
    taken, as image folders are read. Where the training resized its images (`augment=resize`), so does this.

    Args:
        mean, std: of each channel, in raw pixel units.
        shape: (H, W, C) of an image before it is resized.
        augment: the augmentation of the training; only its part for evaluation is used.
        dtype: of the network.

    Raises:
        ValueError: on a call, the images have another shape or type than those that were trained on.
    """

    def __init__(
        self, *, mean: Sequence[float], std: Sequence[float], shape: Sequence[int], augment: Augment, dtype: torch.dtype
    ) -> None:
        self.height, self.width, self.channels = shape
        self.augment, self.dtype = augment, dtype
        self.mean = torch.tensor(mean, dtype=torch.float64).float().view(1, -1, 1, 1)
        self.scale = (1 / torch.tensor(std, dtype=torch.float64)).float().view(1, -1, 1, 1)

    def __call__(self, images: Any) -> Tensor:
        pixels = self.augment.at_evaluation(self._batch(images))
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
        batch = batch.to(torch.float32, memory_format=torch.channels_last)
        return batch.sub_(self.mean).mul_(self.scale).to(self.dtype)

    def _batch(self, images: Any) -> np.ndarray:
        """Return images as uint8 (N, H, W, C)."""
        if hasattr(images, "convert"):
            return self._fitted(images)[None]
        if isinstance(images, list | tuple) and images and hasattr(images[0], "convert"):
            return np.stack([self._fitted(image) for image in images])
        array = np.asarray(images)
        wanted = self.height, self.width, self.channels
        found = array[..., None] if self.channels == 1 and array.shape[-2:] == wanted[:2] else array
        found = found[None] if found.ndim == 3 else found
        if found.ndim != 4 or found.shape[1:] != wanted:
            says = " × ".join(map(str, wanted))
            raise ValueError(f"images have shape {array.shape}, not (N, …) of {says} (height × width × channels)")
        if not np.issubdtype(found.dtype, np.integer) or (found.size and (found.min() < 0 or found.max() > 255)):
            raise ValueError(f"pixels are {found.dtype}, not whole numbers from 0 to 255 as in the training")
        return found.astype(np.uint8)

    def _fitted(self, image: Any) -> np.ndarray:
        """Return a PIL image as uint8 (H, W, C): scaled until it covers that size, then its centre."""
        from PIL.Image import Resampling

        image = image.convert("RGB" if self.channels == 3 else "L")
        if image.size != (self.width, self.height):
            scale = max(self.width / image.width, self.height / image.height)
            width, height = max(self.width, round(image.width * scale)), max(self.height, round(image.height * scale))
            left, top = (width - self.width) // 2, (height - self.height) // 2
            box = (left, top, left + self.width, top + self.height)
            image = image.resize((width, height), Resampling.BILINEAR).crop(box)
        return np.array(image).reshape(self.height, self.width, self.channels)
