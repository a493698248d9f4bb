"""Shortcuts s(x), by which the input gets past the body; A, B and C are those of He et al. 2015, Sec. 3.3 and 4.1.

All take images, (B, c_in, H, W) → (B, c_out, H/stride, W/stride), and, with stride 1, vectors (B, c_in) → (B, c_out).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.layers import Norm, conv, conv_norm


class A(nn.Module):
    """No parameters: the identity; where the size changes, subsampling and channels of zeros.

    The paper does not say which pixels and where the zeros go. The defaults take every second pixel and put the zeros
    behind, as fb.resnet.torch does; `subsample='average'` takes the mean of the pixels, and `pad='symmetric'` puts half
    of the zeros in front, as widely read CIFAR code does.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        subsample: Literal["stride", "average"] = "stride",
        pad: Literal["end", "symmetric"] = "end",
    ) -> None:
        super().__init__()
        if subsample not in ("stride", "average"):
            raise ValueError(f"subsample={subsample} is neither stride nor average")
        if pad not in ("end", "symmetric"):
            raise ValueError(f"pad={pad} is neither end nor symmetric")
        if c_out < c_in:
            raise ValueError(f"shortcut=A can only add channels, not go from {c_in} to {c_out}: use shortcut=B")
        front = (c_out - c_in) // 2 if pad == "symmetric" else 0
        self.zeros = (front, c_out - c_in - front)
        self.stride, self.subsample = stride, subsample

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1 and self.subsample == "stride":
            x = x[..., :: self.stride, :: self.stride]
        elif self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        if any(self.zeros):
            x = F.pad(x, (0, 0) * (x.dim() - 2) + self.zeros)
        return x

    def extra_repr(self) -> str:
        return f"stride={self.stride}, subsample={self.subsample}, zeros={self.zeros}"


class B(nn.Sequential):
    """A 1×1 projection and its norm where the size changes, the identity (an empty sequence) elsewhere."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        same = c_in == c_out and stride == 1
        super().__init__(*[] if same else [conv_norm(c_in, c_out, 1, stride, norm=norm)])


class C(nn.Sequential):
    """A 1×1 projection and its norm, everywhere; the 1×1 convolutional shortcut of He et al. 2016, Table 1."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        super().__init__(conv_norm(c_in, c_out, 1, stride, norm=norm))


class D(nn.Sequential):
    """B with the mean of the pixels in place of every second one.   ResNet-D, He et al. 2019, Fig. 2c."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        mean = [] if stride == 1 else [("mean", nn.AvgPool2d(stride, ceil_mode=True))]
        same = c_in == c_out and stride == 1
        super().__init__(OrderedDict([] if same else [*mean, ("project", conv_norm(c_in, c_out, 1, 1, norm=norm))]))


class Projection(nn.Sequential):
    """B without norm and bias, as pre-activation networks have it.   He et al. 2016; Zagoruyko & Komodakis 2016."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        same = c_in == c_out and stride == 1
        super().__init__(*[] if same else [conv(c_in, c_out, 1, stride, bias=False)])


class ZeroShortcut(nn.Module):
    """s(x) = 0, a single zero, whatever it is added to: nothing gets past the body."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(())


def require_shortcut(shortcut: object, what: str) -> None:
    """Raise ValueError if the shortcut passes nothing; `what` is that which needs something."""
    if isinstance(shortcut, ZeroShortcut):
        raise ValueError(f"{what} needs something to pass, and shortcut=none passes nothing: use shortcut=A")
