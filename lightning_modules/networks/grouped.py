"""Bodies whose 3×3 or 7×7 convolutions mix pixels only within groups of channels, and leave the rest to 1×1 ones."""

from __future__ import annotations

from torch import nn

from lightning_modules.networks.layers import Activation, Norm, conv, conv_norm


class ResNeXt(nn.Sequential):
    """1×1, 3×3 in groups, 1×1; the 3×3 has the stride.   Xie et al. 2017, Fig. 3c.

    `groups` × `group_width`d is the paper's name: 8×64d has 8 · 64 channels inside where the output has 256, and in
    that proportion elsewhere.
    """

    layers, expansion, vectors = 3, 4, False

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        norm: Norm,
        activation: Activation,
        groups: int = 8,
        group_width: int = 64,
    ) -> None:
        inner = groups * max(1, c_out * group_width // 256)
        super().__init__(
            conv_norm(c_in, inner, 1, 1, norm=norm),
            activation(),
            conv_norm(inner, inner, 3, stride, norm=norm, groups=groups),
            activation(),
            conv_norm(inner, c_out, 1, 1, norm=norm),
        )


class Separable(nn.Sequential):
    """3×3 a channel, 1×1.   Howard et al. 2017 (MobileNet), Fig. 3."""

    layers, expansion, vectors = 2, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation) -> None:
        super().__init__(
            conv_norm(c_in, c_in, 3, stride, norm=norm, groups=c_in),
            activation(),
            conv_norm(c_in, c_out, 1, 1, norm=norm),
        )


class ConvNeXt(nn.Sequential):
    """7×7 a channel, norm, 1×1 to 4·c_out, activation, 1×1; biases, no norm at the end.   Liu et al. 2022, Fig. 4."""

    layers, expansion, vectors = 3, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation) -> None:
        super().__init__(
            conv(c_in, c_in, 7, stride, bias=True, groups=c_in),
            norm(c_in),
            conv(c_in, 4 * c_out, 1, 1, bias=True),
            activation(),
            conv(4 * c_out, c_out, 1, 1, bias=True),
        )
