"""Learn which of several labels an example has: none, one or many."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lightning_modules.tasks.task import Task, refuse_targets


class Multilabel(Task):
    """Outputs are logits (B, k); targets are (B, k) of 0 and 1. A label is predicted where its logit is above 0."""

    def check(self, targets: np.ndarray, outputs: int) -> None:
        if targets.ndim != 2 or not np.isin(targets, (0, 1)).all():
            refuse_targets("multilabel", "0 or 1 for each of k labels, (N, k)", targets)
        if (width := targets.shape[1]) != outputs:
            refuse_targets("multilabel", f"{outputs} labels an example", targets, f"set data.classes={width}")

    def predicted(self, outputs: Tensor) -> Tensor:
        """The probability of each label (B, k)."""
        return outputs.sigmoid()
