"""A recipe in steps, which may end in the middle of an epoch: he2015's 64,000 steps are 182 epochs and a third."""

from __future__ import annotations

import pytest
import torch

from tests.lightning_modules.trained import perceptron, tiny_data, train
from tests.lightning_modules.training.test_classifier import Passes, evaluated, means


def steps(count: int) -> list[str]:
    return ["recipe.epochs=null", f"recipe.steps={count}"]


@pytest.mark.parametrize(("count", "epochs"), [(3, 1), (10, 1), (13, 2), (20, 2), (21, 3)])
def test_the_last_epoch_may_be_a_part_and_is_one_all_the_same(count: int, epochs: int) -> None:
    passes = Passes()
    trained = train(*steps(count), callbacks=[passes])
    assert (trained.done.steps, trained.done.epochs) == (count, epochs)
    assert [row["epoch"] for row in trained.curve.rows] == list(range(1, epochs + 1))
    assert passes.seen == {"train": count, "val": 2 * epochs, "test": 3}, "every epoch is validated, once"
    rows = [tuple(row.values())[2:-1] for row in trained.curve.rows]
    assert len(set(rows)) == epochs, "no row repeats the one before"


def test_validation_is_of_the_final_weights() -> None:
    trained = train(*steps(13))
    now = means("val", evaluated(trained.classifier.network, trained.data, trained.data.val_dataloader()))
    last = trained.curve.rows[-1]
    assert {name: last[name] for name in now} == pytest.approx(now, rel=1e-5)
    assert {name: trained.done.metrics[name] for name in now} == {name: last[name] for name in now}


def test_training_metrics_of_a_part_are_of_that_part() -> None:
    trained = train(*steps(13), "recipe.lr=1e-30", network=perceptron)
    wrong = trained.done.metrics["train_error"] * 3 * 128 / 100
    assert wrong == pytest.approx(round(wrong), abs=1e-3), "percent of three batches"


def test_steps_and_epochs_of_the_same_length_are_the_same_training() -> None:
    in_epochs = train("recipe.epochs=3", network=perceptron, data=tiny_data())
    in_steps = train(*steps(15), network=perceptron, data=tiny_data())
    assert in_steps.done.metrics == in_epochs.done.metrics
    assert all(map(torch.equal, in_steps.weights.values(), in_epochs.weights.values()))


@pytest.mark.parametrize("length", [["recipe.epochs=2"], steps(20)])
def test_the_curve_has_the_rate_that_an_epoch_ended_with(length: list[str]) -> None:
    rows = train(*length, "schedule=steps").curve.rows
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.001])
