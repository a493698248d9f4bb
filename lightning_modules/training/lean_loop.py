"""Lightning's epochs without their ceremony: the same calls in the same order, made directly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from torch import Tensor

HOOKS = ("on_train_batch_start", "on_before_backward", "on_before_optimizer_step", "on_train_batch_end")
VALIDATION = tuple(
    f"on_validation_{when}" for when in ("start", "epoch_start", "batch_start", "batch_end", "epoch_end", "end")
)


class LeanSteps(_TrainingEpochLoop):
    """Lightning's loop over the batches of an epoch, for one device and one optimiser that is stepped every batch.

    A step of Lightning's goes through some thirty hooks, progress counters and profiler contexts, 0.7 ms on a CPU that
    takes 8 ms for a batch of digits. This one calls what our callbacks, module and data define, and nothing else: the
    numbers are the same to the last bit. Whatever it was not made for (several devices, gradient scaling, a module with
    its own order of things, an epoch that was broken off) goes Lightning's own way.

    Args:
        mark: told "data", "forward", "backward", "optimizer" and "rest" as each part of a step is over.
    """

    def __init__(self, trainer: pl.Trainer, mark: Callable[[str], object] | None = None) -> None:
        before = trainer.fit_loop.epoch_loop
        super().__init__(trainer, min_steps=before.min_steps, max_steps=before.max_steps)
        old = self.val_loop
        self.val_loop = LeanValidation(trainer, old._trainer_fn, old._stage, verbose=False, inference_mode=True)
        self.mark = mark
        self.lean = False
        self.listeners: dict[str, list[Callable[..., Any]]] = {}

    def on_run_start(self, data_fetcher: Any) -> None:
        super().on_run_start(data_fetcher)
        self.lean = possible(self.trainer)
        self.listeners = {hook: _listeners(self.trainer, hook) for hook in HOOKS}
        for group in self.trainer.optimizers[0].param_groups if self.lean else ():
            if "foreach" in group and group["foreach"] is None and not group.get("fused"):
                group["foreach"] = True  # the same arithmetic on lists of tensors: a third less time on a CPU

    def advance(self, data_fetcher: Any) -> None:
        if self.restarting or not self.lean:
            return super().advance(data_fetcher)
        trainer, module, progress = self.trainer, self.trainer.lightning_module, self.batch_progress
        self._marked("rest")
        batch, _, _ = next(data_fetcher)
        index = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        batch = on_device(trainer, batch)
        self._marked("data")
        progress.increment_ready()
        self._tell("on_train_batch_start", batch, index)
        module.on_train_batch_start(batch, index)
        progress.increment_started()
        self._marked("rest")
        loss = self._step(batch, index)
        progress.increment_processed()
        for config in trainer.lr_scheduler_configs:
            self.scheduler_progress.increment_ready()
            config.scheduler.step()  # pyright: ignore[reportCallIssue] none that waits for a metric
            self.scheduler_progress.increment_completed()
        self._marked("optimizer")
        outputs = {"loss": loss}
        self._tell("on_train_batch_end", outputs, batch, index)
        module.on_train_batch_end(outputs, batch, index)
        progress.increment_completed()
        self._marked("rest")
        return None

    def on_advance_end(self, data_fetcher: Any) -> None:
        if self.lean and not (self.restarting or self.batch_progress.is_last_batch or self.trainer.should_stop):
            self._batches_that_stepped += 1  # no batch but the last is followed by validation
        else:
            super().on_advance_end(data_fetcher)

    def _step(self, batch: Any, index: int) -> Tensor:
        """Forward, backward, step: in this order inside the optimiser's own, which may want to do them again."""
        trainer, module, optimizer = self.trainer, self.trainer.lightning_module, self.trainer.optimizers[0]
        losses: list[Tensor] = []

        def closure() -> Tensor:
            with torch.enable_grad():
                with trainer.precision_plugin.train_step_context():
                    loss: Any = module.training_step(batch, index)
                self._marked("forward")
                for group in optimizer.param_groups:
                    for weight in group["params"]:
                        weight.grad = None
                self._tell("on_before_backward", loss)
                self._marked("rest")
                loss.backward()
            self._marked("backward")
            self._tell("on_before_optimizer_step", optimizer)
            self._marked("rest")
            if trainer.gradient_clip_val:
                module.configure_gradient_clipping(
                    optimizer, trainer.gradient_clip_val, trainer.gradient_clip_algorithm
                )
            losses.append(loss.detach())
            return losses[-1]

        progress = self.automatic_optimization.optim_progress.optimizer.step
        progress.increment_ready()
        optimizer.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType] torch's stub wants a float
        progress.increment_completed()
        return losses[-1]

    def _tell(self, hook: str, *news: Any) -> None:
        for listener in self.listeners[hook]:
            listener(self.trainer, self.trainer.lightning_module, *news)

    def _marked(self, part: str) -> None:
        if self.mark is not None:
            self.mark(part)


