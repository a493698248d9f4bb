"""Dense concatenation: each block appends channels to its input.   Huang et al. 2017."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, conv, conv_norm, pooled
from lightning_modules.networks.preactivation import PreActivated
from lightning_modules.networks.stages import blocks_for, channels, layers, require_images, trait


class Concatenation(PreActivated):
    """y = [x, f(a(x))], a(x) = act(norm(x)): the c_out − c_in new channels stand behind the old.   Eq. 2.

    Raises ValueError unless c_out > c_in and stride = 1.
    """

    grows = True

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, norm: Norm, activation: Activation
    ) -> None:
        if c_out <= c_in or stride != 1:
            change = f"from {c_in} to {c_out} channels with stride {stride}"
            raise ValueError(f"block=concatenation adds channels and cannot go {change}: use network=densenet")
        super().__init__(c_in, c_out - c_in, stride, body=body, norm=norm, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(x, self.body(self.activated(x)))

    def join(self, x: Tensor, fx: Tensor) -> Tensor:
        return torch.cat([x, fx], dim=1)


class Growth(nn.Sequential):
    """1×1 to 4·c_out channels, 3×3 to c_out; the 3×3 has the stride.   DenseNet-B, Sec. 3."""

    layers, expansion, vectors = 2, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation) -> None:
        super().__init__(
            conv_norm(c_in, 4 * c_out, 1, 1, norm=norm),
            activation(),
            conv_norm(4 * c_out, c_out, 3, stride, norm=norm),
        )


class GrowingNet(nn.Module):
    """A 3×3 convolution to 2k channels, three stages of n blocks that add k each, global average pool, linear.

    (B, in_channels, H, W) → (B, classes). Between stages: norm, activation, a 1×1 convolution to `compression` times
    the channels, a mean over 2×2 pixels. depth = 6n+4 with body=growth, which is DenseNet-BC: 769,162 parameters at
    depth 100 with k = 12. k is `growth` times `width`. Raises ValueError for a block that does not grow.
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
        growth: int = 12,
        compression: float = 0.5,
    ) -> None:
        super().__init__()
        require_images(block)
        if not trait(block, "grows", False):
            raise ValueError("network=densenet needs block=concatenation: its stages grow by what a block adds")
        count = blocks_for(depth, 3 * layers(block), 4)
        k = channels(growth, width)
        now = 2 * k
        bias = isinstance(norm(now), nn.Identity)
        self.stem = conv(in_channels, now, 3, 1, bias=bias)
        self.stages, self.between = nn.Sequential(), nn.ModuleList()
        for last in (False, False, True):
            self.stages.append(nn.Sequential(*(block(now + i * k, now + (i + 1) * k, 1) for i in range(count))))
            now += count * k
            then = now if last else max(1, int(now * compression))
            shrink = [] if last else [conv(now, then, 1, 1, bias=bias), nn.AvgPool2d(2, ceil_mode=True)]
            self.between.append(nn.Sequential(norm(now), activation(), *shrink))
            now = then
        self.head = pooled(now, classes)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for blocks, between in zip(self.stages, self.between, strict=True):
            x = between(blocks(x))
        return self.head(x)
