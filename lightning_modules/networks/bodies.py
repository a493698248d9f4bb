"""Bodies f(x) of blocks. They end with a norm and without an activation. More are in `grouped` and `squeeze`.

`layers` is how many weight layers a body adds to a network's depth, `expansion` how many times wider its output is than
its family says, `vectors` whether it takes vectors (B, c) in place of images (B, c, H, W).
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from lightning_modules.networks.layers import Activation, Norm, conv_norm, linear_norm


class Basic(nn.Sequential):
    """3×3, 3×3; the first has the stride.   He et al. 2015, Fig. 5 left."""

    layers, expansion, vectors = 2, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation) -> None:
        super().__init__(
            conv_norm(c_in, c_out, 3, stride, norm=norm),
            activation(),
            conv_norm(c_out, c_out, 3, 1, norm=norm),
        )


class Bottleneck(nn.Sequential):
    """1×1, 3×3, 1×1 with c_out / 4 channels inside.   He et al. 2015, Fig. 5 right.

    `stride_on` says which convolution has the stride: the first '1x1', as published (ResNet-50 is 3.8 G multiply-adds),
    or the '3x3', as in torchvision (4.1 G).
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
        stride_on: Literal["1x1", "3x3"] = "1x1",
    ) -> None:
        if stride_on not in ("1x1", "3x3"):
            raise ValueError(f"stride_on={stride_on} is neither 1x1 nor 3x3")
        if c_out % self.expansion:
            raise ValueError(f"a bottleneck's {c_out} output channels are not a multiple of {self.expansion}")
        inner = c_out // self.expansion
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        super().__init__(
            conv_norm(c_in, inner, 1, first, norm=norm),
            activation(),
            conv_norm(inner, inner, 3, second, norm=norm),
            activation(),
            conv_norm(inner, c_out, 1, 1, norm=norm),
        )


class Single(nn.Sequential):
    """One 3×3.   Srivastava et al. 2015, Sec. 3.3 (their convolutional highway layers)."""

    layers, expansion, vectors = 1, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        super().__init__(conv_norm(c_in, c_out, 3, stride, norm=norm))


class Wide(nn.Sequential):
    """Basic with dropout between its two 3×3.   Zagoruyko & Komodakis 2016, Fig. 1d; the width is `width`'s."""

    layers, expansion, vectors = 2, 1, False

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, norm: Norm, activation: Activation, dropout: float = 0.3
    ) -> None:
        super().__init__(
            conv_norm(c_in, c_out, 3, stride, norm=norm),
            activation(),
            nn.Dropout(dropout),
            conv_norm(c_out, c_out, 3, 1, norm=norm),
        )


class Dense(nn.Sequential):
    """One fully connected layer, for vectors.   Srivastava et al. 2015, Sec. 3."""

    layers, expansion, vectors = 1, 1, True

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        if stride != 1:
            raise ValueError(f"stride={stride} means nothing to a vector: body=dense belongs to network=dense")
        super().__init__(linear_norm(c_in, c_out, norm=norm))
