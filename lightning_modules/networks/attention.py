"""Bodies of transformers, for images (B, c, H, W) whose pixels are the tokens; a sequence is one of (B, c, L, 1).

Both begin with a norm, which `block=residual` makes pre-norm, and keep the size. Vaswani et al. 2017, Sec. 3.2 and 3.3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.handing_over import alone
from lightning_modules.networks.layers import Activation, BlockFactory, Norm, Pointwise


class Attention(nn.Module):
    """f(x) = W_o · MHA(norm(x)): each of `heads` lets every place look at all, or, if `causal`, at none that follows.

    MHA is softmax(q·k / √d) v in each head of d = c_out / heads channels, Vaswani et al. 2017, eq. 1. Raises ValueError
    for a stride, and where the heads do not share the channels equally.
    """

    layers, expansion, vectors, resizes, begins_with_norm = 2, 1, False, False, True

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, heads: int = 4, causal: bool = False) -> None:
        super().__init__()
        require_size(stride, "attention")
        if heads < 1 or c_out % heads:
            raise ValueError(
                f"body.heads={heads} do not share {c_out} channels equally: the nearest is "
                f"{min((n for n in range(1, c_out + 1) if c_out % n == 0), key=lambda n: abs(n - heads))}"
            )
        self.heads, self.causal = heads, causal
        self.norm = norm(c_in)
        self.qkv = Pointwise(c_in, 3 * c_out)
        self.out = Pointwise(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)  # (B, heads, H·W, d)
        return self.out(seen.transpose(-1, -2).flatten(1, 2).unflatten(2, x.shape[2:]))


class Mlp(nn.Module):
    """f(x) = W_2 · act(W_1 · norm(x)) at each place by itself, with four times the channels inside.

    Vaswani et al. 2017, eq. 2. Raises ValueError for a stride.
    """

    layers, expansion, vectors, resizes, begins_with_norm = 2, 1, False, False, True

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation) -> None:
        super().__init__()
        require_size(stride, "mlp")
        self.norm = norm(c_in)
        self.first = Pointwise(c_in, 4 * c_out)
        self.activation = activation()
        self.second = Pointwise(4 * c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.activation(self.first(self.norm(x))))


def require_size(stride: int, body: str) -> None:
    """Raise ValueError if a body that keeps the size is to change it."""
    if stride != 1:
        raise ValueError(
            f"body={body} keeps the size and has no stride {stride}: use body=basic, or network=transformer"
        )


def require_causal(block: BlockFactory) -> None:
    """Raise ValueError if what a block makes of a place changes with a later one, found by trying it on the CPU."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.no_grad():
        made = block(16, 16, 1)
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=0.5)
        before, outputs = torch.randn(2, 16, 4, 1), []
        for last in torch.randn(2, 2, 16, 1, 1):
            torch.manual_seed(0)  # for blocks that draw
            outputs.append(alone(made, torch.cat([before, last], dim=2))[:, :, :-1])
    if not torch.allclose(*outputs):
        says = "the next token is predicted from those before it, and this block, its body or its norm sees later ones"
        raise ValueError(f"{says}: use norm=pixel, and body=attention, or block=residual")
