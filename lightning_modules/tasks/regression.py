"""Learn to predict numbers: one or several an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from lightning_modules.tasks.task import Loss, Metric, Task, refuse_targets


class Regression(Task):
    """Outputs are numbers (B, k); targets are (B,) where k = 1, or (B, k).

    The network learns (y − μ) / σ, with the mean μ and the standard deviation σ of each target over the examples that
    are trained on, so that one learning rate suits targets of any size; the loss is of these standardised targets.
    Metrics are of μ + σ · output, in the units of the data.

    Args:
        standardise: false: learn the targets as they are, μ = 0 and σ = 1.
    """

    def __init__(
        self,
        *,
        loss: Loss,
        metrics: Mapping[str, Metric],
        judged: str,
        further: Mapping[str, Metric] | None = None,
        standardise: bool = True,
    ) -> None:
        super().__init__(loss=loss, metrics=metrics, judged=judged, further=further)
        self.standardise = standardise
        self.mean, self.scale = torch.zeros(1), torch.ones(1)

    def check(self, targets: np.ndarray, outputs: int) -> None:
        if targets.ndim not in (1, 2) or targets.dtype.kind not in "iuf":
            refuse_targets("regression", "numbers (N,) or (N, k)", targets)
        if (width := 1 if targets.ndim == 1 else targets.shape[1]) != outputs:
            refuse_targets("regression", f"{outputs} numbers an example", targets, f"set data.classes={width}")
        if not np.isfinite(targets).all():
            raise ValueError("task=regression: a target is not a finite number; leave such examples out")

    def begin(self, targets: Callable[[], np.ndarray]) -> None:
        if self.standardise:
            known = targets().astype(np.float64)
            spread = known.std(axis=0)
            self.mean = torch.tensor(known.mean(axis=0), dtype=torch.float32)
            self.scale = torch.tensor(np.where(spread > 0, spread, 1.0), dtype=torch.float32)

    def state(self) -> dict[str, list[float]]:
        return {"mean": self.mean.reshape(-1).tolist(), "scale": self.scale.reshape(-1).tolist()}

    def restore(self, state: Mapping[str, list[float]]) -> None:
        self.mean, self.scale = torch.tensor(state["mean"]), torch.tensor(state["scale"])

    def predicted(self, outputs: Tensor) -> Tensor:
        """μ + σ · output, in the units of the data (B, k)."""
        mean, scale = self._statistics(outputs)
        precise = outputs if outputs.dtype == torch.float64 else outputs.float()
        return precise * scale + mean

    def same_as(self, other: Task) -> bool:
        if not isinstance(other, Regression):
            return False
        pairs = ((self.mean, other.mean), (self.scale, other.scale))
        return all(torch.equal(mine.cpu(), its.cpu()) for mine, its in pairs)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        mean, scale = self._statistics(outputs)
        precise = outputs if outputs.dtype == torch.float64 else outputs.float()
        return self.criterion(precise, (targets.reshape(outputs.shape).to(precise.dtype) - mean) / scale)

    def compared(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return self.predicted(outputs), targets.reshape(outputs.shape)

    def _statistics(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        if self.mean.device != outputs.device:
            self.mean, self.scale = self.mean.to(outputs.device), self.scale.to(outputs.device)
        return self.mean, self.scale
