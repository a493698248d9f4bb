"""A gate on the shortcut alone. (He et al.'s exclusive gating, g · f(x) + (1 − g) · s(x), is `blocks.Highway`.)"""

from __future__ import annotations

from torch import Tensor

from lightning_modules.networks.blocks import Gate, Residual
from lightning_modules.networks.layers import Activation, BlockFactory
from lightning_modules.networks.shortcuts import require_shortcut


class ShortcutGating(Residual):
    """y = act(f(x) + (1 − g) · s(x)), with the gate g = G(x).   He et al. 2016, Sec. 3.1, shortcut-only gating.

    A negative `gate_bias` starts the block near a residual one: at −6, their better start, 1 − g is 0.998.
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
        gate_bias: float = -6.0,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        require_shortcut(self.shortcut, "a gate on the shortcut")
        self.gate = Gate(c_in, c_out, stride, bias=gate_bias)

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + (1 - self.gate(x)) * self.shortcut(x)
