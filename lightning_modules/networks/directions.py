"""Joins that look at where the body's output points, beside the shortcut's: pixel by pixel, or vector by vector."""

from __future__ import annotations

from math import log
from typing import Literal

from torch import Tensor

from lightning_modules.networks.blocks import Gate, Residual
from lightning_modules.networks.layers import Activation, BlockFactory
from lightning_modules.networks.shortcuts import require_shortcut


class DeepDelta(Residual):
    """y = act((I − β k kᵀ) s(x) + β v k), with k = f(x) / |f(x)|, 0 < β < 2.   Zhang et al. 2026, Sec. 2.

    Along k the shortcut's vector is multiplied by 1 − β, and v is written in its place; β = 0 keeps it, 1 projects, 2
    reflects. As in the authors' code for a stream of vectors, β = 2 sigmoid(·) and v = `value_scale` · sigmoid(·) are
    one number a pixel, linear in what they see before the sigmoid; here they see s(x). β starts about `start`: at 0 in
    their code, which Adam can leave and SGD cannot, so not here. (deep_delta-20 after four epochs of digits, one seed:
    53% of the training digits wrong from 0.02, 7% from 0.5, 4% from 1.)
    """

    closed = True  # a body of zeros has no direction

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        start: float = 1.0,
        value_scale: float = 4.0,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        require_shortcut(self.shortcut, "an operator on the shortcut")
        if not 0 < start < 2:
            raise ValueError(f"block.start={start} must be > 0 and < 2; 1 projects")
        self.beta = Gate(c_out, 1, 1, bias=log(start / (2 - start)))
        self.value, self.value_scale = Gate(c_out, 1, 1, bias=0), value_scale

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        s = self.shortcut(x)
        k = fx * (fx.square().sum(1, keepdim=True) + 1e-10).rsqrt()
        change = self.value_scale * self.value(s) - (k * s).sum(1, keepdim=True)
        return s + 2 * self.beta(s) * change * k


class OrthogonalUpdate(Residual):
    """y = act(s(x) + f(x) − ⟨s(x), f(x)⟩ / (|s(x)|² + ε) · s(x)): what f adds is orthogonal.   Oh et al. 2025.

    `over` says of what: 'channels', the vector of each pixel (their Orthogonal-F), or 'all' channels and pixels
    together (Orthogonal-G). ε is 1e-6.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        over: Literal["channels", "all"] = "channels",
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        require_shortcut(self.shortcut, "an orthogonal update")
        if over not in ("channels", "all"):
            raise ValueError(f"block.over={over} is neither channels nor all")
        self.over = over

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        s = self.shortcut(x)
        dims = 1 if self.over == "channels" else tuple(range(1, s.dim()))
        along = (s * fx).sum(dims, keepdim=True) / (s.square().sum(dims, keepdim=True) + 1e-6)
        return s + fx - along * s
