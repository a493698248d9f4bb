"""Pause a training after an epoch: save its state and end it, to go on from there another time."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from lightning_modules.training.history import LastEpoch


class Pause(Checkpoint):
    """Ends a training after an epoch, with its state on disk; one that diverged or has reached its end is left alone.

    It stands behind `last` among the callbacks, so it acts once the state is saved.

    Args:
        until: the epoch, from 1.
        last: saves the state, after this epoch for certain.
        error: what is raised.
    """

    def __init__(self, until: int, last: LastEpoch, error: type[Exception]) -> None:
        self.until, self.last, self.error = until, last, error

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.until:  # it was interrupted while it paused
            raise self.error
        if trainer.current_epoch + 1 == self.until:
            self.last.saving.next = 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch + 1 == self.until and not trainer.should_stop:
            raise self.error
