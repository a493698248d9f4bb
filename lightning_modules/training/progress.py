"""The progress bar of a single run: loss, error and time left."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lightning_modules.training.classifier import Classifier

EVERY = 0.1  # seconds between two looks


class ProgressBar(Callback):
    """A bar over all steps of the training. The numbers are the last epoch's, so that no step waits for the device."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.looked = 0.0
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        console = Console()
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        total, done = pl_module.total_steps, trainer.global_step
        self.task = self.progress.add_task(self.label, total=total, completed=done)
        self.progress.start()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if time.monotonic() - self.looked > EVERY:
            self.looked = time.monotonic()
            self.progress.update(self.task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        metrics = pl_module.metrics
        words = [f"epoch {trainer.current_epoch + 1}", f"loss {metrics['train_loss']:.3f}"]
        words += [f"error {metrics['train_error']:.1f}%"]
        words += [f"validation {metrics['val_error']:.1f}%"] if "val_error" in metrics else []
        self.progress.update(self.task, description=f"{self.label}  {', '.join(words)}", completed=trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.progress.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.progress.stop()
