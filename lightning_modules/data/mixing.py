"""Mix the images of a batch and their targets: mixup and CutMix.

Both act on the batch as it goes into the network, on its device, after it was normalised. What is drawn is a function
of (seed, epoch, batch) alone, and is drawn on the CPU.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from lightning_modules.data.augment import After, Augment


class Mixing(After):
    """Mixes each image of a training batch with another one of it, and so their targets.

    Args:
        first: what happens to the images before.
        alpha: λ is drawn from Beta(α, α), once a batch.

    Raises:
        ValueError: α is not above 0.
    """

    def __init__(self, first: Augment, *, alpha: float = 1.0) -> None:
        super().__init__(first)
        if not alpha > 0:
            raise ValueError(f"augment.alpha={alpha} must be > 0: Beta(α, α) needs it")
        self.alpha = alpha

    def mix(self, inputs: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Mix float inputs (N, C, …) and float targets (N, …)."""
        share, order = float(rng.beta(self.alpha, self.alpha)), torch.from_numpy(rng.permutation(len(inputs)))
        order = order.to(inputs.device, non_blocking=True)
        mixed, share = self.blend(inputs, inputs[order], share, rng)
        return mixed, share * targets + (1 - share) * targets[order]

    @abstractmethod
    def blend(self, inputs: Tensor, others: Tensor, share: float, rng: np.random.Generator) -> tuple[Tensor, float]:
        """Blend two batches; return it, and which share of it is of the first."""


class Mixup(Mixing):
    """x̃ = λ·x + (1 − λ)·x′, ỹ = λ·y + (1 − λ)·y′, λ ~ Beta(α, α).   Zhang et al. 2018, eq. 1."""

    def blend(self, inputs: Tensor, others: Tensor, share: float, rng: np.random.Generator) -> tuple[Tensor, float]:
        return share * inputs + (1 - share) * others, share


class CutMix(Mixing):
    """A box of another image is pasted in; targets are mixed by area.   Yun et al. 2019, eq. 1 and 2.

    The box has √(1 − λ) of the height and of the width, its centre is uniform, and what sticks out is cut off; λ is
    then the share of the pixels that are left.
    """

    def blend(self, inputs: Tensor, others: Tensor, share: float, rng: np.random.Generator) -> tuple[Tensor, float]:
        sides = [_interval(size, (1 - share) ** 0.5, rng) for size in inputs.shape[2:]]
        box = (slice(None), slice(None), *(slice(*side) for side in sides))
        mixed = inputs.clone(memory_format=torch.preserve_format)
        mixed[box] = others[box]
        return mixed, 1 - others[box].numel() / others.numel()


def _interval(size: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Where a part of so large a share of an axis begins and ends, around a place that is drawn."""
    length, centre = int(size * share), int(rng.integers(size))
    return max(0, centre - length // 2), min(size, centre - length // 2 + length)