class LeanValidation(_EvaluationLoop):
    """Lightning's validation inside a training, for one device and one set of batches."""

    def run(self) -> list[Any]:
        trainer, module = self.trainer, self.trainer.lightning_module
        if self.restarting or not possible(trainer):
            return super().run()
        self.setup_data()
        training = [one for one in module.modules() if one.training]
        module.eval()
        told = {hook: _listeners(trainer, hook) for hook in VALIDATION}
        self.batch_progress.reset_on_run()
        with torch.inference_mode():
            self._tell(told["on_validation_start"], module.on_validation_start)
            self._tell(told["on_validation_epoch_start"], module.on_validation_epoch_start)
            batches: Any = self._combined_loader.flattened[0] if self._combined_loader is not None else ()
            for index, batch in enumerate(batches):
                self.batch_progress.is_last_batch = index + 1 == len(batches)
                batch = on_device(trainer, batch)
                self.batch_progress.increment_ready()
                self._tell(told["on_validation_batch_start"], module.on_validation_batch_start, batch, index)
                self.batch_progress.increment_started()
                with trainer.precision_plugin.val_step_context():
                    outputs: Any = module.validation_step(batch, index)
                self.batch_progress.increment_processed()
                self._tell(told["on_validation_batch_end"], module.on_validation_batch_end, outputs, batch, index)
                self.batch_progress.increment_completed()
                self._has_run = True
            self._tell(told["on_validation_epoch_end"], module.on_validation_epoch_end)
            self._tell(told["on_validation_end"], module.on_validation_end)
        for one in training:
            one.training = True
        return []

    def _tell(self, listeners: list[Callable[..., Any]], own: Callable[..., Any], *news: Any) -> None:
        for listener in listeners:
            listener(self.trainer, self.trainer.lightning_module, *news)
        own(*news)


def on_device(trainer: pl.Trainer, batch: Any) -> Any:
    """The batch as the data module hands it to the network, on the trainer's device."""
    data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it when it fits
    device = trainer.strategy.root_device
    if batch[0].device != device:
        batch = data.transfer_batch_to_device(batch, device, 0)
    return data.on_after_batch_transfer(batch, 0)


def possible(trainer: pl.Trainer) -> bool:
    """Whether the lean loops do all that this training asks for."""
    kind = type(trainer.lightning_module)
    ours = ("optimizer_zero_grad", "optimizer_step", "backward", "lr_scheduler_step", "transfer_batch_to_device")
    return (
        trainer.world_size == 1
        and trainer.accumulate_grad_batches == 1
        and trainer.lightning_module.automatic_optimization
        and getattr(trainer, "datamodule", None) is not None
        and getattr(trainer.precision_plugin, "scaler", None) is None
        and all(getattr(kind, name) is getattr(pl.LightningModule, name) for name in ours)
    )


def _listeners(trainer: pl.Trainer, hook: str) -> list[Callable[..., Any]]:
    """The callbacks' own methods of that name."""
    callbacks: Any = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue] set in the making
    methods = [getattr(callback, hook) for callback in callbacks]
    return [one for one in methods if getattr(one, "__func__", one) is not getattr(pl.Callback, hook)]
