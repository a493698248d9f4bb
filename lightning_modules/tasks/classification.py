"""Learn to tell classes apart: one true class an example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_modules.tasks.losses import cross_entropy
from lightning_modules.tasks.metrics import error
from lightning_modules.tasks.task import PERCENT, Loss, Metric, Task, refuse_one, refuse_targets

ERROR = Metric(function=error, better="lower", unit=PERCENT)


class Classification(Task):
    """Outputs are logits (B, classes); targets are classes (B,), whole numbers from 0.

    Its metrics are the error in percent and those of `further`. The loss of an evaluation is the cross-entropy without
    label smoothing, −log p(true class) in nats, whatever loss is trained with; `val_ece` and `test_ece` are computed
    from the predictions.
    """

    def __init__(self, *, loss: Loss = cross_entropy, further: Mapping[str, Metric] | None = None) -> None:
        super().__init__(loss=loss, metrics={"error": ERROR}, judged="error", further=further)

    def check(self, targets: np.ndarray, outputs: int) -> None:
        if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
            hint = "numbers are predicted by task=regression, several labels of 0 and 1 by task=multilabel"
            refuse_targets("classification", "one whole number an example", targets, hint)
        refuse_one("classification", "class", outputs)

    def evaluation_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs, targets)

    def predicted(self, outputs: Tensor) -> Tensor:
        """The probability of each class (B, classes)."""
        return outputs.softmax(dim=1)

    def soft(self, targets: Tensor, outputs: int) -> Tensor:
        """Classes (B,) as probabilities (B, classes)."""
        return F.one_hot(targets, outputs).to(torch.float32)
