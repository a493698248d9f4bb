"""The layers that all blocks and networks are built from, and the types of their factories."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

Activation = Callable[[], nn.Module]  # activation()
Norm = Callable[[int], nn.Module]  # norm(channels)
BlockFactory = Callable[[int, int, int], nn.Module]  # body, shortcut and block: body(c_in, c_out, stride)
Init = Callable[[nn.Module], None]  # init(network), in place


class Pointwise(nn.Conv2d):
    """A 1×1 convolution of images, (B, c_in, H, W), and the same matrix times vectors, (B, c_in)."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(c_in, c_out, kernel_size=1, stride=stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return F.linear(x, self.weight.flatten(1), self.bias)
        return super().forward(x)


def conv(c_in: int, c_out: int, kernel: int, stride: int, *, bias: bool, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size but for its stride: H → ⌈H / stride⌉."""
    if kernel == 1 and groups == 1:
        return Pointwise(c_in, c_out, stride, bias=bias)
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias, groups=groups)


def conv_norm(c_in: int, c_out: int, kernel: int, stride: int, *, norm: Norm, groups: int = 1) -> nn.Sequential:
    """A convolution and its norm. It has a bias exactly when there is no norm, whose shift would take its place."""
    normed = norm(c_out)
    layer = conv(c_in, c_out, kernel, stride, bias=isinstance(normed, nn.Identity), groups=groups)
    return nn.Sequential(OrderedDict(conv=layer, norm=normed))


def linear_norm(c_in: int, c_out: int, *, norm: Norm) -> nn.Sequential:
    """A linear layer and its norm, for vectors. It has a bias exactly when there is no norm."""
    normed = norm(c_out)
    if not getattr(normed, "vectors", True):
        name = type(normed).__name__.lower()
        raise ValueError(f"norm={name} needs images, and this network passes vectors: use norm=layer or norm=batch")
    layer = nn.Linear(c_in, c_out, bias=isinstance(normed, nn.Identity))
    return nn.Sequential(OrderedDict(linear=layer, norm=normed))


class Readout(nn.Linear):
    """The classifier, (B, features) → (B, classes). It keeps torch's own init: no rectifier follows to halve it.

    Filled like the layers before it, its logits start several times too large; residual-56 on digits then fails to fit
    in one seed of three.
    """


def pooled(channels: int, classes: int) -> nn.Sequential:
    """The head of most image networks: global average pool, linear.  (B, channels, H, W) → (B, classes)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Readout(channels, classes))
