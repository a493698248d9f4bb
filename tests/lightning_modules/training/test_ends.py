"""How a training may end, and what is left of it: diverged, out of memory, interrupted, failed."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback
from torch import Tensor

from ablations.records.record import Record
from lightning_modules.networks.blocks import Residual
from sweeps import one_run
from sweeps.compose.compose import run_of
from tests.lightning_modules.trained import composed, tiny_data, train


class Breaking(Residual):
    """A residual block that works for 14 steps of training, and then breaks as its class says."""

    def forward(self, x: Tensor) -> Tensor:
        self.steps = getattr(self, "steps", 0) + (self.training and not x.is_meta)
        return super().forward(x) + self.broken(x) if self.steps > 14 else super().forward(x)

    def broken(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class NotANumber(Breaking):
    def broken(self, x: Tensor) -> Tensor:
        return x.new_tensor(float("nan"))


class NaNGradient(Breaking):
    """The loss is finite, its gradient is not: √0."""

    def broken(self, x: Tensor) -> Tensor:
        return (x.sum() * 0).sqrt()


class Huge(Breaking):
    def broken(self, x: Tensor) -> Tensor:
        return torch.empty(1 << 60, dtype=torch.uint8)


class HugeOnAGpu(Breaking):
    def broken(self, x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Mistaken(Breaking):
    def broken(self, x: Tensor) -> Tensor:
        raise RuntimeError("my own mistake")


def recorded(folder: Path, block: type, *overrides: str) -> Record:
    config = composed(
        f"block._target_=tests.lightning_modules.training.test_ends.{block.__name__}", "recipe.epochs=5", *overrides
    )
    return one_run.train(config, run_of(config, config.hydra), folder / "run", alone=False)


def curve(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "run" / "curve.csv").read_text().splitlines()))


@pytest.mark.parametrize("clip", ["null", "1.0"])
@pytest.mark.parametrize("block", [NotANumber, NaNGradient])
def test_a_nan_in_the_middle_ends_the_training_and_keeps_its_curve(tmp_path: Path, block: type, clip: str) -> None:
    record = recorded(tmp_path, block, f"recipe.clip_norm={clip}")
    assert (record["status"], record["cause"]) == ("diverged", "nan")
    assert (record["epochs"], record["steps"]) == (2, 20), "the epoch is the second, and no other follows it"
    assert [row["epoch"] for row in curve(tmp_path)] == ["1", "2"]
    assert float(curve(tmp_path)[0]["train_loss"]) > 0
    assert record["metrics"]["train_loss"] is None
    assert record["metrics"]["test_error"] > 50, "it is still evaluated"
    assert not (tmp_path / "run" / "last.ckpt").exists()


def test_weights_lost_in_the_very_last_step_are_a_divergence_too(tmp_path: Path) -> None:
    """Its training loss was finite: it is of the weights before."""
    record = recorded(tmp_path, NaNGradient, "recipe.epochs=null", "recipe.steps=15")
    assert record["metrics"]["train_loss"] > 0
    assert record["metrics"]["val_loss"] is None
    assert (record["status"], record["cause"], record["steps"]) == ("diverged", "nan", 15)


@pytest.mark.parametrize(
    ("block", "cause", "tries"), [(Huge, "oom", 3), (HugeOnAGpu, "oom", 3), (Mistaken, "error: my own mistake", 1)]
)
def test_what_ends_a_training_is_its_cause(tmp_path: Path, block: type, cause: str, tries: int) -> None:
    record = recorded(tmp_path, block)
    assert (record["status"], record["cause"]) == ("failed", cause)
    assert len(curve(tmp_path)) == tries, "what was learned before is kept, and another try goes on from there"
    assert "in broken" in (tmp_path / "run" / "traceback.txt").read_text()


@pytest.mark.usefixtures("every_epoch_saved")
def test_no_state_is_kept_that_diverged(tmp_path: Path) -> None:
    words = ["block._target_=tests.lightning_modules.training.test_ends.NotANumber", "recipe.epochs=5"]
    assert train(*words, checkpoint=tmp_path / "last.ckpt").done.diverged
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == 10


def test_an_epoch_never_repeats_the_numbers_of_another() -> None:
    """Should it ever go without a validation, it ends in an error."""

    class NoMore(Callback):
        def on_train_epoch_start(self, trainer, pl_module) -> None:
            trainer.limit_val_batches = 1 if trainer.current_epoch == 0 else 0

    with pytest.raises(KeyError):
        train(data=tiny_data(), callbacks=[NoMore()])


@pytest.mark.parametrize(
    "hook", ["on_fit_start", "on_train_batch_start", "on_validation_batch_start", "on_test_batch_start"]
)
def test_an_interruption_is_one_and_leaves_ctrl_c_alive(hook: str) -> None:
    def interrupt(*_) -> None:
        signal.raise_signal(signal.SIGINT)

    callback = Callback()
    setattr(callback, hook, interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(data=tiny_data(), callbacks=[callback])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_clipping_shortens_a_step_to_its_bound_and_keeps_its_direction() -> None:
    """Plain SGD with rate 1 makes each step the clipped gradient itself."""

    class Steps(Callback):
        def __init__(self) -> None:
            self.pairs: list[tuple[Tensor, Tensor]] = []

        def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
            self.gradient = torch.cat([p.grad.flatten().clone() for p in pl_module.parameters()])
            self.before = torch.cat([p.detach().flatten().clone() for p in pl_module.parameters()])

        def on_train_batch_end(self, trainer, pl_module, *_) -> None:
            after = torch.cat([p.detach().flatten() for p in pl_module.parameters()])
            self.pairs.append((self.gradient, self.before - after))

    still = ["optimizer=plain_sgd", "schedule=constant", "recipe.lr=1", "recipe.weight_decay=0", "recipe.epochs=1"]
    steps = Steps()
    train(*still, "recipe.clip_norm=1.5", callbacks=[steps])
    norms = [(gradient.norm().item(), step.norm().item()) for gradient, step in steps.pairs]
    assert any(before > 1.5 for before, _ in norms)
    assert any(before < 1.5 for before, _ in norms)
    for before, after in norms:
        assert after == pytest.approx(min(before, 1.5), rel=1e-3)
    for gradient, step in steps.pairs:
        assert torch.cosine_similarity(gradient, step, dim=0) == pytest.approx(1, abs=1e-3)
