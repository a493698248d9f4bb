"""Compute a training step in parts of its batch, which takes less memory and gives the same gradient."""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.training.classifier import Classifier
from lightning_modules.training.malloc import release_freed_memory
from lightning_modules.training.recipe import Recipe

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class MicroBatched(Classifier):
    """Splits each batch into parts of at most `size` images: gradient = Σ nₖ/n · ∇ loss(partₖ), the whole batch's.

    Raises:
        ValueError: the network has a batch norm, whose statistics would be of the parts and not of the batch.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int, size: int) -> None:
        if size < 1:
            raise ValueError(f"micro_batch={size} must be a whole number ≥ 1")
        if not divisible(network):
            raise ValueError(f"micro_batch={size}: batch norm needs the whole batch; choose norm=group or leave it out")
        super().__init__(network, recipe, seed=seed)
        self.size = size

    def optimizer_zero_grad(self, *_: Any) -> None:
        """Do nothing: `training_step` has computed the gradients already, and Lightning would delete them here."""

    def step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        self.zero_grad(set_to_none=True)
        *before, last = zip(images.split(self.size), labels.split(self.size), strict=True)
        for part in before:
            self.trainer.strategy.backward(self._share(part, of=len(labels)), None)
        return self._share(last, of=len(labels))

    def _share(self, part: tuple[Tensor, Tensor], *, of: int) -> Tensor:
        return super().step(part) * (len(part[1]) / of)


def divisible(network: nn.Module) -> bool:
    """Whether an image's output depends on that image alone, so that a batch can be split."""
    return not any(isinstance(module, BATCH_NORMS) for module in network.modules())


def smaller(network: nn.Module, size: int) -> int | None:
    """The size to try after `size` took too much memory; None where the network needs whole batches."""
    return max(1, size // 2) if divisible(network) else None


def classifier(network: nn.Module, recipe: Recipe, seed: int, size: int | None) -> Classifier:
    """The classifier that trains whole batches, or parts of at most `size` images."""
    if size is None:
        return Classifier(network, recipe, seed=seed)
    return MicroBatched(network, recipe, seed=seed, size=size)


def free_memory() -> None:
    """Collect garbage, and return the memory to the device or the kernel."""
    gc.collect()
    release_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
