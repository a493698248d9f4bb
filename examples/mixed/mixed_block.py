"""A block that learns how much of its body it wants; it needs torch only."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Mixed(nn.Module):
    """y = act(r · f(x) + (1 − r) · s(x)), r learnt, `ratio` at the start.

    A highway block whose gate sees nothing: r is one number in (0, 1) for the whole block. It lies between exclusive
    gating, where r depends on x, and constant scaling, where r is fixed.
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
            raise ValueError(f"ratio={ratio} is not between 0 and 1; 0.5 mixes evenly")
        super().__init__()
        self.body = body(c_in, c_out, stride)
        self.shortcut = shortcut(c_in, c_out, stride)
        self.activation = activation()
        self.logit = nn.Parameter(torch.tensor(math.log(ratio / (1 - ratio))))

    def forward(self, x: Tensor) -> Tensor:
        r = self.logit.sigmoid()
        return self.activation(r * self.body(x) + (1 - r) * self.shortcut(x))
