"""Blocks with norm and activation before the body and none after the join: additions alone link the blocks."""

from __future__ import annotations

from abc import ABC

from torch import Tensor, nn

from lightning_modules.networks.blocks import Block
from lightning_modules.networks.inits import NORMS, last_layer
from lightning_modules.networks.layers import Activation, BlockFactory, Norm
from lightning_modules.networks.stages import trait


class PreActivated(Block, ABC):
    """A block whose body sees a(x) = act(norm(x)), and gives up the norm it ends with.

    The first block of a network has no a of its own, since the stem ends with one (but for a raw stem, see `cifar`),
    and `last`, of the last block, is another a, for what the network makes. A body that begins with a norm of its own,
    as those of transformers do, sees x and keeps what it has.
    """

    gives_up_norm = True

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, norm: Norm, activation: Activation
    ) -> None:
        self.body_norms = trait(body, "begins_with_norm", False)
        super().__init__(c_in, c_out, stride, body=body, activation=nn.Identity if self.body_norms else activation)
        self.norm = nn.Identity() if self.body_norms else norm(c_in)
        if self.gives_up_norm and not self.body_norms:
            take_last_norm(self)
        self.c_out, self.norm_of, self.activation_of = c_out, norm, activation
        self.last = nn.Identity()

    def set_position(self, index: int, count: int) -> None:
        """Do what the `index`-th of `count` blocks does, from 1."""
        if self.body_norms:
            return
        if index == 1:
            self.norm, self.activation = nn.Identity(), nn.Identity()
        if index == count:
            self.last = nn.Sequential(self.norm_of(self.c_out), self.activation_of())

    def activated(self, x: Tensor) -> Tensor:
        """a(x)."""
        return self.activation(self.norm(x))


class PreActivation(PreActivated):
    """y = s(x) + f(a(x)), with a(x) = act(norm(x)).   He et al. 2016, eq. 5 and Fig. 4e.

    Where the size changes the shortcut sees a(x) too, as in the authors' code; without `activated_shortcut` it sees x
    there as everywhere else, as in a fresh network of several streams. The first block of a network has no a of its
    own, and the last applies another after its addition, as in their appendix.
    """

    takes_raw_stem = True

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
        activated_shortcut: bool = True,
    ) -> None:
        super().__init__(c_in, c_out, stride, body=body, norm=norm, activation=activation)
        self.shortcut = shortcut(c_in, c_out, stride)
        self.shortcut_sees_a = activated_shortcut and (c_in != c_out or stride != 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.activated(x)
        return self.last(self.join(a if self.shortcut_sees_a else x, self.body(a)))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return fx + self.shortcut(x)


def take_last_norm(block: nn.Module) -> None:
    """Remove the norm at the end of the block's body, if there is one."""
    last = last_layer(block)
    for parent in block.modules():
        for name, child in parent.named_children():
            if child is last and isinstance(last, NORMS):
                setattr(parent, name, nn.Identity())
