"""Run Lightning's training and validation loops with fewer calls between the steps: same order, same numbers.

This is the only module that uses Lightning's private names, since the loops have no public ones.
`trainer.use_lean_loop` imports it only with a release of Lightning that it was tested with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop
from pytorch_lightning.loops.training_epoch_loop import _TrainingEpochLoop
from torch import Tensor

TRAINING_HOOKS = ("on_train_batch_start", "on_before_backward", "on_before_optimizer_step", "on_train_batch_end")
VALIDATION_HOOKS = tuple(
    f"on_validation_{when}" for when in ("start", "epoch_start", "batch_start", "batch_end", "epoch_end", "end")
)


class LeanSteps(_TrainingEpochLoop):
    """Train the batches of an epoch on one device, with one optimiser that is stepped every batch.

    A step of Lightning's own loop goes through some thirty hooks, progress counters and profiler contexts: 0.7 ms on a
    CPU that takes 8 ms for a batch of digits. This loop calls what our callbacks, module and data define, and nothing
    else; the numbers are the same to the last bit. What it does not support (several devices, gradient scaling, a
    module with its own optimiser step, an epoch that was interrupted) is left to Lightning's loop.

    Attributes:
        on_part_end: called with "data", "forward", "backward", "optimizer" or "rest" when that part of a step ends.
        lean: whether this training is supported.
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        before = trainer.fit_loop.epoch_loop
        super().__init__(trainer, min_steps=before.min_steps, max_steps=before.max_steps)
        old = self.val_loop
        self.val_loop = LeanValidation(trainer, old._trainer_fn, old._stage, verbose=False, inference_mode=True)
        self.on_part_end: Callable[[str], object] | None = None
        self.lean = False
        self.callbacks: dict[str, list[Callable[..., Any]]] = {}

    def on_run_start(self, data_fetcher: Any) -> None:
        super().on_run_start(data_fetcher)
        self.lean = is_supported(self.trainer)
        self.callbacks = {hook: _callback_methods(self.trainer, hook) for hook in TRAINING_HOOKS}
        for group in self.trainer.optimizers[0].param_groups if self.lean else ():
            if "foreach" in group and group["foreach"] is None and not group.get("fused"):
                group["foreach"] = True  # the same arithmetic on lists of tensors: a third less time on a CPU

    def advance(self, data_fetcher: Any) -> None:
        if self.restarting or not self.lean:
            return super().advance(data_fetcher)
        trainer, module, progress = self.trainer, self.trainer.lightning_module, self.batch_progress
        self._end_part("rest")
        batch, _, _ = next(data_fetcher)
        index = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        batch = on_device(trainer, batch)
        self._end_part("data")
        progress.increment_ready()
        self._call("on_train_batch_start", batch, index)
        module.on_train_batch_start(batch, index)
        progress.increment_started()
        self._end_part("rest")
        loss = self._step(batch, index)
        progress.increment_processed()
        for config in trainer.lr_scheduler_configs:
            self.scheduler_progress.increment_ready()
            config.scheduler.step()  # pyright: ignore[reportCallIssue] none that waits for a metric
            self.scheduler_progress.increment_completed()
        self._end_part("optimizer")
        outputs = {"loss": loss}
        self._call("on_train_batch_end", outputs, batch, index)
        module.on_train_batch_end(outputs, batch, index)
        progress.increment_completed()
        self._end_part("rest")
        return None

    def on_advance_end(self, data_fetcher: Any) -> None:
        if self.lean and not (self.restarting or self.batch_progress.is_last_batch or self.trainer.should_stop):
            self._batches_that_stepped += 1  # no batch but the last is followed by validation
        else:
            super().on_advance_end(data_fetcher)

    def _step(self, batch: Any, index: int) -> Tensor:
        """Compute forward, backward and update. Forward and backward form a closure: some optimisers call it twice."""
        trainer, module, optimizer = self.trainer, self.trainer.lightning_module, self.trainer.optimizers[0]
        losses: list[Tensor] = []

        def closure() -> Tensor:
            with torch.enable_grad():
                with trainer.precision_plugin.train_step_context():
                    loss: Any = module.training_step(batch, index)
                self._end_part("forward")
                for group in optimizer.param_groups:
                    for weight in group["params"]:
                        weight.grad = None
                self._call("on_before_backward", loss)
                self._end_part("rest")
                loss.backward()
            self._end_part("backward")
            self._call("on_before_optimizer_step", optimizer)
            self._end_part("rest")
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

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks[hook]:
            callback(self.trainer, self.trainer.lightning_module, *arguments)

    def _end_part(self, part: str) -> None:
        if self.on_part_end is not None:
            self.on_part_end(part)


class LeanValidation(_EvaluationLoop):
    """Validate after an epoch, on one device and one set of batches."""

    def run(self) -> list[Any]:
        trainer, module = self.trainer, self.trainer.lightning_module
        if self.restarting or not is_supported(trainer):
            return super().run()
        self.setup_data()
        training = [submodule for submodule in module.modules() if submodule.training]
        module.eval()
        callbacks = {hook: _callback_methods(trainer, hook) for hook in VALIDATION_HOOKS}
        self.batch_progress.reset_on_run()
        with torch.inference_mode():
            self._call(callbacks["on_validation_start"], module.on_validation_start)
            self._call(callbacks["on_validation_epoch_start"], module.on_validation_epoch_start)
            batches: Any = self._combined_loader.flattened[0] if self._combined_loader is not None else ()
            for index, batch in enumerate(batches):
                self.batch_progress.is_last_batch = index + 1 == len(batches)
                batch = on_device(trainer, batch)
                self.batch_progress.increment_ready()
                self._call(callbacks["on_validation_batch_start"], module.on_validation_batch_start, batch, index)
                self.batch_progress.increment_started()
                with trainer.precision_plugin.val_step_context():
                    outputs: Any = module.validation_step(batch, index)
                self.batch_progress.increment_processed()
                self._call(callbacks["on_validation_batch_end"], module.on_validation_batch_end, outputs, batch, index)
                self.batch_progress.increment_completed()
                self._has_run = True
            self._call(callbacks["on_validation_epoch_end"], module.on_validation_epoch_end)
            self._call(callbacks["on_validation_end"], module.on_validation_end)
        for submodule in training:
            submodule.training = True
        return []

    def _call(self, callbacks: list[Callable[..., Any]], of_module: Callable[..., Any], *arguments: Any) -> None:
        for callback in callbacks:
            callback(self.trainer, self.trainer.lightning_module, *arguments)
        of_module(*arguments)


def on_device(trainer: pl.Trainer, batch: Any) -> Any:
    """Move a batch to the trainer's device, and let the data module normalise it."""
    data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it when it fits
    device = trainer.strategy.root_device
    if batch[0].device != device:
        batch = data.transfer_batch_to_device(batch, device, 0)
    return data.on_after_batch_transfer(batch, 0)


def is_supported(trainer: pl.Trainer) -> bool:
    """Whether the lean loops can do this training: one device, one step a batch, Lightning's own order of calls."""
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


def _callback_methods(trainer: pl.Trainer, hook: str) -> list[Callable[..., Any]]:
    """The methods named `hook` of those callbacks that define one."""
    callbacks: Any = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue] set in the making
    methods = [getattr(callback, hook) for callback in callbacks]
    return [method for method in methods if getattr(method, "__func__", method) is not getattr(pl.Callback, hook)]
