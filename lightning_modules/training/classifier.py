"""Train and evaluate a network as a LightningModule; sums of loss and errors stay on the device until an epoch ends."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_modules.networks.growth import set_pending_active
from lightning_modules.training.predictions import Predictions
from lightning_modules.training.recipe import Recipe

LOSS, WRONG, COUNT = range(3)


class Classifier(pl.LightningModule):
    """Trains `network` on images and labels by cross-entropy, as `recipe` says.

    A step adds (loss · n, wrong answers, n) to a running sum on the device; nothing is copied to the host, and nothing
    logged, before the epoch is over. `train_*` are therefore means over the last epoch's batches as they were trained
    on: augmented, in training mode, while the weights moved, the loss with label smoothing as it was minimised. `val_*`
    are of the weights the epoch ended with. Loss is in nats, error in percent.

    Args:
        network: maps (B, C, H, W) to (B, classes).
        recipe: optimiser, schedule, label smoothing, memory format.
        seed: reseeds every epoch, so that an epoch is a function of (seed, epoch) and a resumed run equals an
            uninterrupted one; each device draws its own dropout.

    Attributes:
        predictions: of the last evaluation.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int) -> None:
        super().__init__()
        if recipe.channels_last:
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] torch's stub forgot it
        self.network = network
        self.recipe = recipe
        self.seed = seed
        self.metrics: dict[str, float] = {}
        self.sums: Tensor | None = None
        self.count = 0
        self.predictions = Predictions()

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.steps or int(self.trainer.estimated_stepping_batches)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.ready(images))

    def ready(self, images: Tensor) -> Tensor:
        """Give the images the memory format and the precision of the network."""
        if not self.recipe.channels_last:  # cloned: one channel counts as contiguous in either format
            images = images.clone(memory_format=torch.contiguous_format)
        return images.double() if self.dtype == torch.float64 else images

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What training minimises, in nats."""
        return F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def configure_optimizers(self) -> Any:
        optimizer, schedule = self.recipe.optimization(self.network.parameters(), self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_start(self) -> None:
        if self.recipe.steps is not None and self.trainer.global_step >= self.recipe.steps:  # gone on from its end
            self.trainer.should_stop = True

    def on_train_epoch_start(self) -> None:
        self.metrics = {}
        if self.recipe.grow_at is not None:
            set_pending_active(self.network, active=self.current_epoch >= self.recipe.grow_at)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            words = np.random.SeedSequence([self.seed, self.current_epoch, self.global_rank])
            seed = int(words.generate_state(1)[0])
            if self.device.type == "cpu":
                torch.default_generator.manual_seed(seed)  # torch.manual_seed also asks for every other device: 1 ms
            else:
                torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self(images)
        loss = self.loss(logits, labels)
        self._add(loss.detach(), logits.argmax(dim=1), labels)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Not by Lightning's max_steps: it validates no part of an epoch, and a resumed run would end an epoch twice.
        if self.recipe.steps is not None and self.trainer.global_step >= self.recipe.steps:
            self.trainer.should_stop = True

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        logits = self(images)
        classes = logits.argmax(dim=1)
        self._add(F.cross_entropy(logits, labels), classes, labels)
        self.predictions.add(logits, labels, classes)

    test_step = validation_step

    def on_validation_epoch_start(self) -> None:
        self._close("train")
        self.predictions = Predictions()

    def on_validation_epoch_end(self) -> None:
        self._close("val")

    def on_train_epoch_end(self) -> None:
        self._close("train")

    def on_test_epoch_start(self) -> None:
        self.predictions = Predictions()

    def on_test_epoch_end(self) -> None:
        self._close("test")

    def _add(self, loss: Tensor, classes: Tensor, labels: Tensor) -> None:
        wrong = (classes != labels).sum()
        row = torch.stack([loss.float() * len(labels), wrong.float()])
        self.sums = row if self.sums is None else self.sums + row
        self.count += len(labels)

    def _close(self, part: str) -> None:
        """Turn the running sums into `<part>_loss` and `<part>_error`, over all devices."""
        if self.sums is None:
            return
        sums = torch.cat([self.sums, self.sums.new_tensor([self.count])])
        sums = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        self.metrics[f"{part}_loss"] = sums[LOSS] / sums[COUNT]
        self.metrics[f"{part}_error"] = 100 * sums[WRONG] / sums[COUNT]
        self.sums, self.count = None, 0
