"""Learn to predict the next token of a sequence."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lightning_modules.tasks.task import Task, refuse_one, refuse_targets


class NextToken(Task):
    """Inputs and targets are the same tokens (B, L), whole numbers from 0; outputs are logits (B, L, vocabulary).

    The output at place t is compared with the token at t + 1, so the network may look at the tokens up to t only. Loss
    and metrics are means over the B · (L − 1) tokens that are predicted; perplexity is exp of the mean of −log p.
    """

    def check(self, targets: np.ndarray, outputs: int) -> None:
        if targets.ndim != 2 or targets.shape[1] < 2 or not np.issubdtype(targets.dtype, np.integer):
            refuse_targets("next_token", "tokens (N, L), whole numbers, L at least 2", targets)
        if targets.min() < 0 or targets.max() >= outputs:
            wrong = targets.min() if targets.min() < 0 else targets.max()
            raise ValueError(f"task=next_token: token {wrong} is not in a vocabulary of 0 to {outputs - 1}")
        refuse_one("next_token", "token", outputs)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        predicted, following = self.compared(outputs, targets)
        return self.criterion(predicted.flatten(0, 1), following.flatten())

    def compared(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return outputs[:, :-1], targets[:, 1:].long()

    def count(self, targets: Tensor) -> int:
        return len(targets) * (targets.shape[1] - 1)

    def predicted(self, outputs: Tensor) -> Tensor:
        """The probability of each token to be the next, at every place (B, L, vocabulary)."""
        return outputs.softmax(dim=-1)
