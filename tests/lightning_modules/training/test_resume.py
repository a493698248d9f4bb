"""A training that is interrupted and goes on ends as one that is not, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback

from lightning_modules.training.checkpoint import InMemory
from tests.lightning_modules.trained import Trained, perceptron, tiny_data, train

LENGTHS = {"epochs": ["recipe.epochs=4"], "steps": ["recipe.epochs=null", "recipe.steps=18"]}  # five steps an epoch


class Killed(BaseException):
    pass


class Kill(Callback):
    """Ends the process, as it were, before step `at`, the first being 0."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer, *_) -> None:
        if trainer.global_step == self.at:
            raise Killed


class Epochs(Callback):
    """The epochs trained."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.begun.append(trainer.current_epoch)


def same(one: Trained, other: Trained) -> bool:
    states = [trained.trainer.optimizers[0].state_dict()["state"] for trained in (one, other)]
    buffers = [tensor for state in states for part in state.values() for tensor in part.values() if tensor is not None]
    half = len(buffers) // 2
    rows = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in trained.curve.rows] for trained in (one, other)
    ]
    assert half
    return (
        all(map(torch.equal, one.weights.values(), other.weights.values()))
        and all(map(torch.equal, buffers[:half], buffers[half:]))
        and one.done.metrics == other.done.metrics
        and (one.done.epochs, one.done.steps) == (other.done.epochs, other.done.steps)
        and rows[0] == rows[1]
    )


@pytest.mark.usefixtures("every_epoch_saved")
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("at", [0, 3, 5, 9, 10, 17])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, length: str, at: int) -> None:
    """With batch norm, momentum and dropout; killed at the start, in the middle and at the end of an epoch."""
    whole = train(*LENGTHS[length], network=perceptron, data=tiny_data())
    checkpoint = tmp_path / "last.ckpt"
    with pytest.raises(Killed):
        train(*LENGTHS[length], network=perceptron, data=tiny_data(), checkpoint=checkpoint, callbacks=[Kill(at)])
    assert checkpoint.exists() == (at >= 5)
    epochs = Epochs()
    resumed = train(*LENGTHS[length], network=perceptron, data=tiny_data(), checkpoint=checkpoint, callbacks=[epochs])
    assert epochs.begun == list(range(at // 5, 4)), "it goes on with the epoch it was killed in"
    assert same(whole, resumed)


@pytest.mark.usefixtures("every_epoch_saved")
def test_killed_again_and_again(tmp_path: Path) -> None:
    """With convolutions, Adam and one of torch's own schedules, whose states are others."""
    words = ["optimizer=adam", "recipe.lr=1e-3", "recipe.epochs=4", "schedule=constant", "+schedule.max_lr=0.01"]
    words += ["schedule._target_=torch.optim.lr_scheduler.OneCycleLR"]
    for at in (12, 25, 31):
        with pytest.raises(Killed):
            train(*words, checkpoint=tmp_path / "last.ckpt", callbacks=[Kill(at)])
    assert same(train(*words), train(*words, checkpoint=tmp_path / "last.ckpt"))


@pytest.mark.usefixtures("every_epoch_saved")
@pytest.mark.parametrize("length", LENGTHS)
def test_killed_in_the_test_it_still_ends_with_all_its_numbers(tmp_path: Path, length: str) -> None:
    class InTheTest(Callback):
        def on_test_start(self, *_) -> None:
            raise Killed

    whole = train(*LENGTHS[length], network=perceptron, data=tiny_data())
    arguments = {"network": perceptron, "data": tiny_data(), "checkpoint": tmp_path / "last.ckpt"}
    with pytest.raises(Killed):
        train(*LENGTHS[length], **arguments, callbacks=[InTheTest()])
    assert same(whole, train(*LENGTHS[length], **arguments))


