"""What a training keeps of every image says what its metrics say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

from lightning_modules.training.predictions import Predictions, calibration_error
from tests.lightning_modules.trained import Trained, perceptron, tiny_data, train

KINDS = {
    "plain": [],
    "smoothed": ["recipe.label_smoothing=0.2"],
    "bf16": ["recipe.precision=bf16-mixed"],
    "double": ["recipe.precision=64-true"],
    "steps": ["recipe.epochs=null", "recipe.steps=17"],
    "without blocks": ["recipe.lesions=true"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_have_the_errors_and_losses_of_the_metrics(kind: str) -> None:
    trained = train(*KINDS[kind])
    kept, metrics, data = trained.done.predictions, trained.done.metrics, trained.data
    labels = {"val": data.images.train_labels[data.val_indices], "test": data.images.test_labels}
    for part, expected in labels.items():
        label, classes, true, confidence = (kept[f"{part}_{k}"] for k in ("label", "class", "true", "confidence"))
        assert (label == expected).all(), "in the order of the data set"
        assert label.dtype == classes.dtype == np.uint8
        assert 100 * (label != classes).sum() / len(label) == metrics[f"{part}_error"]
        assert -np.log(true.astype(float)).mean() == pytest.approx(metrics[f"{part}_loss"], rel=1e-5)
        assert (true[label == classes] == confidence[label == classes]).all()
        assert (true <= confidence).all()
        assert metrics[f"{part}_ece"] == pytest.approx(by_hand(label == classes, confidence), abs=1e-9)


def by_hand(right: np.ndarray, confidence: np.ndarray) -> float:
    total = 0.0
    for m in range(1, 16):
        held = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if held.any():
            total += held.mean() * abs(right[held].mean() - confidence[held].astype(float).mean())
    return 100 * total


def test_the_calibration_error_of_constructed_cases() -> None:
    """Ten images at .8 of which 8 are right are calibrated; 6 right at .9 are 30 points overconfident."""
    first, second = np.arange(10) < 8, np.arange(10) < 6
    assert calibration_error(first, np.full(10, 0.8)) == pytest.approx(0, abs=1e-9)
    assert calibration_error(second, np.full(10, 0.9)) == pytest.approx(30)
    both = np.concatenate([first, second]), np.repeat([0.8, 0.9], 10)
    assert calibration_error(*both) == pytest.approx(15), "|B| / n = 1/2 each"
    assert calibration_error(np.array([True, False]), np.array([0.6, 0.6])) == pytest.approx(10)
    opposite = np.array([True] * 6 + [False] * 4), np.repeat([0.7, 0.3], [6, 4])
    assert calibration_error(*opposite) == pytest.approx(100 * (6 * 0.3 + 4 * 0.3) / 10), "bins do not cancel"
    edges = np.array([True, True]), np.array([1.0, 14.5 / 15])
    assert calibration_error(*edges) == pytest.approx(100 * 0.5 / 15 / 2), "1 is in the last bin, with what is near"
    assert np.isnan(calibration_error(np.array([True]), np.array([np.nan])))


def same(one: Trained, other: Trained) -> bool:
    kept, again = one.done.predictions, other.done.predictions
    return kept.keys() == again.keys() and all((kept[name] == again[name]).all() for name in kept) and bool(kept)


class Killed(BaseException):
    pass


class Kill(Callback):
    """Ends the process, as it were, before a step, or in the test: after the last validation."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def on_train_batch_start(self, trainer, *_) -> None:
        if trainer.global_step == self.at:
            raise Killed

    def on_test_start(self, *_) -> None:
        if self.at is None:
            raise Killed


@pytest.mark.usefixtures("every_epoch_saved")
@pytest.mark.parametrize("at", [12, None])
def test_a_resumed_training_keeps_what_an_uninterrupted_one_keeps(tmp_path: Path, at: int | None) -> None:
    arguments: dict[str, Any] = {"network": perceptron, "checkpoint": tmp_path / "last.ckpt"}
    with pytest.raises(Killed):
        train("recipe.epochs=4", **arguments, data=tiny_data(), callbacks=[Kill(at)])
    resumed = train("recipe.epochs=4", **arguments, data=tiny_data())
    assert same(train("recipe.epochs=4", network=perceptron, data=tiny_data()), resumed)


def test_what_diverged_keeps_nothing() -> None:
    done = train("recipe.lr=1e30").done
    assert done.diverged
    assert not done.predictions
    assert not [name for name in done.metrics if name.endswith("_ece")]


def test_nothing_waits_for_the_device_before_the_end() -> None:
    """On a GPU, every copy to the host would."""
    kept = Predictions()
    with torch.device("meta"):
        kept.add(torch.zeros(4, 10), torch.zeros(4, dtype=torch.int64))
    assert {tensor.device.type for tensor in (*kept.labels, *kept.classes, *kept.logs)} == {"meta"}


def test_a_probability_of_nothing_has_a_logarithm() -> None:
    kept = Predictions()
    logits = torch.tensor([[0.0, 1000.0], [0.0, float("nan")]])
    kept.add(logits, torch.tensor([0, 0]))
    trained = train("recipe.epochs=1", network=perceptron, data=tiny_data())
    arrays = kept.arrays("test", trained.data.test_dataloader, trained.trainer)
    assert arrays["test_confidence"][0] == 1
    assert 0 < arrays["test_true"][0] < 1e-37
    assert np.isnan(arrays["test_true"][1]), "what is not finite is not hidden"
