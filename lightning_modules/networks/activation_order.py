"""Three of the five orders of norm, activation and addition that He et al. 2016 compare: Fig. 4b, 4c and 4d.

Fig. 4a, norm and activation after each layer, is `blocks.Residual`; 4e, both before it, is `preactivation`.
"""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.layers import Activation, BlockFactory, Norm
from lightning_modules.networks.preactivation import PreActivation, take_last_norm


class BnAfterAddition(Residual):
    """y = act(norm(f(x) + s(x))), where f gives up the norm it ends with.   He et al. 2016, Fig. 4b.

    The norm stands in the way of the shortcut too. Whatever `norm` is chosen stands there, batch norm or another.
    """

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
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, activation=activation)
        self.norm = norm(c_out)
        take_last_norm(self)

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.norm(fx + self.shortcut(x))


class ReluBeforeAddition(Residual):
    """y = act(f(x)) + s(x): with a ReLU what is added is never negative.   He et al. 2016, Fig. 4c.

    A body of zeros would stay one, since at 0 a ReLU hands no gradient on: inits that zero bodies refuse the block.
    """

    closed = True

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, self.activation(self.body(x)))


class ReluOnlyPreActivation(PreActivation):
    """y = f(act(x)) + s(x), where f keeps its norms: by the activation alone.   He et al. 2016, Fig. 4d."""

    gives_up_norm = False

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, shortcut: BlockFactory, activation: Activation
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, norm=nn.Identity, activation=activation)
