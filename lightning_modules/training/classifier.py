"""Train and evaluate a network as a LightningModule; sums of loss and metrics stay on the device during an epoch."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_modules.data.mixing import Mixing
from lightning_modules.networks.growth import set_pending_active
from lightning_modules.tasks.classification import Classification
from lightning_modules.training.predictions import Predictions
from lightning_modules.training.recipe import Recipe

Batch = tuple[Tensor, Tensor]
MIX = 2  # the random stream of what is mixed, beside those of order and augmentation in `data.batches`


class Classifier(pl.LightningModule):
    """Trains `network` on pairs of inputs and targets, as `recipe` and its task say.

    A step adds the sums of the loss and the metrics to running sums on the device; nothing is copied to the host, and
    nothing logged, before the epoch is over. `train_*` are therefore means over the last epoch's batches as they were
    trained on: augmented, in training mode, while the weights moved, the loss as it was minimised. `val_*` are of the
    weights the epoch ended with. Of a classification the loss is in nats, the error in percent.

    Args:
        network: maps (B, C, H, W), or whatever inputs the data has, to (B, outputs).
        recipe: task, optimiser, schedule, memory format.
        seed: reseeds every epoch, so that an epoch is a function of (seed, epoch) and a resumed run equals an
            uninterrupted one; each device draws its own dropout.

    Attributes:
        predictions: of the last evaluation, where the task is a classification.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int) -> None:
        super().__init__()
        if recipe.channels_last:
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] torch's stub forgot it
        self.network = network
        self.recipe, self.task = recipe, recipe.learnt
        self.seed = seed
        self.metrics: dict[str, float] = {}
        self.sums: Tensor | None = None
        self.counts: list[int] = []
        self.kept: list[Batch] = []  # of an evaluation, for metrics of the whole of it
        self.predictions = Predictions()

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.steps or int(self.trainer.estimated_stepping_batches)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.ready(images))

    def setup(self, stage: str) -> None:
        data: Any = self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it
        if self.trainer.world_size > 1 and (name := next(iter(self.task.wholes), None)):
            raise ValueError(f"metric {name} is of a whole evaluation: train on one device, or leave it out")
        self.task.begin(lambda: data.train_targets)
        self.outputs = data.classes if isinstance(self.recipe.augment, Mixing) else 0

    def ready(self, images: Tensor) -> Tensor:
        """Give the images the memory format and the precision of the network."""
        if not self.recipe.channels_last:  # cloned: one channel counts as contiguous in either format
            images = images.clone(memory_format=torch.contiguous_format)
        return images.double() if self.dtype == torch.float64 and images.is_floating_point() else images

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training minimises."""
        return self.task.loss(outputs, targets)

    def configure_optimizers(self) -> Any:
        optimizer, schedule = self.recipe.optimization(self.recipe.groups(self.network), self.total_steps)
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

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.step(self.mixed(batch, batch_idx))

    def mixed(self, batch: Batch, batch_idx: int) -> Batch:
        """Mix a training batch as the recipe's augmentation does, by what (seed, epoch, batch) draws."""
        if not isinstance(self.recipe.augment, Mixing):
            return batch
        inputs, targets = batch
        if not inputs.is_floating_point():
            raise ValueError(f"augment: {type(self.recipe.augment).__name__} mixes numbers, and tokens are none")
        rng = np.random.default_rng([self.seed, self.current_epoch, MIX, self.global_rank, batch_idx])
        return self.recipe.augment.mix(inputs, self.task.soft(targets, self.outputs), rng)

    def step(self, batch: Batch) -> Tensor:
        """Compute the loss of a training batch, and add it and the metrics to the sums."""
        inputs, targets = batch
        outputs = self(inputs)
        loss = self.loss(outputs, targets)
        self._add(loss.detach(), outputs.detach(), targets)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Not by Lightning's max_steps: it validates no part of an epoch, and a resumed run would end an epoch twice.
        if self.recipe.steps is not None and self.trainer.global_step >= self.recipe.steps:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        inputs, targets = batch
        outputs = self(inputs)
        self._add(self.task.evaluation_loss(outputs, targets), outputs, targets)
        if self.task.wholes:
            self.kept.append((outputs, targets))
        if isinstance(self.task, Classification):
            self.predictions.add(outputs, targets)

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

    def _add(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        row, counts = self.task.sums(loss, outputs, targets)
        if self.sums is None:
            self.sums, self.counts = row, counts
        else:
            self.sums, self.counts = self.sums + row, [a + b for a, b in zip(self.counts, counts, strict=True)]

    def _close(self, part: str) -> None:
        """Turn the running sums into `<part>_loss` and the task's metrics, over all devices."""
        if self.sums is None:
            return
        both = torch.cat([self.sums, self.sums.new_tensor(self.counts)])
        both = self.trainer.strategy.reduce(both, reduce_op="sum").tolist()
        found = self.task.named(both[: len(self.counts)], both[len(self.counts) :])
        if self.kept:
            found |= self.task.of_all(*(torch.cat(parts) for parts in zip(*self.kept, strict=True)))
        self.metrics |= {f"{part}_{name}": value for name, value in found.items()}
        self.sums, self.counts, self.kept = None, [], []