@pytest.mark.usefixtures("every_epoch_saved")
def test_time_is_counted_over_interruptions_and_the_curve_told_from_its_start(tmp_path: Path) -> None:
    checkpoint = tmp_path / "last.ckpt"
    with pytest.raises(Killed):
        train("recipe.epochs=4", checkpoint=checkpoint, callbacks=[Kill(25)])
    told = []

    def on_rows(rows, new) -> None:
        told.append(([row["epoch"] for row in rows], [row["epoch"] for row in new]))

    before = torch.load(checkpoint, weights_only=True)["callbacks"]["Curve"]["rows"][-1]["seconds"]
    rows = train("recipe.epochs=4", checkpoint=checkpoint, on_rows=on_rows).curve.rows
    assert told == [([1, 2], [1, 2]), ([1, 2, 3], [3]), ([1, 2, 3, 4], [4])]
    assert 0 < rows[0]["seconds"] < before == rows[1]["seconds"] < rows[2]["seconds"] < rows[3]["seconds"]


def test_saving_takes_a_small_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("lightning_modules.training.throttle.time.monotonic", lambda: clock[0])
    saved = []

    class Slow(Callback):
        """A second an epoch, 0.0475 to save: half a percent are that in 9.5 s."""

        def on_train_epoch_start(self, *_) -> None:
            clock[0] += 1

        def on_save_checkpoint(self, trainer, *_) -> None:
            if not isinstance(trainer.strategy.checkpoint_io, InMemory):
                clock[0] += 0.0475
                saved.append(trainer.current_epoch + 1)

    train("recipe.epochs=24", network=perceptron, data=tiny_data(), checkpoint=tmp_path / "a", callbacks=[Slow()])
    assert saved == [1, 11, 21]
    assert not list(tmp_path.glob(".*")), "it is replaced atomically, and nothing is left beside it"


def test_a_long_epoch_is_always_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("lightning_modules.training.throttle.time.monotonic", lambda: clock[0])
    saved = []

    class Slow(Callback):
        def on_train_epoch_start(self, *_) -> None:
            clock[0] += 60

        def on_save_checkpoint(self, *_) -> None:
            clock[0] += 0.25
            saved.append(clock[0])

    train("recipe.epochs=6", network=perceptron, data=tiny_data(), checkpoint=tmp_path / "a", callbacks=[Slow()])
    assert len(saved) == 6


@pytest.fixture
def seldom_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first epoch no state is saved, as if saving took very long."""
    monkeypatch.setattr("lightning_modules.training.history.SAVING", 1e-9)


class Raise(Kill):
    """Raises an error before step `at`."""

    def on_train_batch_start(self, trainer, *_) -> None:
        if trainer.global_step == self.at:
            raise RuntimeError("a passing error")


@pytest.mark.usefixtures("seldom_saved")
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("end", [Kill, Raise])
@pytest.mark.parametrize("at", [7, 12, 17])
def test_however_a_training_ends_it_goes_on_from_the_last_epoch_or_the_one_before(
    tmp_path: Path, length: str, end: type[Kill], at: int
) -> None:
    whole = train(*LENGTHS[length], network=perceptron, data=tiny_data())
    arguments = {"network": perceptron, "data": tiny_data(), "checkpoint": tmp_path / "last.ckpt"}
    with pytest.raises((Killed, RuntimeError)):
        train(*LENGTHS[length], **arguments, callbacks=[end(at)])
    epochs = Epochs()
    resumed = train(*LENGTHS[length], **arguments, callbacks=[epochs])
    assert epochs.begun[0] >= at // 5 - 1
    assert same(whole, resumed)


@pytest.mark.usefixtures("seldom_saved")
@pytest.mark.parametrize("length", LENGTHS)
def test_after_a_failure_in_the_test_only_the_test_is_done(tmp_path: Path, length: str) -> None:
    class DamagedImage(Callback):
        def on_test_batch_start(self, *_) -> None:
            raise OSError("it could not be decoded")

    whole = train(*LENGTHS[length], network=perceptron, data=tiny_data())
    arguments = {"network": perceptron, "data": tiny_data(), "checkpoint": tmp_path / "last.ckpt"}
    with pytest.raises(OSError, match="decoded"):
        train(*LENGTHS[length], **arguments, callbacks=[DamagedImage()])
    epochs = Epochs()
    tested = train(*LENGTHS[length], **arguments, callbacks=[epochs])
    assert not epochs.begun
    assert tested.done.metrics == whole.done.metrics
    assert (tested.done.epochs, tested.done.steps) == (whole.done.epochs, whole.done.steps)
