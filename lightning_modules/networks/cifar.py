"""The CIFAR family of He et al. 2015, Sec. 4.2; also for digits, MNIST and other small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lightning_modules.networks import recompute
from lightning_modules.networks.handing_over import one_after_another, require_input_alone
from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, conv, conv_norm, pooled
from lightning_modules.networks.stages import blocks_for, channels, layers, place, require_images, stage, trait


class CifarNet(nn.Module):
    """A 3×3 convolution, three stages of n blocks (the second and third halve the size), global average pool, linear.

    (B, in_channels, H, W) → (B, classes). depth = 6n+2 weight layers with two layers a block, 9n+2 with three; Wide
    ResNets count `extra=4` where the others count 2. `width` multiplies the stages' `widths`, and may be a fraction;
    the first convolution has the first of them, or `stem` channels at any width. With `raw_stem` no norm and activation
    follow it, if the blocks bring theirs: the first block then adds to what the convolution makes, as in the code of
    Zagoruyko & Komodakis. Training networks of `checkpoint_from` layers and deeper recomputes activations in the
    backward pass (see recompute.py). Raises ValueError for a depth that does not exist.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        in_channels: int,
        classes: int,
        *,
        block: BlockFactory,
        norm: Norm,
        activation: Activation,
        init: Init,
        widths: Sequence[int] = (16, 32, 64),
        checkpoint_from: int = 400,
        stem: int | None = None,
        raw_stem: bool = False,
        extra: int = 2,
    ) -> None:
        super().__init__()
        require_images(block)
        count = blocks_for(depth, len(widths) * layers(block), extra)
        sizes = [stem or channels(widths[0], width), *(channels(w, width, block) for w in widths)]
        self.recomputes = depth >= checkpoint_from
        if self.recomputes:
            require_input_alone(block, f"a network of {checkpoint_from} layers and more, which recomputes activations,")
        raw = raw_stem and trait(block, "takes_raw_stem", False)
        self.stem = (
            conv(in_channels, sizes[0], 3, 1, bias=isinstance(norm(sizes[0]), nn.Identity))
            if raw
            else nn.Sequential(conv_norm(in_channels, sizes[0], 3, 1, norm=norm), activation())
        )
        self.stages = one_after_another(
            stage(block, count, sizes[i], sizes[i + 1], 2 if i else 1) for i in range(len(widths))
        )
        place(self.stages, before=int(raw))  # no block is the first then: all norm what they are given
        self.head = pooled(sizes[-1], classes)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.recomputes and self.training and torch.is_grad_enabled():
            for blocks in self.stages:
                x = recompute.run(cast(nn.Sequential, blocks), x)
        else:
            x = self.stages(x)
        return self.head(x)
