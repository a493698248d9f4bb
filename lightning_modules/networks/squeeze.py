"""Squeeze-and-excitation: a body that weighs each of its channels."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.inits import last_layer
from lightning_modules.networks.layers import Activation, BlockFactory, Pointwise


class SqueezeExcitation(nn.Module):
    """g(x) = e · f(x), e = sigmoid(W₂ act(W₁ mean(f(x)))), one value a channel.   Hu et al. 2018, eq. 2 to 4.

    Wraps any body f, whose `layers`, `expansion` and `vectors` are its own. W₁ has `reduction` times fewer outputs, and
    both have biases. Raises ValueError behind an instance norm, which makes all means equal.
    """

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, activation: Activation, reduction: int = 16
    ) -> None:
        super().__init__()
        self.body = body(c_in, c_out, stride)
        if isinstance(last_layer(self), nn.InstanceNorm2d):
            raise ValueError("body=se weighs channels by their means, which norm=instance makes equal: use norm=batch")
        hidden = max(1, c_out // reduction)
        self.squeeze, self.activation, self.excite = Pointwise(c_out, hidden), activation(), Pointwise(hidden, c_out)

    def forward(self, x: Tensor) -> Tensor:
        fx = self.body(x)
        mean = fx.mean((2, 3), keepdim=True) if fx.dim() == 4 else fx
        return self.excite(self.activation(self.squeeze(mean))).sigmoid() * fx
