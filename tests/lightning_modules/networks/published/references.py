"""The networks of the papers once more, written from the papers and their authors' code with torch's own layers alone.

Nothing here is shared with `lightning_modules`, so that a mistake has to be made twice to go unseen. Layers are called
in the order of the papers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Make = Callable[[int, int, int], nn.Module]  # make(channels, new channels, stride)


class Unit(nn.Module):
    """Layers, and how they are put together."""

    def __init__(self, rule: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.rule = rule
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.rule(x, **dict(self.named_children()))


def conv(c: int, k: int, size: int, stride: int = 1, *, bias: bool = False, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c, k, size, stride, padding=size // 2, bias=bias, groups=groups)


def conv_bn(c: int, k: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(c, k, size, stride, groups=groups), nn.BatchNorm2d(k))


def bn_relu(c: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(c), nn.ReLU())


def head(c: int, classes: int = 10) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(c, classes))


def zero_padded(x: Tensor, k: int) -> Tensor:
    """Option A of He et al. 2015: the identity; with other channels every second pixel, and zeros for the new ones."""
    if x.shape[1] == k:
        return x
    x = x[:, :, ::2, ::2]
    return torch.cat([x, x.new_zeros(len(x), k - x.shape[1], *x.shape[2:])], 1)


def residual(c: int, k: int, stride: int, option: str | None, body: nn.Module, weigh: float = 1.0) -> Unit:
    """He et al. 2015, eq. 1 and 2: relu(f(x) + s(x)); option None is the plain network without s."""
    if option is None:
        return Unit(lambda x, f: f(x).relu(), f=body)
    if option == "A":
        return Unit(lambda x, f: (weigh * f(x) + zero_padded(x, k)).relu(), f=body)
    if c == k and stride == 1:
        return Unit(lambda x, f: (f(x) + x).relu(), f=body)
    return Unit(lambda x, f, s: (f(x) + s(x)).relu(), f=body, s=conv_bn(c, k, 1, stride))


def basic(c: int, k: int, stride: int) -> nn.Sequential:
    return nn.Sequential(conv_bn(c, k, 3, stride), nn.ReLU(), conv_bn(k, k, 3))


def bottleneck(c: int, k: int, stride: int) -> nn.Sequential:
    """He et al. 2015, Fig. 5, with the stride in the first 1×1, as in their Caffe models."""
    m = k // 4
    return nn.Sequential(conv_bn(c, m, 1, stride), nn.ReLU(), conv_bn(m, m, 3), nn.ReLU(), conv_bn(m, k, 1))


def resnext_body(c: int, k: int, stride: int, groups: int, group_width: int) -> nn.Sequential:
    """Xie et al. 2017, Fig. 3c: `groups` paths of `group_width` channels where the output has 256."""
    m = groups * (k // 4 * group_width // 64)
    return nn.Sequential(*(conv_bn(c, m, 1), nn.ReLU(), conv_bn(m, m, 3, stride, groups), nn.ReLU()), conv_bn(m, k, 1))


def se_body(c: int, k: int, stride: int) -> Unit:
    """Hu et al. 2018, Sec. 3: the body's output, each channel weighed by two linear layers of its mean."""

    def rule(x: Tensor, f: nn.Module, down: nn.Module, up: nn.Module) -> Tensor:
        u = f(x)
        return u * up(down(u.mean((2, 3))).relu()).sigmoid()[:, :, None, None]

    return Unit(rule, f=basic(c, k, stride), down=nn.Linear(k, k // 16), up=nn.Linear(k // 16, k))


def stages(first: int, sizes: list[int], counts: list[int], unit: Make) -> nn.Sequential:
    """Stages of units; the second and later ones halve the size."""
    made, c = nn.Sequential(), first
    for stage, (k, count) in enumerate(zip(sizes, counts, strict=True)):
        for i in range(count):
            made.append(unit(c, k, 2 if stage and i == 0 else 1))
            c = k
    return made


def he_cifar(n: int, sizes: list[int], unit: Make, stem: int | None = None) -> nn.Module:
    """He et al. 2015, Sec. 4.2."""
    stem = stem or sizes[0]
    return nn.Sequential(conv_bn(3, stem, 3), nn.ReLU(), stages(stem, sizes, [n] * 3, unit), head(sizes[-1]))


def he_imagenet(counts: list[int], sizes: list[int], unit: Make, stem: int) -> nn.Module:
    """He et al. 2015, Table 1."""
    start = [conv_bn(3, stem, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(sizes[-1], 10)]
    return nn.Sequential(*start, stages(stem, sizes, counts, unit), *end)


def pre_activated(c: int, k: int, stride: int, body: nn.Module) -> Unit:
    """He's resnet-pre-act.lua and Zagoruyko's wide-resnet.lua: both ways share the first norm only where c ≠ k."""
    if c == k:
        return Unit(lambda x, pre, f: f(pre(x)) + x, pre=bn_relu(c), f=body)

    def rule(x: Tensor, pre: nn.Module, f: nn.Module, s: nn.Module) -> Tensor:
        a = pre(x)
        return f(a) + s(a)

    return Unit(rule, pre=bn_relu(c), f=body, s=conv(c, k, 1, stride))


def pre_bottleneck(c: int, k: int, stride: int) -> Unit:
    m = k // 4
    layers = [conv(c, m, 1, stride), bn_relu(m), conv(m, m, 3), bn_relu(m), conv(m, k, 1)]
    return pre_activated(c, k, stride, nn.Sequential(*layers))


def wide_basic(c: int, k: int, stride: int) -> Unit:
    return pre_activated(c, k, stride, nn.Sequential(conv(c, k, 3, stride), bn_relu(k), conv(k, k, 3)))


def pre_activation_net(n: int, sizes: list[int], unit: Make, stem: int) -> nn.Module:
    """The whole of both Lua files: a bare convolution, units, and a norm and ReLU at the end."""
    return nn.Sequential(conv(3, stem, 3), stages(stem, sizes, [n] * 3, unit), bn_relu(sizes[-1]), head(sizes[-1]))


def stochastic_depth(n: int, sizes: list[int], last: float) -> nn.Module:
    """Huang et al. 2016, eq. 2 and 4, at test: bodies are weighed by their survival, a float32 number."""
    count = iter(range(1, 3 * n + 1))

    def unit(c: int, k: int, stride: int) -> nn.Module:
        p = torch.tensor(1 - next(count) / (3 * n) * (1 - last), dtype=torch.float32)
        return residual(c, k, stride, "A", basic(c, k, stride), weigh=p.item())

    return he_cifar(n, sizes, unit)


def densenet_bc(n: int, k: int, theta: float) -> nn.Module:
    """Huang et al. 2017, Sec. 3 and 4.1."""

    def layer(c: int) -> Unit:
        body = nn.Sequential(bn_relu(c), conv(c, 4 * k, 1), bn_relu(4 * k), conv(4 * k, k, 3))
        return Unit(lambda x, f: torch.cat([x, f(x)], 1), f=body)

    c, net = 2 * k, nn.Sequential(conv(3, 2 * k, 3))
    for stage in range(3):
        for _ in range(n):
            net.append(layer(c))
            c += k
        net.append(bn_relu(c))
        if stage < 2:
            net.append(nn.Sequential(conv(c, int(theta * c), 1), nn.AvgPool2d(2)))
            c = int(theta * c)
    return net.append(head(c))


def vgg(layers: str, hidden: int) -> nn.Module:
    """Simonyan & Zisserman 2015, Table 1; layers are '4 M 8 M …', channels and max-pools."""
    net, c = nn.Sequential(), 3
    for word in layers.split():
        if word == "M":
            net.append(nn.MaxPool2d(2, 2))
        else:
            net.extend([conv(c, int(word), 3, bias=True), nn.ReLU()])
            c = int(word)
    linear = [nn.Linear(49 * c, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()]
    return net.extend([nn.Flatten(), *linear, nn.Linear(hidden, 10)])


class LayerNormOfChannels(nn.Module):
    """The authors' `LayerNorm` with channels_first."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x: Tensor) -> Tensor:
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNeXtBlock(nn.Module):
    """The authors' `Block`, which norms and multiplies with the channels last."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(1e-6 * torch.ones(c))
        self.dwconv, self.norm = conv(c, c, 7, bias=True, groups=c), nn.LayerNorm(c, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(c, 4 * c), nn.Linear(4 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).permute(0, 3, 1, 2)


def convnext(counts: list[int], sizes: list[int]) -> nn.Module:
    """Liu et al. 2022, facebookresearch/ConvNeXt."""
    net = nn.Sequential(nn.Conv2d(3, sizes[0], 4, 4), LayerNormOfChannels(sizes[0]))
    for i, (count, c) in enumerate(zip(counts, sizes, strict=True)):
        if i:
            net.extend([LayerNormOfChannels(sizes[i - 1]), nn.Conv2d(sizes[i - 1], c, 2, 2)])
        net.extend([ConvNeXtBlock(c) for _ in range(count)])
    last = nn.LayerNorm(sizes[-1], eps=1e-6)
    return net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, nn.Linear(sizes[-1], 10)])


def highway(h: nn.Module, t: nn.Module) -> Unit:
    """Srivastava et al. 2015, eq. 3, as in their Caffe layer: the activation is inside H."""

    def rule(x: Tensor, h: nn.Module, t: nn.Module) -> Tensor:
        y, gate = h(x).relu(), t(x).sigmoid()
        return y * gate + x * (1 - gate)

    return Unit(rule, h=h, t=t)


def fitnet_19() -> nn.Module:
    """flukeskywalker/highway-networks, examples/highways/cifar10-19layers/cifar10_network.prototxt."""
    net, c = nn.Sequential(), 3
    for k, count in ((32, 5), (80, 6), (128, 6)):
        net.extend([nn.Dropout(0.2), conv(c, k, 3, bias=True), nn.ReLU()])
        net.extend([highway(conv(k, k, 3, bias=True), conv(k, k, 3, bias=True)) for _ in range(count - 1)])
        net.extend([nn.MaxPool2d(2, 2)] if k < 128 else [])
        c = k
    net.extend([conv(c, 100, 1, bias=True), nn.ReLU()])
    return net.extend([nn.AvgPool2d(8, 8), nn.Flatten(), nn.Dropout(0.2), nn.Linear(100, 10)])


def dense(depth: int, units: int, pixels: int, *, gated: bool) -> nn.Module:
    """Srivastava et al. 2015, Sec. 3: a plain layer, then plain or highway ones."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, units), nn.ReLU())
    for _ in range(depth - 1):
        layer = nn.Linear(units, units)
        net.extend([highway(layer, nn.Linear(units, units))] if gated else [layer, nn.ReLU()])
    return net.append(nn.Linear(units, 10))


def d2l_resnet18(width: int) -> nn.Module:
    """Dive into Deep Learning, Sec. 8.6: convolutions with biases, and shortcuts that are a 1×1 convolution alone."""

    def unit(c: int, k: int, stride: int) -> Unit:
        f = nn.Sequential(
            *(conv(c, k, 3, stride, bias=True), nn.BatchNorm2d(k), nn.ReLU()),
            *(conv(k, k, 3, bias=True), nn.BatchNorm2d(k)),
        )
        if c == k:
            return Unit(lambda x, f: (f(x) + x).relu(), f=f)
        return Unit(lambda x, f, s: (f(x) + s(x)).relu(), f=f, s=nn.Conv2d(c, k, 1, stride))

    sizes = [width, 2 * width, 4 * width, 8 * width]
    start = [nn.Conv2d(1, width, 7, 2, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(sizes[-1], 10)]
    return nn.Sequential(*start, stages(width, sizes, [2] * 4, unit), *end)
