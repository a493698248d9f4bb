"""Choose how many CPU threads a training takes, from the size of its steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lightning_modules.networks.counting import multiply_adds
from lightning_modules.training.classifier import Classifier

ENOUGH = 1e9  # multiply-adds of the forward pass of a batch from which several threads pay: benchmarks/threads.py


def threads_for(operations: float, most: int) -> int:
    """Return 1 for small steps and `most` for large ones.

    Threads that share a small step wait for each other most of the time. Alone on a machine they gain at most a fifth;
    beside other work they wait for threads that are not running, and the step takes two to seven times as long.

    Args:
        operations: multiply-adds of the forward pass of a batch.
    """
    return most if operations >= ENOUGH else 1


@cache
def _all_threads() -> int:
    """How many threads torch uses when nobody has changed it: the cores, or what OMP_NUM_THREADS says."""
    return torch.get_num_threads()


class Threads(Callback):
    """Set the CPU threads of this process: those asked for, or on one CPU `threads_for` the network and its batches.

    Args:
        asked: so many; None: choose.
        most: how many may be chosen; None: all cores. A network that cannot be counted takes as many.
    """

    def __init__(self, asked: int | None, *, most: int | None = None) -> None:
        self.asked, self.most = asked, min(most or _all_threads(), _all_threads())

    def setup(self, trainer: pl.Trainer, pl_module: Classifier, stage: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.asked:
            torch.set_num_threads(self.asked)
        elif stage == "fit" and trainer.strategy.root_device.type == "cpu" and trainer.world_size == 1:
            torch.set_num_threads(self.most if self.most == 1 else self._chosen(trainer, pl_module))

    def _chosen(self, trainer: pl.Trainer, module: Classifier) -> int:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it when it fits
        try:
            count = multiply_adds(module.network, data.shape, tokens=getattr(data, "tokens", False))
            return threads_for(module.recipe.batch_size * count, self.most)
        except Exception:  # whatever a network of one's own raises on the meta device
            return self.most
