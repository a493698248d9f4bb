"""Choose how many CPU threads a training takes, from the size of its steps."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lightning_modules.networks.counting import multiply_adds
from lightning_modules.training.classifier import Classifier

ENOUGH = 1e9  # multiply-adds of the forward pass of a batch from which several threads pay: benchmarks/threads.py


def threads_for(operations: float) -> int:
    """One thread for small steps, as many as torch began with for large ones.

    Threads that share a small step wait for each other most of the time. Alone on a machine they gain at most a fifth;
    beside other work they wait for threads that are not running, and the step takes two to nine times as long.

    Args:
        operations: multiply-adds of the forward pass of a batch.
    """
    return _all_threads() if operations >= ENOUGH else 1


@cache
def _all_threads() -> int:
    """How many threads torch uses when nobody has changed it: the cores, or what OMP_NUM_THREADS says."""
    return torch.get_num_threads()


class Threads(Callback):
    """Set the CPU threads of this process: those asked for, or for one CPU `threads_for` the network and its batches.

    A network that cannot be counted without computing keeps the threads there are.
    """

    def __init__(self, asked: int | None) -> None:
        _all_threads()
        self.asked = asked

    def setup(self, trainer: pl.Trainer, pl_module: Classifier, stage: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.asked:
            torch.set_num_threads(self.asked)
        elif stage == "fit" and trainer.strategy.root_device.type == "cpu" and trainer.world_size == 1:
            data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it when it fits
            with suppress(Exception):  # whatever a network of one's own raises on the meta device
                operations = pl_module.recipe.batch_size * multiply_adds(pl_module.network, data.shape)
                torch.set_num_threads(threads_for(operations))
