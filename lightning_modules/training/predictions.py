"""Keep what a network predicts for every image of an evaluation, and compute the calibration error from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_modules.data.batches import Batches

BINS = 15
Arrays = dict[str, np.ndarray]


class Predictions:
    """Collects the predictions of one evaluation, batch after batch; all stays on the device until its end."""

    def __init__(self) -> None:
        self.labels: list[Tensor] = []
        self.classes: list[Tensor] = []
        self.logs: list[Tensor] = []
        self.count = 0  # of classes

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of logits (B, classes) and true classes (B,)."""
        classes = logits.argmax(dim=1)
        precise = torch.float64 if logits.dtype == torch.float64 else torch.float32
        logs = logits.log_softmax(1, dtype=precise)
        self.labels.append(labels)
        self.classes.append(classes)
        self.logs.append(logs.gather(1, torch.stack([labels, classes], dim=1)))
        self.count = logits.shape[1]

    def arrays(self, part: str, batches: Callable[[], Batches], trainer: pl.Trainer) -> Arrays:
        """Return the predictions of all devices as NumPy arrays (N,), in the order of the data set.

        `<part>_label` and `<part>_class` are true and predicted classes, of the smallest unsigned type that holds every
        class. `<part>_true` and `<part>_confidence` are the probabilities of these two classes, float32; that of the
        true class is at least 1.2e-38, so that its logarithm is finite.

        Args:
            batches: makes what was evaluated; called where several devices took their shares of it.
        """
        probabilities = torch.cat(self.logs).exp().float()
        rows = torch.stack([torch.cat(self.labels).float(), torch.cat(self.classes).float(), *probabilities.unbind(1)])
        if trainer.world_size > 1:
            shared = batches()
            whole = rows.new_zeros(4, len(shared.indices))
            whole[:, torch.from_numpy(shared.positions).to(rows.device)] = rows
            rows = trainer.strategy.reduce(whole, reduce_op="sum")
        labels, classes, true, confidence = rows.cpu().numpy()
        small = np.min_scalar_type(self.count - 1)
        return {
            f"{part}_label": labels.astype(small),
            f"{part}_class": classes.astype(small),
            f"{part}_true": np.maximum(true, np.finfo(np.float32).tiny),
            f"{part}_confidence": confidence,
        }


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """Compute the expected calibration error in percent points: 100 · Σₘ |Bₘ|/n · |acc(Bₘ) − conf(Bₘ)|.

    Bin Bₘ has the images whose confidence is in ((m − 1)/15, m/15]. Guo et al. 2017, eq. 3.

    Args:
        right: whether each image's class was predicted, (N,).
        confidence: the probability of the predicted class, (N,). Where one is not finite, neither is the result.
    """
    confidence = confidence.astype(np.float64)
    if not np.isfinite(confidence).all():
        return float("nan")
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence)  # |Bₘ| · (acc(Bₘ) − conf(Bₘ))
    return float(100 * np.abs(gaps).sum() / len(right))


def calibration(arrays: Arrays) -> dict[str, float]:
    """Compute `val_ece` and `test_ece` from the predictions of the two parts."""
    return {
        f"{part}_ece": calibration_error(
            arrays[f"{part}_label"] == arrays[f"{part}_class"], arrays[f"{part}_confidence"]
        )
        for part in ("val", "test")
    }
