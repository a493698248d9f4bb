"""Three small trainings, alone and all at once."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from pytorch_lightning import Callback
from torch import nn

from lightning_modules.data.augment import NoAugment
from lightning_modules.inspection.diagnostics import Diagnostics
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.fit import Outcome, fit
from lightning_modules.training.history import Curve, LastEpoch
from lightning_modules.training.recipe import Recipe
from lightning_modules.training.schedules import cosine
from lightning_modules.training.trainer import lean_trainer
from lightning_modules.vmapped.fused import fused, train_in_lockstep
from tests.lightning_modules.trained import tiny_data

Build = Callable[[], nn.Module]
NEAR = 1e-9
DRAWS = "it draws random numbers or counts its steps"


class Ended(NamedTuple):
    done: Outcome
    curve: list[dict[str, float]]
    inside: list[dict[str, float]]
    weights: dict[str, torch.Tensor]


class Trainings:
    """Some epochs of `build`'s network: seed k at the k-th learning rate, alone or all together."""

    def __init__(
        self,
        build: Build,
        *,
        lr: Sequence[float],
        epochs: int = 3,
        precision: str = "64-true",
        folder: Path | None = None,
    ) -> None:
        self.build, self.lr, self.epochs, self.precision, self.folder = build, lr, epochs, precision, folder
        self.ended: dict[int, Ended] = {}

    def alone(self) -> list[Ended]:
        for seed in range(len(self.lr)):
            self.train(seed)
        return [self.ended[seed] for seed in range(len(self.lr))]

    def together(self) -> tuple[list[Ended], str | None]:
        begun = time.perf_counter()
        trouble = train_in_lockstep(
            [partial(self.train, seed) for seed in range(len(self.lr))], known=False, faster=False
        )
        went = time.perf_counter() - begun
        assert sum(ended.done.seconds for ended in self.ended.values()) < went, "each counts its share of the time"
        return [self.ended[seed] for seed in range(len(self.lr))], trouble

    def train(self, seed: int, turn: Any = None) -> None:
        sgd = partial(torch.optim.SGD, lr=self.lr[seed], momentum=0.9, weight_decay=1e-3)
        recipe = Recipe(
            optimizer=sgd,
            schedule=cosine,
            augment=NoAugment(),
            lr=self.lr[seed],
            weight_decay=1e-3,
            batch_size=16,
            epochs=self.epochs,
            precision=self.precision,
            label_smoothing=0.1,
        )
        torch.manual_seed(seed)
        network = self.build()
        curve, inside = Curve(lambda rows, new: None), Diagnostics(lambda rows, new: None)
        watchers: list[Callback] = [curve, inside]
        kept = self.folder / f"{seed}.ckpt" if self.folder else None
        watchers += [LastEpoch(kept)] if kept else []
        trainer = lean_trainer(recipe=recipe, callbacks=watchers, accelerator="cpu", threads=1)
        learner = Classifier(network, recipe, seed=seed)
        learner = fused(learner, turn, curve) if turn else learner
        done = fit(learner, tiny_data(seed=seed), trainer, curve, resume=kept)
        self.ended[seed] = Ended(done, curve.rows, inside.rows, network.state_dict())


def assert_same(one: Ended, other: Ended, *, near: float = NEAR) -> None:
    torch.testing.assert_close(one.weights, other.weights, rtol=near, atol=near)
    assert [row["lr"] for row in one.curve] == [row["lr"] for row in other.curve]
    for mine, its in ((one.curve, other.curve), (one.inside, other.inside)):
        for row, same in zip(mine, its, strict=True):
            assert without_time(row) == pytest.approx(without_time(same), rel=1e-6, abs=1e-6, nan_ok=True)
    assert one.done.metrics == pytest.approx(other.done.metrics, rel=1e-6, nan_ok=True)  # sums are kept in float32
    assert one.done.predictions.keys() == other.done.predictions.keys()
    for name, kept in one.done.predictions.items():
        assert kept == pytest.approx(other.done.predictions[name], rel=1e-6, abs=1e-6)
    assert (one.done.epochs, one.done.steps, one.done.diverged) == (
        other.done.epochs,
        other.done.steps,
        other.done.diverged,
    )


def without_time(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if "seconds" not in name and "per_second" not in name}
