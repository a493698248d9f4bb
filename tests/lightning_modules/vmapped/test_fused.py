"""Several trainings as one program: what becomes of each when one diverges, is interrupted, or has no memory."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules.vmapped.stack import Stack
from tests.lightning_modules.trained import perceptron
from tests.lightning_modules.vmapped.fusing import DRAWS, Build, Ended, Trainings, assert_same


def conv() -> nn.Module:
    """A small network with statistics and no random numbers."""
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    return body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def test_one_that_diverges_disturbs_none() -> None:
    lr = [0.05, 1e300, 0.02]
    alone, (beside, trouble) = Trainings(conv, lr=lr).alone(), Trainings(conv, lr=lr).together()
    assert trouble is None
    assert [end.done.diverged for end in beside] == [False, True, False]
    for k in (0, 2):
        assert_same(alone[k], beside[k])
    assert alone[1].done.epochs == beside[1].done.epochs < 3


@pytest.mark.usefixtures("every_epoch_saved")
@pytest.mark.parametrize("again", ["alone", "together"])
def test_an_interrupted_group_goes_on_alone_or_together(
    tmp_path: Path, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lr = [0.05, 0.05, 0.02]
    whole = Trainings(conv, lr=lr).alone()
    broken, real, steps = Trainings(conv, lr=lr, folder=tmp_path), Stack.step, [0]

    def step(self: Stack, batches: Any, loss: Any) -> Any:
        steps[0] += 1
        if steps[0] == 6:  # the second epoch's second: of five in an epoch the last is looked into, and done alone
            raise KeyboardInterrupt
        return real(self, batches, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "step", step)
        with pytest.raises(KeyboardInterrupt):
            broken.together()
    assert not broken.ended
    assert {path.name for path in tmp_path.iterdir()} == {"0.ckpt", "1.ckpt", "2.ckpt"}
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    (tmp_path / "2.ckpt").unlink()  # of one it is lost: that one begins anew beside the others
    ended = broken.alone() if again == "alone" else broken.together()[0]
    for one, other in zip(whole, ended, strict=True):
        assert_same(one, other)
        assert [row["epoch"] for row in other.curve] == [1, 2, 3]
    single = Trainings(conv, lr=lr[:1], folder=tmp_path / "alone")
    (tmp_path / "alone").mkdir()
    single.alone()
    assert size < 1.2 * (tmp_path / "alone" / "0.ckpt").stat().st_size, "no one keeps the others' weights"


def test_without_memory_for_all_at_once_each_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, steps, real = Trainings(conv, lr=[0.05, 0.02]).alone(), [0], Stack.step

    def step(self: Stack, batches: Any, loss: Any) -> Any:
        def short(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("no room\nfor so many")

        steps[0] += 1
        return real(self, batches, short if steps[0] == 8 else loss)  # after the statistics have moved

    monkeypatch.setattr(Stack, "step", step)
    ended, trouble = Trainings(conv, lr=[0.05, 0.02]).together()
    assert (steps[0], trouble) == (8, "no room")
    for one, other in zip(whole, ended, strict=True):
        assert_same(one, other)


class Odd(nn.Module):
    """What cannot be computed for several networks at once, each in a way of its own."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.calls = way, 0
        self.own = torch.rand(()).item()
        self.kept: torch.Tensor
        self.register_buffer("kept", torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.way == "asks":
            return x if x.mean() > 0 else -x
        if self.way == "differs":
            return x + self.own
        if self.way == "replaces" and self.training:
            self.kept = 0.9 * self.kept + 0.1 * x.detach().mean()
        if self.way == "counts" and self.training:
            self.calls += 1
        return x * self.kept + self.calls


@pytest.mark.parametrize(
    ("way", "words"),
    [("asks", "data-dependent"), ("differs", "other numbers"), ("replaces", "other numbers"), ("counts", DRAWS)],
)
def test_what_cannot_be_done_at_once_is_done_one_by_one_to_the_last_bit(way: str, words: str) -> None:
    assert_one_by_one(lambda: nn.Sequential(Odd(way), conv()), words)


def test_networks_that_draw_random_numbers_are_trained_one_by_one() -> None:
    assert_one_by_one(perceptron, DRAWS)


def assert_one_by_one(build: Build, words: str) -> None:
    alone = Trainings(build, lr=[0.05, 0.02]).alone()
    beside, trouble = Trainings(build, lr=[0.05, 0.02]).together()
    assert trouble is not None
    assert words in trouble
    for one, other in zip(alone, beside, strict=True):
        assert_same(one, other, near=0.0)


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_in_fewer_digits_a_step_is_the_same_to_these_digits(precision: str) -> None:
    lr = [1e-4, 2e-4]  # so that three epochs do not make a difference in the last digit a large one
    alone, (beside, trouble) = (t := Trainings(conv, lr=lr, precision=precision)).alone(), t.together()
    assert trouble is None
    for one, other in zip(alone, beside, strict=True):
        torch.testing.assert_close(one.weights, other.weights, rtol=1e-2, atol=1e-5 if precision == "32" else 1e-3)
        assert one.weights["0.weight"].stride() == other.weights["0.weight"].stride()
    if precision == "bf16-mixed":
        for one, other, exact in zip(alone, beside, Trainings(conv, lr=lr, precision="32").alone(), strict=True):
            assert far(other, one) < far(other, exact), "rounded where each alone is"


def far(one: Ended, other: Ended) -> float:
    """The distance of all weights."""
    return math.hypot(*((one.weights[name] - other.weights[name]).float().norm().item() for name in one.weights))
