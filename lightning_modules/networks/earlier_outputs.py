"""Blocks that read a mix of all outputs before them, each pixel with weights of its own.

They differ in where the weights come from, and in whether a mix is added to what the body makes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.hyper_connections import like_pixels, linear, mixed, rms_normed, through
from lightning_modules.networks.layers import Activation, BlockFactory, Norm
from lightning_modules.networks.preactivation import PreActivated
from lightning_modules.networks.shortcuts import require_shortcut

OUTSIDE = 4  # outputs that a block outside of a network can mix


class Earlier(PreActivated, ABC):
    """y = f(a(Σ_i A_i X_i)), X_i the outputs before the block, the last of them its input; if it `adds`, + Σ_i R_i X_i.

    X_i is (B, c_in, H, W) and y (B, c_out, H/stride, W/stride); with a body for vectors H and W are missing. What the
    last block of a network hands on is another mix, its own output included. All X_i go through the shortcut of each
    block together, as one batch, so that blocks behind it can mix them where the size has changed. Raises ValueError
    for shortcut=none.
    """

    adds, ways = False, 1

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        norm: Norm,
        activation: Activation,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, norm=norm, activation=activation)
        self.shortcut = shortcut(c_in, c_out, stride)
        require_shortcut(self.shortcut, "a block that mixes earlier outputs")
        self.passes = c_in == c_out and stride == 1 and not list(self.shortcut.parameters())
        self.c_in, self.stride = c_in, stride
        self.mix = self.mixer(c_in, OUTSIDE, self.ways)
        self.at_last: nn.Module | None = None

    @abstractmethod
    def mixer(self, channels: int, count: int, ways: int) -> nn.Module:
        """What finds the weights of up to `count` outputs, (B, n, channels, …) → (B, ways, n, …): first A, last R."""

    def set_position(self, index: int, count: int) -> None:
        """Make the weights of the `index`-th of `count` blocks, from 1: it has `index` outputs before it."""
        super().set_position(index, count)
        self.mix = self.mixer(self.c_in, index, self.ways) if index > 1 else Single()
        self.at_last = self.mixer(self.c_out, count + 1, 1) if index == count else None

    def forward(self, x: Tensor, history: Sequence[Tensor] = ()) -> Tensor:
        earlier = torch.stack([*history, x], dim=1)
        weights = self.mix(earlier)
        y = self.body(self.activated(mixed(weights[:, :1], earlier).squeeze(1)))
        if self.adds:
            weights = weights[:, -1:][..., :: self.stride, :: self.stride]
            y = self.join(mixed(weights, through(self.shortcut, earlier)).squeeze(1), y)
        if self.at_last is None:
            return y
        earlier = torch.cat([through(self.shortcut, earlier), y.unsqueeze(1)], dim=1)
        return self.last(mixed(self.at_last(earlier), earlier).squeeze(1))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + x

    def carried(self, earlier: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the outputs before the block are behind it."""
        return earlier if self.passes else through(self.shortcut, torch.stack(earlier, dim=1)).unbind(1)


class AttentionResiduals(Earlier):
    """y = f(a(Σ_i α_i X_i)): attention over the bodies' outputs takes the place of their sum.   2603.15031, eq. 2 to 4.

    α_i = softmax_i(q · RMSNorm(X_i)) with a learnt q, at first 0 (Sec. 5): h is then the mean of what was before. The
    gain of RMSNorm is part of q. As published, a block hands on what its body made, and nothing else. Chosen: a pixel
    is a token.
    """

    def mixer(self, channels: int, count: int, ways: int) -> nn.Module:
        return DepthAttention(channels)


class DynamicDense(Earlier):
    """y = Σ_i R_i X_i + f(a(Σ_i A_i X_i)): weights of all earlier outputs, found in the last.   2502.12170, eq. 5 to 8.

    A and R are rows of b + GELU(RMSNorm(X_last) W₁) W₂; at first W₂ = 0 and b = 1 for X_last and 0 for the others
    (Sec. 3), which is a pre-norm residual network. The paper has weights for query, key, value and residual of an
    attention. A body here has one input, so that there are two `ways`, A and R; `multiway: false` is its Sec. 2.2,
    A = R. Chosen: a pixel is a token.
    """

    adds = True

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body: BlockFactory,
        shortcut: BlockFactory,
        norm: Norm,
        activation: Activation,
        multiway: bool = True,
    ) -> None:
        self.ways = 2 if multiway else 1
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, norm=norm, activation=activation)

    def mixer(self, channels: int, count: int, ways: int) -> nn.Module:
        return DenseWeights(channels, count, ways)


class Single(nn.Module):
    """The weight of the only output there is: 1."""

    def forward(self, earlier: Tensor) -> Tensor:
        return like_pixels(earlier.new_ones(1, 1, 1), earlier)


class DepthAttention(nn.Module):
    """The α of `AttentionResiduals`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(channels))

    def forward(self, earlier: Tensor) -> Tensor:
        scores = like_pixels(self.query[None, None], earlier) * rms_normed(earlier, 2)
        return scores.sum(2, keepdim=True).softmax(1).transpose(1, 2)


class DenseWeights(nn.Module):
    """The A and R of `DynamicDense`, for no more than `count` outputs."""

    def __init__(self, channels: int, count: int, ways: int) -> None:
        super().__init__()
        width = ways * count
        self.first = nn.Parameter(torch.randn(width, channels) * channels**-0.5)
        self.second, self.bias = nn.Parameter(torch.zeros(width, width)), nn.Parameter(torch.zeros(ways, count))
        self.bias.data[:, -1] = 1

    def forward(self, earlier: Tensor) -> Tensor:
        found = linear(F.gelu(linear(rms_normed(earlier[:, -1], 1), self.first)), self.second)
        weights = found.unflatten(1, self.bias.shape) + like_pixels(self.bias[None], earlier)
        return weights[:, :, -earlier.shape[1] :]
