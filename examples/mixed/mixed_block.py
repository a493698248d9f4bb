"""A block that learns how to weight its body against its shortcut. It needs torch only."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Mixed(nn.Module):
    """y = act(r · f(x) + (1 − r) · s(x)), where r is learnt and starts at `ratio`.

    r is one number in (0, 1) for the whole block. In exclusive gating r depends on x; in constant scaling it is fixed.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body,
        shortcut,
        activation,
        ratio: float = 0.5,
    ) -> None:
        if not 0 < ratio < 1:
            raise ValueError(f"ratio={ratio} is not between 0 and 1; 0.5 weights both equally")
        super().__init__()
        self.body = body(c_in, c_out, stride)
        self.shortcut = shortcut(c_in, c_out, stride)
        self.activation = activation()
        self.logit = nn.Parameter(torch.tensor(math.log(ratio / (1 - ratio))))

    def forward(self, x: Tensor) -> Tensor:
        r = self.logit.sigmoid()
        return self.activation(r * self.body(x) + (1 - r) * self.shortcut(x))
