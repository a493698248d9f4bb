"""Turn raw data into the input of a trained network, as its training did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import Augment
from lightning_modules.data.batches import channels_second
from lightning_modules.data.image_files import fitted


class Preprocess:
    """Maps examples to a normalised batch, with the statistics of the examples that were trained on.

    It takes one example or a batch (N, …) as they were stored, the channels last, and gives what the network takes:

    | trained on                      | takes                               | gives            |
    |---------------------------------|-------------------------------------|------------------|
    | images (H, W, C), `uint8`       | whole numbers from 0 to 255         | (N, C, H', W')   |
    | images (H, W, C), `float32`     | numbers                             | (N, C, H', W')   |
    | series (L, C) or vectors (D,)   | as images                           | (N, C, L), (N, D)|
    | tokens (L,), `int64`            | whole numbers from 0; of any length | (N, L), int64    |

    With one channel, C may be left out. Of images of `uint8` it also takes a PIL image or a list of them, read as the
    files of image folders are: turned upright, in 8 bits, scaled until they cover the size, cut to their centre. Where
    the training resized its images (`augment=resize`), so does this.

    Args:
        mean, std: of each channel, in raw units.
        shape: of one example as it was stored, before it is resized.
        stored: the type it was stored as: uint8, float32 or int64.
        augment: the augmentation of the training; only its part for evaluation is used.
        dtype: of the network.

    Raises:
        ValueError: on a call, the examples have another shape or type than those that were trained on.
    """

    def __init__(
        self,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        shape: Sequence[int],
        augment: Augment,
        dtype: torch.dtype,
        stored: str = "uint8",
    ) -> None:
        self.shape, self.stored = tuple(shape), stored
        self.augment, self.dtype = augment, dtype
        places = (1, -1, *(1,) * (len(self.shape) - 1))
        self.mean = torch.tensor(mean, dtype=torch.float64).to(dtype).view(places)
        self.scale = (1 / torch.tensor(std, dtype=torch.float64)).to(dtype).view(places)

    def __call__(self, examples: Any) -> Tensor:
        batch = self._batch(examples)
        if self.stored == "int64":
            return torch.from_numpy(batch)
        numbers = channels_second(torch.from_numpy(np.ascontiguousarray(self.augment.at_evaluation(batch))))
        layout = torch.channels_last if numbers.ndim == 4 else torch.preserve_format
        return numbers.to(self.dtype, memory_format=layout, copy=True).sub_(self.mean).mul_(self.scale)

    def _batch(self, examples: Any) -> np.ndarray:
        """Return examples (N, …) in the type in which they were stored."""
        if self.stored == "uint8" and len(self.shape) == 3:
            several = examples if isinstance(examples, list | tuple) else [examples]
            if several and all(hasattr(image, "convert") for image in several):
                about = {"size": self.shape[:2], "channels": self.shape[2]}
                try:
                    return np.stack([fitted(image, **about, name=f"image {k}") for k, image in enumerate(several)])
                except OSError as error:
                    raise ValueError(str(error)) from error
        try:
            array = np.asarray(examples)
        except ValueError as error:
            raise ValueError("examples have several shapes, or are of several kinds: give one array") from error
        found = self._shaped(array)
        if self.stored == "float32":
            if found.dtype.kind not in "buif" or not np.isfinite(found).all():
                raise ValueError(f"examples are {found.dtype}, not finite numbers as in the training")
        else:
            most = 255 if self.stored == "uint8" else np.iinfo(np.int64).max
            if found.dtype.kind not in "bui" or (found.size and (found.min() < 0 or found.max() > most)):
                says = "whole numbers from 0 to 255" if most == 255 else "tokens, whole numbers from 0,"
                raise ValueError(f"examples are {found.dtype}, not {says} as in the training")
        return found.astype(self.stored)

    def _shaped(self, array: np.ndarray) -> np.ndarray:
        """Return an array (N, …); raise ValueError where it does not have the shape of the training's examples."""
        if self.stored == "int64":
            if array.ndim not in (1, 2):
                raise ValueError(f"tokens have shape {array.shape}, not (N, L)")
            return np.atleast_2d(array)
        single = len(self.shape) > 1 and self.shape[-1] == 1
        found = array[..., None] if single and array.shape[1 - len(self.shape) :] == self.shape[:-1] else array
        found = found[None] if found.ndim == len(self.shape) else found
        if found.shape[1:] != self.shape:
            says = " × ".join(map(str, self.shape))
            axes = {3: " (height × width × channels)", 2: " (length × channels)"}.get(len(self.shape), "")
            raise ValueError(f"examples have shape {array.shape}, not (N, …) of {says}{axes}")
        return found
