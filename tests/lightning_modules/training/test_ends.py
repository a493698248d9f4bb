"""How a training may end, and what is left of it: diverged, out of memory, interrupted, failed."""

from __future__ import annotations

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from torch import Tensor

from ablations.records.record import Record
from lightning_modules.networks.blocks import Residual
from lightning_modules.training.classifier import Classifier
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


class Passing(Breaking):
    """Breaks once in this process, as a GPU does whose driver hiccups."""

    left = 1

    def broken(self, x: Tensor) -> Tensor:
        Passing.left -= 1
        if Passing.left >= 0:
            raise RuntimeError("a passing error")
        return x.new_zeros(())


def recorded(folder: Path, block: type, *overrides: str) -> Record:
    return trained(
        folder,
        *(f"block._target_=tests.lightning_modules.training.test_ends.{block.__name__}", "recipe.epochs=5"),
        *overrides,
    )


def trained(folder: Path, *overrides: str) -> Record:
    """Train one run as a worker does."""
    config = composed(*overrides)
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
    assert len(curve(tmp_path)) == record["epochs"] == tries, "each try goes on from where the one before it ended"
    assert record["seconds"] > 0
    assert (tmp_path / "run" / "last.ckpt").exists()
    assert "in broken" in (tmp_path / "run" / "traceback.txt").read_text()


def test_a_failed_run_goes_on_where_it_failed_and_ends_as_if_it_had_not(tmp_path: Path) -> None:
    Passing.left = 0
    whole = recorded(tmp_path / "whole", Passing)
    Passing.left = 1
    failed = recorded(tmp_path, Passing)
    assert (failed["status"], failed["cause"], failed["epochs"]) == ("failed", "error: a passing error", 1)
    begun = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"]
    done = recorded(tmp_path, Passing)
    assert begun == 10, "the second epoch broke in its fifth step"
    assert (done["status"], done["metrics"]) == ("finished", whole["metrics"])
    assert [{**row, "seconds": ""} for row in curve(tmp_path)] == [
        {**row, "seconds": ""} for row in curve(tmp_path / "whole")
    ]
    assert not (tmp_path / "run" / "last.ckpt").exists()


ARRAYS = ["data=arrays", "data.source.path=x.npz", "data.channels=1", "data.size=8", "data.classes=10"]
ARRAYS += ["data.held_out=20", "recipe=digits_quick", "recipe.epochs=2", "recipe.batch_size=32"]


@pytest.fixture
def two_folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with other images under the same name."""
    for seed, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        rng, labels = np.random.default_rng(seed), np.arange(300) % 10
        images = rng.integers(0, 255, (300, 8, 8, 1), dtype=np.uint8)
        arrays = {"train_images": images[:200], "train_labels": labels[:200]}
        np.savez(tmp_path / name / "x.npz", **arrays, test_images=images[200:], test_labels=labels[200:])
    return tmp_path / "a", tmp_path / "b"


@pytest.mark.usefixtures("every_epoch_saved")
def test_a_checkpoint_of_other_images_or_of_another_run_is_set_aside(
    tmp_path: Path, two_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_) -> None:
        raise RuntimeError("it breaks in the test")

    one, other = (f"data_dir={folder}" for folder in two_folders)
    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "on_test_epoch_end", broken)
        assert trained(tmp_path, *ARRAYS, one)["cause"] == "error: it breaks in the test"
    whole = trained(tmp_path / "whole", *ARRAYS, other)
    assert trained(tmp_path, *ARRAYS, other)["metrics"] == whole["metrics"]
    assert "last.ckpt is of other images; it is kept as last.unused-1.ckpt, and the run begins anew" in caplog.text
    (tmp_path / "run" / "last.unused-1.ckpt").rename(tmp_path / "run" / "last.ckpt")
    trained(tmp_path, *ARRAYS, one, "seed=1")
    assert "last.ckpt is of another run or other code" in caplog.text


def test_images_per_second_are_those_that_were_seen(tmp_path: Path, two_folders: tuple[Path, Path]) -> None:
    """Of a batch that is larger than the data set, those that there are."""
    record = trained(tmp_path, *ARRAYS, f"data_dir={two_folders[0]}", "recipe.batch_size=100000")
    assert record["steps"] == 2
    assert record["images_per_second"] * record["seconds"] == pytest.approx(2 * 180)


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
