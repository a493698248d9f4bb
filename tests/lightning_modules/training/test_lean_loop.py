"""The lean loops are Lightning's own, but for their time: the same numbers, and the same calls in the same order."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback

from lightning_modules.training.lean_loop import LeanSteps, LeanValidation, is_supported
from tests.lightning_modules.trained import perceptron, tiny_data, train

HOOKS = [
    *("on_train_epoch_start", "on_train_batch_start", "on_before_backward", "on_before_optimizer_step"),
    *("on_train_batch_end", "on_validation_start", "on_validation_epoch_start", "on_validation_batch_start"),
    *("on_validation_batch_end", "on_validation_epoch_end", "on_validation_end", "on_train_epoch_end"),
]


class Listener(Callback):
    """Writes down which hooks are called, with which batch, and whether there are gradients by then."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        for hook in HOOKS:
            setattr(self, hook, self.listening(hook))

    def listening(self, hook: str) -> Any:
        def listen(trainer: Any, module: Any, *news: Any) -> None:
            index = news[-1] if "batch" in hook else None
            graded = any(weight.grad is not None for weight in module.parameters())
            self.heard.append((hook, index, trainer.global_step, graded, module.network.training))

        return listen


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["recipe.epochs=null", "recipe.steps=13"],
        ["recipe.clip_norm=0.5", "optimizer=adamw", "recipe.lr=0.01"],
        ["recipe.precision=bf16-mixed"],
        ["recipe.label_smoothing=0.1", "optimizer=nesterov", "schedule=steps"],
    ],
    ids=" ".join,
)
def test_lean_steps_are_lightnings(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for lean in (True, False):
        if not lean:
            monkeypatch.setattr("lightning_modules.training.trainer.version", lambda name: "2.9.0")
        listener = Listener()
        trained = train(*overrides, network=perceptron, data=tiny_data(), callbacks=[listener])
        assert isinstance(trained.trainer.fit_loop.epoch_loop, LeanSteps) is lean
        rows = [{name: row[name] for name in row if name != "seconds"} for row in trained.curve.rows]
        found.append((trained.weights, rows, listener.heard, trained.trainer.global_step))
    (ours, *rest), (theirs, *others) = found
    assert rest == others
    assert all(map(torch.equal, ours.values(), theirs.values()))
    assert rest[1], "hooks were called"


def test_another_lightning_runs_its_own_loop_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lightning_modules.training.trainer.version", lambda name: "3.0.0")
    monkeypatch.delitem(sys.modules, LeanSteps.__module__)
    monkeypatch.setattr("pytorch_lightning.loops.evaluation_loop._EvaluationLoop", None)  # cannot be subclassed there
    for _ in range(2):
        trained = train("recipe.epochs=1", network=perceptron, data=tiny_data())
        assert type(trained.trainer.fit_loop.epoch_loop) is LeanSteps.__mro__[1]
    assert [line.partition(":")[0] for line in caplog.messages] == ["pytorch-lightning 3.0.0 is untested (tested"]


def test_what_the_lean_loops_were_not_made_for_goes_lightnings_way() -> None:
    trained = train("micro_batch=32", "norm=group")
    assert isinstance(trained.trainer.fit_loop.epoch_loop.val_loop, LeanValidation)
    assert is_supported(trained.trainer)

    class Own(type(trained.classifier)):
        def optimizer_zero_grad(self, *_: Any) -> None:
            """Another order of things."""

    trained.classifier.__class__ = Own
    assert not is_supported(trained.trainer)
