"""Joins that drop something at random in training: parts of the shortcut, or the whole body."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.layers import Activation, BlockFactory


class DropoutShortcut(Residual):
    """y = act(f(x) + dropout(s(x))).   He et al. 2016, Sec. 3.1 (rate 0.5)."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        rate: float = 0.5,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.dropout = nn.Dropout(rate)

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + self.dropout(self.shortcut(x))


class StochasticDepth(Residual):
    """y = act(b · f(x) + s(x)), b = 1 with probability p, else 0; p in place of b in evaluation.   Huang et al. 2016.

    p falls in a straight line over the L blocks of a network, p_l = 1 − (l / L) · (1 − survival), as in their eq. 4; a
    block outside of a network has p = survival. b is drawn once for a `batch`, as published, or for each `image`. The
    body is computed all the same, so that no time is saved. Raises ValueError for another survival or draw.
    """

    random = True

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        survival: float = 0.5,
        draw: Literal["batch", "image"] = "batch",
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        if not 0 < survival <= 1:
            raise ValueError(f"survival={survival} is no probability above 0, such as 0.5")
        if draw not in ("batch", "image"):
            raise ValueError(f"draw={draw} is neither batch nor image")
        self.last = survival
        self.p: Tensor  # of a number the compiler would make a program for each block
        self.register_buffer("p", torch.tensor(float(survival)), persistent=False)
        self.draw = draw

    def set_position(self, index: int, count: int) -> None:
        """Take the survival of the `index`-th of `count` blocks, from 1."""
        self.p.fill_(1 - index / count * (1 - self.last))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        b = self.p
        if self.training:
            draws = x.shape[0] if self.draw == "image" else 1
            b = (torch.rand(draws, *(1,) * (fx.dim() - 1), device=fx.device) < self.p).to(fx.dtype)
        return fx * b + self.shortcut(x)  # in bfloat16 p is rounded first where it stands on the left
