"""Normalisation, `norm(channels)`, of images (B, c, H, W) and of vectors (B, c). No norm is `torch.nn.Identity`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Batch(nn.BatchNorm2d):
    """Each channel over the batch and its pixels.   Ioffe & Szegedy 2015."""

    def _check_input_dim(self, input: Tensor) -> None:  # torch asks every batch norm; its own takes no vectors
        if input.dim() not in (2, 4):
            raise ValueError(f"norm=batch takes images (B, c, H, W) or vectors (B, c), not {tuple(input.shape)}")


class Group(nn.GroupNorm):
    """Groups of channels, each image by itself.   Wu & He 2018.

    `groups` is an upper bound: the largest number of equal groups that leaves at least two channels in each is taken
    (one channel in a group would be instance norm, and always zero for a vector); if there is none, one group.
    """

    def __init__(self, channels: int, *, groups: int = 8) -> None:
        if groups < 1:
            raise ValueError(f"groups={groups} is less than 1")
        fits = [g for g in range(1, groups + 1) if channels % g == 0 and channels // g >= 2]
        super().__init__(max(fits, default=1), channels)


class Layer(nn.GroupNorm):
    """All channels and pixels together, each image by itself; a scale and a shift a channel.   Ba et al. 2016."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)


class Instance(nn.InstanceNorm2d):
    """Each channel of each image by itself, with a scale and a shift; for images only.   Ulyanov et al. 2016."""

    vectors = False

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[2:].numel() == 1:
            raise ValueError("norm=instance needs more than one pixel a channel: use norm=group, or larger images")
        return super().forward(input)


class Pixel(nn.LayerNorm):
    """All channels of each pixel by itself; a scale and a shift a channel.   Liu et al. 2022 (ConvNeXt), Sec. 2.6.

    The variance has 1e-6 added to it, as in the authors' code; torch's own layer norm adds 1e-5.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class Bounded(nn.Module, ABC):
    """γ · squash(x) + β: stands where a norm would, and looks at no statistics. γ and β are `weight` and `bias`."""

    def __init__(self, channels: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(float(alpha)))
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        each = (-1, *(1,) * (x.dim() - 2))
        return self.weight.view(each) * self.squash(x) + self.bias.view(each)

    @abstractmethod
    def squash(self, x: Tensor) -> Tensor:
        """Each number of x by itself, in (−1, 1)."""


class DyT(Bounded):
    """γ · tanh(α x) + β, with one learnt α for all channels, first 0.5.   Zhu et al. 2025, Sec. 4 (Dynamic Tanh)."""

    def squash(self, x: Tensor) -> Tensor:
        return (self.alpha * x).tanh()


class Derf(Bounded):
    """γ · erf(α x + s) + β, with one learnt α and s for all channels, first 0.5 and 0.   Chen et al. 2025, eq. 10."""

    def __init__(self, channels: int, *, alpha: float = 0.5) -> None:
        super().__init__(channels, alpha=alpha)
        self.shift = nn.Parameter(torch.zeros(()))

    def squash(self, x: Tensor) -> Tensor:
        return (self.alpha * x + self.shift).erf()
