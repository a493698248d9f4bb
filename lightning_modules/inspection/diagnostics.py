"""Measure gradients, weights, responses, dead units and gates of a network while it trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from lightning_modules.inspection.nonfinite import first_nonfinite
from lightning_modules.inspection.probe import Probe
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.history import REPORTING, Row
from lightning_modules.training.throttle import Throttle
from lightning_modules.training.torch_private import tensor_norms


class Diagnostics(Callback):
    """Measures the last step of every epoch, and names the first tensor that is not finite.

    A row has `epoch` from 1; `gradient_ratio`, the first block's gradient norm over the last's; and, of the network by
    name and of each block by `name.block_01`, …, counted from the input:

        gradient_norm   before it is clipped                weight_norm     of all parameters, before the step
        update_ratio    ‖step‖ / ‖weights‖                  response        standard deviation of the body's output
        dead_units      share of the activations' units     gate_openness   mean of the transform gate
                        that are zero for the whole batch

    Responses are those of He et al. 2015, Fig. 7; of a batch taken in parts, the first part's are measured. A training
    is to the last bit what it is without this callback. A loss is looked at before its gradient is computed, while the
    weights that led to it are still there; but on a GPU, where every look would wait for the device, only when the
    epoch is over, and what is named is then of its end.

    Args:
        on_rows: called with all rows and the new ones; not after every epoch where they are very short, but at the end.
        enabled: false: measure nothing.

    Attributes:
        rows: one an epoch.
        first_nonfinite: the layer and what of it, as `nonfinite.first_nonfinite` names them.
    """

    def __init__(self, on_rows: Callable[[list[Row], list[Row]], object], *, enabled: bool = True) -> None:
        self.on_rows, self.enabled = on_rows, enabled
        self.rows: list[Row] = []
        self.first_nonfinite: str | None = None
        self.told, self.telling = 0, Throttle(REPORTING)
        self.probe: Probe | None = None
        self.weights: list[nn.Parameter] = []
        self.measuring = False
        self.images: Tensor | None = None
        self.gradients: list[Tensor | None] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.rows:
            self._tell(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.enabled:
            self.probe, self.weights = Probe(pl_module.network), list(pl_module.network.parameters())

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Classifier, batch: Any, batch_idx: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.probe is None:
            return
        self.images = batch[0]
        if not trainer.gradient_clip_val:
            self.gradients = [weight.grad for weight in self.weights]
        steps = pl_module.recipe.steps
        last = batch_idx + 1 == trainer.num_training_batches
        self.measuring = last or (steps is not None and trainer.global_step + 1 == steps)
        if self.measuring:
            self.probe.watch()

    def on_before_backward(self, trainer: pl.Trainer, pl_module: Classifier, loss: Tensor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.probe is None:
            return
        if self.measuring:
            self.probe.unwatch()  # before a backward pass that recomputes
        if loss.device.type == "cpu" and self.first_nonfinite is None and not math.isfinite(loss.item()):
            self._name(trainer, pl_module)
        self.gradients = []  # the last step's: they would take memory

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Classifier, optimizer: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.probe is None:
            return
        if trainer.gradient_clip_val:  # after clipping one bad gradient is in all: their norms tell which it was
            known = [weight.grad for weight in self.weights if weight.grad is not None]
            norms = iter(tensor_norms(known))
            self.gradients = [None if weight.grad is None else next(norms) for weight in self.weights]
        if self.measuring:
            self.probe.before_step()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self.measuring and self.probe is not None:
            self.probe.after_step()
            if not trainer.gradient_clip_val:  # validation begins with zeroing them
                self.gradients = [weight.grad for weight in self.weights]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.probe is None:
            return
        losses = [pl_module.metrics.get(name, 0.0) for name in ("train_loss", "val_loss")]
        if self.first_nonfinite is None and not all(map(math.isfinite, losses)):
            self._name(trainer, pl_module)
        if self.measuring:
            values = {name: float(f"{value:.6g}") for name, value in self.probe.values().items()}
            self.rows.append({"epoch": trainer.current_epoch + 1, **values})
        self.measuring, self.images, self.gradients = False, None, []
        if self.telling.due:
            self._tell(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if self.probe is not None:
            self.probe.unwatch()  # a forward pass that had no memory is begun again in this process

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tell(trainer)
        self.probe, self.weights = None, []

    def _name(self, trainer: pl.Trainer, pl_module: Classifier) -> None:
        images = self.images

        def forward() -> None:
            with trainer.precision_plugin.forward_context():
                pl_module(images)

        alone = images is not None and trainer.world_size == 1  # a norm over all devices would wait for the others
        self.first_nonfinite = first_nonfinite(pl_module.network, self.gradients, forward if alone else None)

    def _tell(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero and self.enabled and self.told < len(self.rows):
            with self.telling.done():
                self.on_rows(self.rows, self.rows[self.told :])
            self.told = len(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "first_nonfinite": self.first_nonfinite}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.first_nonfinite = list(state_dict["rows"]), state_dict["first_nonfinite"]
