"""Callbacks that follow the epochs: the curve, the end of a diverging training, the checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint

from lightning_modules.training.checkpoint import InMemory
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.throttle import Throttle

SAVING = 0.005  # of the time that saving may take
REPORTING = 0.0025  # of the time that handing rows on may take
Row = dict[str, float]


class Curve(Callback):
    """Collects a row an epoch, hands it on, and ends a training whose training loss is not finite.

    A row has `epoch` from 1, `lr` of the epoch's last step, the loss and the metrics of the task as `train_*` and
    `val_*`, and `seconds`: the training time up to there, over interruptions. The last epoch of a recipe in steps may
    be a part of one.

    Args:
        on_rows: called with all rows and the new ones; not after every epoch where they are very short, but at the end;
            after an interruption also before the first.
        on_epoch: called after every epoch with its row in a list, after an interruption also with those before; may end
            the training by raising.

    Attributes:
        rows: one an epoch.
        clock: the time in seconds.
    """

    def __init__(
        self, on_rows: Callable[[list[Row], list[Row]], object], on_epoch: Callable[[list[Row]], object] | None = None
    ) -> None:
        self.rows: list[Row] = []
        self.on_rows, self.on_epoch = on_rows, on_epoch
        self.told, self.telling = 0, Throttle(REPORTING)
        self.started = 0.0
        self.lr = 0.0
        self.clock: Callable[[], float] = time.perf_counter

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's loss was not finite, in training or in validation."""
        return bool(self.rows) and not all(math.isfinite(self.rows[-1][loss]) for loss in ("train_loss", "val_loss"))

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.rows:
            self._tell(trainer)
            if self.on_epoch and trainer.is_global_zero:
                self.on_epoch(self.rows)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = self.clock()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        before = self.rows[-1]["seconds"] if self.rows else 0.0
        row = {
            "epoch": trainer.current_epoch + 1,
            "lr": self.lr,
            **pl_module.metrics,
            "seconds": before + self.clock() - self.started,
        }
        self.rows.append(row)
        trainer.should_stop = trainer.should_stop or not math.isfinite(row["train_loss"])
        if self.telling.due:
            self._tell(trainer)
        if self.on_epoch and trainer.is_global_zero:
            self.on_epoch([row])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tell(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._tell(trainer)

    def _tell(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero and self.told < len(self.rows):
            with self.telling.done():
                self.on_rows(self.rows, self.rows[self.told :])
            self.told = len(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


class LastEpoch(Checkpoint):
    """Saves the state after an epoch, so that an interrupted run can continue.

    The state goes to disk, in one file replaced atomically, as often as `SAVING` allows. In between, every second
    epoch and the last one are copied in memory. If an exception ends the training (Ctrl-C, an error, a failure in the
    test), the copy is written to disk: the run continues from the last epoch or the one before it. After a kill it
    continues from the last state on disk. A state whose training loss is not finite is not kept.

    Args:
        path: of the file.
        origin: what the file says of where it comes from, as `checkpoint.refusal` compares it.
    """

    def __init__(self, path: Path, origin: Mapping[str, str | None] | None = None) -> None:
        self.path, self.origin = path, dict(origin or {})
        self.saving = Throttle(SAVING)
        self.copy: dict[str, Any] | None = None
        self.passed = 0  # epochs since the last that was saved or copied

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not math.isfinite(pl_module.metrics["train_loss"]):
            self.passed = 0
            return
        self.passed += 1
        if trainer.strategy.broadcast(self.saving.due):
            with self.saving.done():
                trainer.save_checkpoint(self._part)
                if trainer.is_global_zero:
                    os.replace(self._part, self.path)
            self.copy, self.passed = None, 0
        elif self.passed > 1:
            self._copy(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.passed:
            self._copy(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if self.copy is not None:
            torch.save(self.copy, self._part)
            os.replace(self._part, self.path)

    @property
    def _part(self) -> Path:
        return self.path.with_name(f".{self.path.name}.part")

    def _copy(self, trainer: pl.Trainer) -> None:
        memory, disk = InMemory(), trainer.strategy.checkpoint_io
        trainer.strategy.checkpoint_io = memory
        try:
            trainer.save_checkpoint(self.path)
        finally:
            trainer.strategy.checkpoint_io = disk
        self.copy, self.passed = memory.state, 0

    def state_dict(self) -> dict[str, Any]:
        return self.origin

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.origin = dict(state_dict)
