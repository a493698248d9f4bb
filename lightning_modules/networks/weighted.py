"""Joins that weigh what they add: the body, the shortcut or both times a number, fixed or learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.layers import Activation, BlockFactory
from lightning_modules.networks.shortcuts import require_shortcut


class ConstantScaling(Residual):
    """y = act(on_body · f(x) + on_shortcut · s(x)), two fixed numbers.   He et al. 2016, Sec. 3.1 (0.5 and 0.5)."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        activation: Activation,
        on_body: float = 0.5,
        on_shortcut: float = 0.5,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.on_body, self.on_shortcut = on_body, on_shortcut

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.on_body * fx + self.on_shortcut * self.shortcut(x)


class ReZero(Residual):
    """y = act(α · f(x) + s(x)), α one learnt number a block, 0 at the start.   Bachlechner et al. 2020, eq. 1.

    A block that starts at α = 0 is its shortcut. Raises ValueError if it has none, since nothing would pass.
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
        start: float = 0.0,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.closed = start == 0
        if self.closed:
            require_shortcut(self.shortcut, "a body that starts at zero")
        self.alpha = nn.Parameter(torch.tensor(float(start)))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.alpha * fx + self.shortcut(x)


class WeightedResidual(ReZero):
    """y = act(tanh(α) · f(x) + s(x)): a learnt weight that stays between −1 and 1.   Shen & Zeng 2016.

    They keep the weight in the interval by projecting it back after each step; tanh needs no step of its own.
    """

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.alpha.tanh() * fx + self.shortcut(x)


class SkipInit(ReZero):
    """ReZero's equation with α = 1/√L at the start, in a network of L blocks without norm.   De & Smith 2020, Sec. 3.

    The paper's other start, α = 0, is ReZero. `start` is what a block has outside of a network.
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
        start: float = 1.0,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation, start=start)

    def set_position(self, index: int, count: int) -> None:
        """Take the start that belongs to a network of `count` blocks."""
        nn.init.constant_(self.alpha, count**-0.5)


class LayerScale(Residual):
    """y = act(λ · f(x) + s(x)), λ a learnt number a channel, small at the start.   Touvron et al. 2021 (CaiT), eq. 4.

    They start at 0.1 up to 18 blocks, 1e-5 up to 24, 1e-6 beyond.
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
        start: float = 0.1,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.scale = nn.Parameter(torch.full((c_out,), float(start)))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.scale.view(-1, *(1,) * (fx.dim() - 2)) * fx + self.shortcut(x)


class Fixup(Residual):
    """y = act(α · f(x) + β + s(x)), learnt α and β, a number a block, first 1 and 0.   Zhang et al. 2019, Sec. 3.2.

    The rule for networks without norm; its other half is the start, `init=fixup`. The paper's further scalar biases, in
    front of each convolution, are the biases that convolutions have here where there is no norm, one a channel.
    """

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, shortcut: BlockFactory, activation: Activation
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.alpha = nn.Parameter(torch.ones(()))
        self.beta = nn.Parameter(torch.zeros(()))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.alpha * fx + self.beta + self.shortcut(x)
