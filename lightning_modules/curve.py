"""Callbacks that watch the epochs: the curve, a diverging loss, the checkpoint an interrupted run goes on from."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, Checkpoint

from lightning_modules.classifier import Classifier

COLUMNS = ("epoch", "lr", "train_loss", "train_error", "val_loss", "val_error", "seconds")
Row = dict[str, float]


class Curve(Callback):
    """Collects a row an epoch and hands it on; ends a training whose loss is no longer finite.

    Args:
        on_rows: called after every epoch with all rows and the new ones; on going on, with those before the interruption.

    Attributes:
        rows: one mapping of `COLUMNS` an epoch; `seconds` is the training time up to there, over interruptions.
    """

    def __init__(self, on_rows: Callable[[list[Row], list[Row]], None]) -> None:
        self.rows: list[Row] = []
        self.on_rows = on_rows
        self.told = 0
        self.started = 0.0

    @property
    def diverged(self) -> bool:
        """Whether the loss of the last epoch was not finite."""
        return bool(self.rows) and not math.isfinite(self.rows[-1]["train_loss"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.rows:
            self._tell(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        metrics = pl_module.metrics
        before = self.rows[-1]["seconds"] if self.rows else 0.0
        row = {
            "epoch": trainer.current_epoch + 1,
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            **{name: metrics[name] for name in COLUMNS if name in metrics},
            "seconds": before + time.perf_counter() - self.started,
        }
        self.rows.append(row)
        trainer.should_stop = trainer.should_stop or self.diverged
        self._tell(trainer)

    def _tell(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero:
            self.on_rows(self.rows, self.rows[self.told :])
            self.told = len(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


class LastEpoch(Checkpoint):
    """Keeps the state after the last finished epoch in one file, replaced atomically; but none that diverged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.should_stop:
            return
        part = self.path.with_name(f".{self.path.name}.part")
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            os.replace(part, self.path)
