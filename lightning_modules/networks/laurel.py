"""LAuReL, a shortcut with learnt weights, a matrix of low rank and earlier outputs.   Menghani et al. 2025."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.layers import Activation, BlockFactory
from lightning_modules.networks.shortcuts import require_shortcut


class LAuReL(Residual):
    """y = act(α · f(x) + β · s(x + B A x)), A and B of low rank.   Menghani et al. 2025, eq. 5 (LAuReL-RW+LR).

    Without `weights` α = β = 1 (LAuReL-LR, eq. 3), with rank 0 there is no B A (LAuReL-RW). `rank` is an upper bound:
    it is a quarter of the channels at most. A starts as Xavier's, B at 0, as theirs for ResNet-50. They bound α and β
    by "softmax or sigmoid"; ours are 2 sigmoid(·), first 1, so that the block starts as a residual one.
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
        weights: bool = True,
        rank: int = 16,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        require_shortcut(self.shortcut, "a learnt shortcut")
        if rank < 0:
            raise ValueError(f"block.rank={rank} is negative; 0 is LAuReL-RW")
        self.weights = nn.Parameter(torch.zeros(2)) if weights else None
        self.linear = LowRank(c_in, rank) if rank else None

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.weighed(fx, x if self.linear is None else x + self.linear(x))

    def weighed(self, fx: Tensor, x: Tensor) -> Tensor:
        """α · fx + β · s(x)."""
        alpha, beta = (1, 1) if self.weights is None else 2 * self.weights.sigmoid()
        return alpha * fx + beta * self.shortcut(x)


class LAuReLPrevious(LAuReL):
    """y = act(α · f(x) + β · s(x + Σ γ_j h(x_j))), over x and the outputs before it.   Ibid., eq. 4 and Sec. 2.4 (PA).

    `previous` is how many x_j there are at most, x the first of them; 3 is theirs (Sec. 4.3). h is B A as above, or
    with rank 0 the identity; one B A serves all x_j, as in Sec. 2.3, where their eq. 6 and Table 4 have one for each.
    The start of γ is not said: 1 where B starts at 0, else 0, which is a residual block too.
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
        weights: bool = True,
        rank: int = 16,
        previous: int = 3,
    ) -> None:
        parts = {"body": body, "shortcut": shortcut, "activation": activation}
        super().__init__(c_in, c_out, stride, **parts, weights=weights, rank=rank)
        if previous < 1:
            raise ValueError(f"block.previous={previous} is less than 1, which is the block's own input")
        self.gamma = nn.Parameter(torch.full((previous,), 1.0 if rank else 0.0))

    def forward(self, x: Tensor, history: tuple[Tensor, ...] = ()) -> Tensor:
        seen = zip(self.gamma, [x, *reversed(history)], strict=False)
        total = torch.stack([gamma * earlier for gamma, earlier in seen]).sum(0)
        h = total if self.linear is None else self.linear(total)
        return self.activation(self.weighed(self.body(x), x + h))


class LowRank(nn.Module):
    """B (A x), for images and vectors; at most a quarter of the channels in between. No init function touches it."""

    def __init__(self, channels: int, rank: int) -> None:
        super().__init__()
        rank = max(1, min(rank, channels // 4))
        self.a = nn.Parameter(nn.init.xavier_uniform_(torch.empty(rank, channels)))
        self.b = nn.Parameter(torch.zeros(channels, rank))

    def forward(self, x: Tensor) -> Tensor:
        low = torch.einsum("ri,bi...->br...", self.a, x)
        return torch.einsum("or,br...->bo...", self.b, low)
