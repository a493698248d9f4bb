"""Apply operations that are drawn for each image at one strength: RandAugment."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import After, Augment

STRONGEST = 30
OPERATIONS = (
    *("identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast", "brightness"),
    *("sharpness", "shear_x", "shear_y", "translate_x", "translate_y"),
)


class RandAugment(After):
    """`operations` of the 14 in `OPERATIONS`, one after the other, drawn for each image. Cubuk et al. 2020, Fig. 2.

    Each is done at the strength m = `magnitude` / 30, in the ranges of AutoAugment (Cubuk et al. 2019, Table 6):
    rotation by ±30·m degrees, shear by ±0.3·m, translation by ±150/331·m of the size, brightness, colour, contrast and
    sharpness by the factor 1 ± 0.9·m, 8 − 4·m bits of posterisation, solarisation from 256·(1 − m). Signs are drawn.
    What comes in from outside is black. It acts on the CPU.

    Args:
        first: what happens to the images before.
        operations: N in the paper.
        magnitude: M in the paper, from 0 to 30.
    """

    def __init__(self, first: Augment, *, operations: int = 2, magnitude: float = 9) -> None:
        super().__init__(first)
        if not isinstance(operations, int) or operations < 0:
            raise ValueError(f"augment.operations={operations} must be a whole number ≥ 0")
        if not 0 <= magnitude <= STRONGEST:
            raise ValueError(f"augment.magnitude={magnitude} must be from 0 to {STRONGEST}")
        self.operations, self.strength = operations, magnitude / STRONGEST
        self.resident = False

    def own_draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """For each layer which operation, and whether its strength is negative."""
        drawn = rng.integers(0, (len(OPERATIONS), 2), (count, self.operations, 2))
        return drawn.reshape(count, 2 * self.operations).T

    def own(self, images: Tensor, drawn: Tensor) -> Tensor:
        images = images.clone()
        for which, negative in zip(drawn[::2], drawn[1::2], strict=True):
            for number, name in enumerate(OPERATIONS):
                if name != "identity" and len(chosen := (which == number).nonzero()[:, 0]):
                    strength = torch.where(negative[chosen] > 0, -self.strength, self.strength)
                    images[chosen] = operation(name, images[chosen], strength)
        return images


def operation(name: str, images: Tensor, strength: Tensor) -> Tensor:
    """Apply one operation to images (N, H, W, C) of uint8, at strengths (N,) from −1 to 1."""
    if name in AFFINE:
        return affine(images, AFFINE[name](strength, images.shape[1], images.shape[2]))
    if name in BLENDED:
        return blended(BLENDED[name](images), images, 1 + 0.9 * strength)
    if name == "posterize":
        dropped = (4 * strength.abs()).round().to(torch.uint8)
        return (images >> dropped[:, None, None, None]) << dropped[:, None, None, None]
    if name == "solarize":
        return torch.where(images >= 256 * (1 - strength.abs()[:, None, None, None]), 255 - images, images)
    return autocontrast(images) if name == "autocontrast" else equalized(images)


def blended(plain: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """plain + factor · (image − plain), rounded down."""
    plain = plain.float()
    return (plain + factor[:, None, None, None] * (images.float() - plain)).clamp(0, 255).to(torch.uint8)


def grey(images: Tensor) -> Tensor:
    """(N, H, W, 1): 0.299 R + 0.587 G + 0.114 B of three channels, else their mean."""
    if images.shape[-1] == 3:
        weights = torch.tensor([0.299, 0.587, 0.114], device=images.device)
        return (images.float() * weights).sum(dim=-1, keepdim=True)
    return images.float().mean(dim=-1, keepdim=True)


def smooth(images: Tensor) -> Tensor:
    """Each pixel with its eight neighbours, weighted 5 : 1; those at the edge stay."""
    result = images.float().clone()
    if min(images.shape[1:3]) > 2:
        box = images.float().unfold(1, 3, 1).unfold(2, 3, 1).sum(dim=(-1, -2))
        result[:, 1:-1, 1:-1] = ((box + 4 * result[:, 1:-1, 1:-1]) / 13).round()
    return result


BLENDED: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": torch.zeros_like,
    "color": grey,
    "contrast": lambda images: grey(images).round().mean(dim=(1, 2, 3), keepdim=True).round(),
    "sharpness": smooth,
}


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel of each image from its least and largest value to 0 and 255."""
    low, high = images.amin(dim=(1, 2), keepdim=True).float(), images.amax(dim=(1, 2), keepdim=True).float()
    stretched = ((images.float() - low) * (255 / (high - low).clamp(min=1))).clamp(0, 255).to(torch.uint8)
    return torch.where(high > low, stretched, images)


def equalized(images: Tensor) -> Tensor:
    """Make the histogram of each channel of each image as flat as a table of 256 values can."""
    count, height, width, channels = images.shape
    flat = images.permute(0, 3, 1, 2).reshape(count * channels, -1).long()
    histogram = torch.zeros(len(flat), 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(1, flat, torch.ones_like(flat))
    step = (flat.shape[1] - histogram.gather(1, flat.amax(dim=1, keepdim=True))) // 255
    before = histogram.cumsum(dim=1) - histogram
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=255)
    made = torch.where(step > 0, table.gather(1, flat), flat)
    return made.reshape(count, channels, height, width).permute(0, 2, 3, 1).to(torch.uint8)


def affine(images: Tensor, matrix: Tensor) -> Tensor:
    """Take each pixel from where `matrix` (N, 2, 3) puts its centre (x, y, 1); black where that is outside."""
    _, height, width, _ = images.shape
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1).to(matrix)
    from_x, from_y = torch.einsum("nij,hwj->inhw", matrix, places).floor().long()
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    which = torch.arange(len(images), device=images.device)[:, None, None]
    found = images[which, from_y.clamp(0, height - 1), from_x.clamp(0, width - 1)]
    return found * inside[..., None]


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Tensor:
    return torch.stack([a, b, c, d, e, f], dim=1).reshape(-1, 2, 3)


def _rotation(strength: Tensor, height: int, width: int) -> Tensor:
    cos, sin, x, y = (30 * strength * math.pi / 180).cos(), (30 * strength * math.pi / 180).sin(), width / 2, height / 2
    return _matrix(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


def _move(strength: Tensor, **moved: Tensor) -> Tensor:
    one, zero = torch.ones_like(strength), torch.zeros_like(strength)
    values = {"a": one, "b": zero, "c": zero, "d": zero, "e": one, "f": zero} | moved
    return _matrix(*(values[name] for name in "abcdef"))


AFFINE: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "rotate": _rotation,
    "shear_x": lambda strength, height, width: _move(strength, b=0.3 * strength),
    "shear_y": lambda strength, height, width: _move(strength, d=0.3 * strength),
    "translate_x": lambda strength, height, width: _move(strength, c=(150 / 331 * strength * width).round()),
    "translate_y": lambda strength, height, width: _move(strength, f=(150 / 331 * strength * height).round()),
}
