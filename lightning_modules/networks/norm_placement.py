"""Where the norms n of a block stand, in the order of the papers; f is a body without the norms it comes with.

    residual    y = s(x) + f(n(x))           pre-norm, where the body begins with its norm (`attention` and `mlp` do)
    post_norm   y = n(s(x) + f(x))           Vaswani et al. 2017, Sec. 3.1
    deep_norm   y = n(α · s(x) + f(x))       Wang et al. 2022, Sec. 3
    peri_norm   y = s(x) + n(f(n(x)))        Kim et al. 2025
    keel        y = n(α · s(x) + f(n(x)))    Chen & Wei 2026

An activation follows, which transformers do not have. Bodies of convolutional networks end with a norm and begin with
none: they give up the one and get the other. With such a body, post_norm is `bn_after_addition`.
"""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.activation_order import BnAfterAddition
from lightning_modules.networks.attention import Attention
from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.inits import NORMS, WEIGHTED, body_of, fill, last_layer
from lightning_modules.networks.layers import Activation, BlockFactory, Norm
from lightning_modules.networks.stages import trait


class PostNorm(BnAfterAddition):
    """y = act(n(s(x) + f(x))).   Vaswani et al. 2017, Sec. 3.1."""

    ends_with_norm = True

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
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, norm=norm, activation=activation)
        if trait(body, "begins_with_norm", False):
            body_of(self).norm = nn.Identity()


class DeepNorm(PostNorm):
    """y = act(n(α · s(x) + f(x))), α = L^¼ in a network of L blocks.   Wang et al. 2022 (DeepNet), Sec. 3 and Fig. 2.

    They write (2N)^¼ of encoders or decoders of N layers, each of two blocks. The other half of the rule is the start,
    `init=deep_norm`. Outside of a network α is 1.
    """

    alpha = 1.0

    def set_position(self, index: int, count: int) -> None:
        """Take the α of a network of `count` blocks."""
        require_norm(self.norm, "deep_norm")
        self.alpha = count**0.25

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.norm(fx + self.alpha * self.shortcut(x))


class PeriNorm(Residual):
    """y = act(s(x) + n(f(n(x)))).   Kim et al. 2025 (Peri-LN), arXiv 2502.02732.

    Their norm of the embeddings, which is optional, is not here.
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
        self.before = nn.Identity() if trait(body, "begins_with_norm", False) else norm(c_in)
        if not isinstance(last_layer(self), NORMS):
            self.body = nn.Sequential(self.body, norm(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.join(x, self.body(self.before(x))))


class Keel(BnAfterAddition):
    """y = act(n(α · s(x) + f(n(x)))), α = L in a network of L blocks.   Chen & Wei 2026, arXiv 2601.19895, eq. 8.

    The first block has α = 1 and no norm after the addition (so it is pre-norm), the second α = 1 (Sec. 3.1). Their
    norms divide by the root mean square and have no bias; here they are what `norm` says. Outside of a network α is 1.
    """

    ends_with_norm = True
    alpha = 1.0

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
        super().__init__(c_in, c_out, stride, body=body, shortcut=shortcut, norm=norm, activation=activation)
        self.before = nn.Identity() if trait(body, "begins_with_norm", False) else norm(c_in)

    def set_position(self, index: int, count: int) -> None:
        """Take the α that belongs to the `index`-th of `count` blocks."""
        require_norm(self.norm, "keel")
        self.alpha = float(count) if index > 2 else 1.0
        if index == 1:
            self.norm = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.join(x, self.body(self.before(x))))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return self.norm(fx + self.alpha * self.shortcut(x))


def require_norm(norm: nn.Module, block: str) -> None:
    """Raise ValueError if there is no norm to undo what a block does to the scale of its shortcut."""
    if isinstance(norm, nn.Identity):
        raise ValueError(f"block={block} multiplies its shortcut, which only a norm undoes: use norm=pixel")


def deep_norm(network: nn.Module) -> None:
    """Normal with variance 2 / (fan_in + fan_out); of bodies all but queries and keys times β = (4L)^(−¼), L blocks.

    Wang et al. 2022 (DeepNet), Fig. 2, who write (8N)^(−¼) of N layers. Queries, keys and values are one matrix here.
    """
    fill(network, nn.init.xavier_normal_)
    blocks = [block for stage in network.get_submodule("stages").children() for block in stage.children()]
    beta = (4 * len(blocks)) ** -0.25
    for module in (m for block in blocks for m in body_of(block).modules()):
        if isinstance(module, WEIGHTED):
            module.weight.data *= beta
        if isinstance(module, Attention):
            queries_and_keys = module.qkv.weight.data[: 2 * module.out.in_channels]
            queries_and_keys /= beta
