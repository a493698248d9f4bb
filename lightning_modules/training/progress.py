"""Show how far a single run is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lightning_modules.training.classifier import Classifier

EVERY = 0.1  # seconds between two updates of the bar
LINE_EVERY = 30.0  # seconds between two lines where there is no terminal, or an epoch if that takes longer


class ProgressBar(Callback):
    """Show the steps that are done and the numbers of the last epoch, so that no step waits for the device."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.updated = self.printed = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        console = Console()
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.first, self.total = trainer.global_step, pl_module.total_steps
        self.started = self.printed = time.monotonic()
        self.task = self.progress.add_task(self.label, total=self.total, completed=self.first)
        self.progress.start()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if time.monotonic() - self.updated > EVERY:
            self.updated = time.monotonic()
            self.progress.update(self.task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        metrics = pl_module.metrics
        epochs = -(-self.total // int(trainer.num_training_batches))
        words = [f"epoch {trainer.current_epoch + 1} of {epochs}", f"loss {metrics['train_loss']:.3f}"]
        judged, percent = pl_module.task.judged, pl_module.task.metrics[pl_module.task.judged].unit == "percent"
        for name, part in ((judged, "train"), ("validation", "val")):
            if (value := metrics.get(f"{part}_{judged}")) is not None:
                words.append(f"{name} {value:.1f}%" if percent else f"{name} {value:.4g}")
        text = f"{self.label}  {', '.join(words)}"
        self.progress.update(self.task, description=text, completed=trainer.global_step)
        now, done = time.monotonic(), trainer.global_step
        if self.progress.disable and now - self.printed >= LINE_EVERY and done < self.total:
            self.printed = now
            left = (now - self.started) * (self.total - done) / max(1, done - self.first)
            print(f"{text}, {timedelta(seconds=round(left))} left", flush=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.progress.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.progress.stop()
