"""Several streams in place of one: the body reads a mix of them, and what it makes is added to each.

The three blocks differ in the matrix R that mixes the streams: free, nearly doubly stochastic, doubly stochastic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import permutations
from math import factorial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.layers import Activation, BlockFactory, Norm
from lightning_modules.networks.preactivation import PreActivated
from lightning_modules.networks.shortcuts import require_shortcut

GATE = 0.01  # what dynamic weights are first multiplied by: 2409.19606, Algorithm 2; 2512.24880, Table 5
STEPS = 20  # of Sinkhorn and Knopp: 2512.24880, Sec. 4.2
IDENTITY = 0.9  # how much of a constrained R is the identity at first: chosen


class Streams(PreActivated, ABC):
    """X' = R · s(X) + w · f(a(r · X)): the body reads the mix r of n streams, and writes to each of them.

    X is (B, n, c_in, H, W) and X' (B, n, c_out, H/stride, W/stride); with a body for vectors H and W are missing. Each
    pixel has weights of its own, r and w (n numbers each) and R (n × n), as each token has in the papers, or, `per`
    image, all pixels have the same. With `dynamic` the weights depend on X (on the mean of its pixels, `per` image);
    what they are without is learnt. All streams pass the shortcut together, as one batch.

    A network begins with copies of its input, and ends with the streams' mean, not their sum, so that a fresh one is a
    pre-norm residual network (2409.19606, Sec. 2.3), whatever its norm. Raises ValueError for fewer streams than
    `fewest`, for shortcut=none and for another `per`.
    """

    takes_raw_stem, fewest = True, 1

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
        streams: int = 4,
        dynamic: bool = True,
        per: Literal["pixel", "image"] = "pixel",
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, norm=norm, activation=activation)
        if streams < self.fewest:
            raise ValueError(f"block.streams={streams} is less than {self.fewest}, the fewest of this block")
        if per not in ("pixel", "image"):
            raise ValueError(f"block.per={per} is neither pixel nor image")
        self.shortcut = shortcut(c_in, c_out, stride)
        require_shortcut(self.shortcut, "a block of several streams")
        self.stride, self.streams, self.dynamic, self.per = stride, streams, dynamic, per
        self.learn(c_in)
        self.read_first(0)

    def set_position(self, index: int, count: int) -> None:
        """Let the `index`-th of `count` blocks read the stream (index − 1) mod n at first (2409.19606, eq. 14)."""
        super().set_position(index, count)
        self.read_first((index - 1) % self.streams)

    def forward(self, streams: Tensor) -> Tensor:
        read, mix, write = self.weights(streams)
        fx = self.body(self.activated(mixed(read.unsqueeze(1), streams).squeeze(1)))
        return self.join(mixed(mix, streams), write[..., :: self.stride, :: self.stride].unsqueeze(2) * fx.unsqueeze(1))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + through(self.shortcut, x)

    def merged(self, streams: Tensor) -> Tensor:
        """The streams' mean; with a(x) after the last block."""
        return self.last(streams.mean(1))

    def mixing(self, streams: Tensor) -> Tensor:
        """R of each image, (B, n, n), the mean over its pixels: row j says what becomes stream j."""
        _, mix, _ = self.weights(streams)
        return mix.reshape(*mix.shape[:3], -1).mean(-1).expand(len(streams), -1, -1)

    def looked_at(self, streams: Tensor) -> Tensor:
        """What dynamic weights depend on."""
        return streams.mean((3, 4), keepdim=True) if self.per == "image" and streams.dim() == 5 else streams

    @abstractmethod
    def learn(self, channels: int) -> None:
        """Make the parameters: `bias`; with `dynamic`, `weight` and `gate` too."""

    @abstractmethod
    def read_first(self, stream: int) -> None:
        """Set `bias` to what it is at first, where the body reads one stream more than the others."""

    @abstractmethod
    def weights(self, streams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """r (B, n, …), R (B, n, n, …) and w (B, n, …); B and the sizes behind may be 1."""


class HyperConnections(Streams):
    """Hyper-connections: all weights are free, of stream i b_i + α · tanh(RMSNorm(x_i) θ).   2409.19606, eq. 1 to 14.

    At first θ = 0, r is one of the streams, R the identity and w one. The norm of eq. 10 is a layer norm in their
    Algorithm 2; here it is RMSNorm, as in 2512.24880, eq. 5, with its gain in θ. They add the streams at the end of a
    network and begin with √n times the weights in the last layer of each body; the mean needs no such factor.
    """

    def learn(self, channels: int) -> None:
        columns = self.streams + 2  # r, R and w of the paper's matrix, eq. 1
        self.bias = nn.Parameter(torch.empty(self.streams, columns))
        if self.dynamic:
            self.weight, self.gate = nn.Parameter(torch.zeros(columns, channels)), nn.Parameter(torch.full((2,), GATE))

    def read_first(self, stream: int) -> None:
        eye = torch.eye(self.streams)
        self.bias.data.copy_(torch.cat([eye[:, stream : stream + 1], eye, eye.sum(1, keepdim=True)], dim=1))

    def weights(self, streams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n = self.streams
        table = like_pixels(self.bias[None], streams)
        if self.dynamic:
            x = rms_normed(self.looked_at(streams), 2).flatten(0, 1)
            found = linear(x, self.weight).tanh().unflatten(0, (-1, n))
            table = table + like_pixels(self.gate[[0] * (n + 1) + [1]][None, None], streams) * found
        return table[:, :, 0], table[:, :, 1 : n + 1].transpose(1, 2), table[:, :, n + 1]


class ManifoldHyperConnections(Streams):
    """Manifold-constrained ones: R ≥ 0, rows and columns sum to 1, by Sinkhorn and Knopp.   2512.24880, eq. 7 to 9.

    r̃, w̃, R̃ = b + α · (RMSNorm(all streams) φ), r = σ(r̃), w = 2σ(w̃), and R is exp(R̃) of which columns and rows are
    divided by their sums, 20 times. The paper gives no start but α = 0.01 (Table 5). Chosen: φ = 0, w one, r half 1/n
    for each stream (its Table 1) and half one of the streams, as hyper-connections have it, and R 0.9 of the identity.
    (The code of 2601.05732 for it begins with r = σ(±1), w = 2σ(±1), + for one stream, and exp(R̃) = I + e⁻⁸.)
    """

    fewest = 2

    @property
    def mixes(self) -> int:
        """How many numbers R̃ has."""
        return self.streams**2

    def learn(self, channels: int) -> None:
        count = 2 * self.streams + self.mixes
        self.bias = nn.Parameter(torch.empty(count))
        if self.dynamic:
            self.weight = nn.Parameter(torch.zeros(count, self.streams * channels))
            self.gate = nn.Parameter(torch.full((3,), GATE))

    def read_first(self, stream: int) -> None:
        n = self.streams
        read = torch.full((n,), 0.5 / n)
        read[stream] += 0.5
        self.bias.data.copy_(torch.cat([read.logit(), torch.zeros(n), self.first_mix().log()]))

    def first_mix(self) -> Tensor:
        """exp(R̃) at first."""
        n = self.streams
        return (torch.full((n, n), (1 - IDENTITY) / (n - 1)).fill_diagonal_(IDENTITY)).flatten()

    def weights(self, streams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n = self.streams
        values = like_pixels(self.bias[None], streams)
        if self.dynamic:
            found = linear(rms_normed(self.looked_at(streams).flatten(1, 2), 1), self.weight)
            gate = self.gate[[0] * n + [1] * n + [2] * self.mixes][None]
            values = values + like_pixels(gate, streams) * found
        read, write, mix = values.split([n, n, self.mixes], dim=1)
        return read.sigmoid(), self.doubly_stochastic(mix), 2 * write.sigmoid()

    def doubly_stochastic(self, mix: Tensor) -> Tensor:
        """(B, n², …) → (B, n, n, …)."""
        mix = mix.unflatten(1, (self.streams, self.streams))
        for _ in range(STEPS):  # in logarithms, which stay finite
            mix = mix.log_softmax(1).log_softmax(2)
        return mix.exp()


class PermutationHyperConnections(ManifoldHyperConnections):
    """Exactly doubly stochastic ones: R = Σ_k softmax(R̃)_k P_k over the n! permutations P_k.   2601.05732 (mHC-lite).

    All else is as in `ManifoldHyperConnections`; by Birkhoff's theorem every doubly stochastic R is such a sum. Chosen:
    at first the identity has the weight 0.9; in the authors' code, of which alone the start was read, it has 0.992 of
    four streams. Raises ValueError for more than 6 streams, which have 720 permutations.
    """

    def learn(self, channels: int) -> None:
        if self.streams > 6:
            advice = "use block=manifold_hyper_connections"
            raise ValueError(f"block.streams={self.streams} have {self.mixes} permutations: {advice}")
        super().learn(channels)
        orders = torch.tensor(list(permutations(range(self.streams))))
        self.permutations: Tensor
        self.register_buffer(
            "permutations", torch.eye(self.streams)[orders].flatten(1).T.contiguous(), persistent=False
        )

    @property
    def mixes(self) -> int:
        return factorial(self.streams)

    def first_mix(self) -> Tensor:
        first = torch.full((self.mixes,), (1 - IDENTITY) / (self.mixes - 1))
        first[0] = IDENTITY
        return first

    def doubly_stochastic(self, mix: Tensor) -> Tensor:
        """(B, n!, …) → (B, n, n, …)."""
        return linear(mix.softmax(1), self.permutations).unflatten(1, (self.streams, self.streams))


def mixed(weights: Tensor, values: Tensor) -> Tensor:
    """Σ_i weights[:, j, i] · values[:, i]: (B, m, n, …) and (B, n, c, …) → (B, m, c, …), where weights' … may be 1s."""
    if weights.shape[3:].numel() == 1:
        return (weights.flatten(2) @ values.flatten(2)).unflatten(2, values.shape[2:])
    return torch.einsum("bmn...,bnc...->bmc...", weights, values).contiguous()


def through(shortcut: nn.Module, streams: Tensor) -> Tensor:
    """All streams (B, n, …) behind a shortcut, which they pass as one batch."""
    return shortcut(streams.flatten(0, 1)).unflatten(0, (-1, streams.shape[1]))


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """A matrix (k, c) times the channels of images (B, c, H, W) or vectors (B, c)."""
    return F.linear(x, weight) if x.dim() == 2 else F.conv2d(x, weight[:, :, None, None])


def rms_normed(x: Tensor, dim: int) -> Tensor:
    """x divided by the root of the mean of its squares along `dim`."""
    return x * (x.square().mean(dim, keepdim=True) + 1e-6).rsqrt()


def like_pixels(weights: Tensor, streams: Tensor) -> Tensor:
    """Weights with as many sizes of 1 behind them as streams (B, n, c, …) have behind c."""
    return weights.view(*weights.shape, *(1,) * (streams.dim() - 3))
