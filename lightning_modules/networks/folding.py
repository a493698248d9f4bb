"""Bodies that train with a way past their convolution, and fold to that convolution alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lightning_modules.networks.layers import Norm, conv, conv_norm


class DiracConv(nn.Conv2d):
    """A 3×3 convolution with the kernel diag(a) I + diag(b) W / |W|.   Zagoruyko & Komodakis 2017 (DiracNets).

    I is the kernel that changes nothing, |W| the norm of each filter; a starts at 1, b at 0.1, as in their code. Where
    the number of channels changes, I passes the first of them.
    """

    scales = ("a", "b", "bias")
    identity: Tensor

    def __init__(self, c_in: int, c_out: int, stride: int, *, bias: bool) -> None:
        super().__init__(c_in, c_out, 3, stride, padding=1, bias=bias)
        self.register_buffer("identity", identity_kernel(c_in, c_out), persistent=False)
        self.a, self.b = nn.Parameter(torch.ones(c_out)), nn.Parameter(torch.full((c_out,), 0.1))

    def kernel(self) -> Tensor:
        """What the input is convolved with."""
        w = self.weight
        unit = w / w.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        return self.a.view(-1, 1, 1, 1) * self.identity + self.b.view(-1, 1, 1, 1) * unit

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.kernel(), self.bias, self.stride, padding=1)

    def folded(self) -> nn.Conv2d:
        """The same as a convolution that is no more than that."""
        c_out, c_in = self.weight.shape[:2]
        plain = conv(c_in, c_out, 3, self.stride[0], bias=self.bias is not None).to(self.weight)
        plain.load_state_dict({"weight": self.kernel()} | ({} if self.bias is None else {"bias": self.bias}))
        return plain


class Dirac(nn.Module):
    """A Dirac convolution, norm: with `block=plain`, a DiracNet.   Zagoruyko & Komodakis 2017 (arXiv 1706.00388)."""

    layers, expansion, vectors = 1, 1, False

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        super().__init__()
        normed = norm(c_out)
        self.conv, self.norm = DiracConv(c_in, c_out, stride, bias=isinstance(normed, nn.Identity)), normed

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))

    def folded(self) -> nn.Module:
        """One convolution; and its norm, if that is no batch norm."""
        layer, norm = self.conv.folded(), self.norm
        return nn.Sequential(layer, norm) if not foldable(norm) else fused(layer, norm)


class RepVGG(nn.Module):
    """norm(W₃ x) + norm(W₁ x) + norm(x), W₃ of 3×3 and W₁ of 1×1.   Ding et al. 2021 (arXiv 2101.03697).

    Without norm(x) where the size changes. With `block=plain`, a RepVGG.
    """

    layers, expansion, vectors = 1, 1, False
    ends_in_sum = True

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm: Norm) -> None:
        super().__init__()
        self.three, self.one = (conv_norm(c_in, c_out, kernel, stride, norm=norm) for kernel in (3, 1))
        self.same = norm(c_out) if c_in == c_out and stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.three(x) + self.one(x)
        return y if self.same is None else y + self.same(x)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """One 3×3 convolution.   Raises ValueError for norms that do not fold."""
        first = cast(nn.Conv2d, self.three[0])
        c_in, c_out = first.in_channels, first.out_channels
        same = conv(c_in, c_out, 3, first.stride[0], bias=False).to(first.weight)
        same.weight.copy_(identity_kernel(c_in, c_out))
        branches: list[Any] = [self.three, self.one, *([] if self.same is None else [(same, self.same)])]
        if not all(foldable(norm) for _, norm in branches):
            raise ValueError("body=repvgg folds where its norms are batch norms, or none: use norm=batch")
        layers = [fused(layer, norm) for layer, norm in branches]
        total = conv(c_in, c_out, 3, first.stride[0], bias=True).to(first.weight)
        kernels = [F.pad(layer.weight, [1 - layer.kernel_size[0] // 2] * 4) for layer in layers]
        biases = [layer.bias for layer in layers if layer.bias is not None]
        total.load_state_dict({"weight": torch.stack(kernels).sum(0), "bias": torch.stack(biases).sum(0)})
        return total


def fold(network: nn.Module) -> nn.Module:
    """A copy of a network, for evaluation, whose Dirac and RepVGG bodies are folded.

    Raises:
        ValueError: it has nothing to fold, or a norm that does not fold.
    """
    network = deepcopy(network).eval()
    children = [(parent, name, child) for parent in network.modules() for name, child in parent.named_children()]
    found = [(parent, name, child) for parent, name, child in children if isinstance(child, Dirac | RepVGG)]
    if not found:
        raise ValueError("nothing in this network folds: use body=dirac or body=repvgg")
    for parent, name, child in found:
        setattr(parent, name, child.folded())
    return network


def identity_kernel(c_in: int, c_out: int) -> Tensor:
    """(c_out, c_in, 3, 3): what changes nothing, as far as there are channels."""
    return F.pad(torch.eye(c_out, c_in)[..., None, None], (1, 1, 1, 1))


def foldable(norm: nn.Module) -> bool:
    """Whether a norm is linear when evaluated."""
    return isinstance(norm, nn.BatchNorm2d | nn.Identity)


def fused(layer: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    """A convolution and its batch norm, or none, as one."""
    return fuse_conv_bn_eval(layer.eval(), norm) if isinstance(norm, nn.BatchNorm2d) else layer
