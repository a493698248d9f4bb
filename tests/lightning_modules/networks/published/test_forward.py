"""Each family computes what its paper and its authors' code compute: equal outputs and gradients of equal weights.

In float64, where 1e-10 of the largest value is rounding and any other padding, order, eps or place of a norm is more.
Weights, statistics included, are random and are handed over in the order in which the layers are called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.counting import parameters
from tests.lightning_modules.networks.published import references as papers

IMAGES = "data.channels=3", "data.classes=10"
Unit = Callable[[int, int, int], nn.Module]


def unit(option: str | None, body: Unit = papers.basic) -> Unit:
    return lambda c, k, stride: papers.residual(c, k, stride, option, body(c, k, stride))


SMALL, WIDE = [8, 16, 32], [32, 64, 128]
DEEP = [16, 32, 64, 128]
FAMILIES: dict[str, tuple[list[str], Callable[[], nn.Module], int]] = {
    "plain-20": (
        ["network=cifar", "block=plain", "width=0.5", "depth=20"],
        lambda: papers.he_cifar(3, SMALL, unit(None)),
        32,
    ),
    "resnet-20-A": (["network=cifar", "width=0.5", "depth=20"], lambda: papers.he_cifar(3, SMALL, unit("A")), 32),
    "resnet-20-B": (
        ["network=cifar", "shortcut=B", "width=0.5", "depth=20"],
        lambda: papers.he_cifar(3, SMALL, unit("B")),
        32,
    ),
    "imagenet-18-A": (
        ["network=imagenet", "width=0.25"],
        lambda: papers.he_imagenet([2, 2, 2, 2], DEEP, unit("A"), 16),
        64,
    ),
    "imagenet-34-plain": (
        ["network=imagenet", "depth=34", "block=plain", "width=0.25"],
        lambda: papers.he_imagenet([3, 4, 6, 3], DEEP, unit(None), 16),
        64,
    ),
    "imagenet-50": (
        ["network=imagenet_bottleneck", "width=0.125"],
        lambda: papers.he_imagenet([3, 4, 6, 3], [32, 64, 128, 256], unit("B", papers.bottleneck), 8),
        64,
    ),
    "preresnet-29": (
        ["network=preresnet", "depth=29", "width=0.5"],
        lambda: papers.pre_activation_net(3, WIDE, papers.pre_bottleneck, 8),
        32,
    ),
    "wide-resnet-16-1": (
        ["network=wide_resnet", "depth=16", "width=1"],
        lambda: papers.pre_activation_net(2, [16, 32, 64], papers.wide_basic, 16),
        32,
    ),
    "wide-resnet-16-2": (
        ["network=wide_resnet", "depth=16", "width=2"],
        lambda: papers.pre_activation_net(2, WIDE, papers.wide_basic, 16),
        32,
    ),
    "resnext-29": (
        ["network=resnext", "width=0.125", "body.groups=4", "body.group_width=32"],
        lambda: papers.he_cifar(
            3, [32, 64, 128], unit("B", partial(papers.resnext_body, groups=4, group_width=32)), stem=8
        ),
        32,
    ),
    "se-resnet-20": (["network=se_resnet"], lambda: papers.he_cifar(3, [16, 32, 64], unit("B", papers.se_body)), 32),
    "stochastic-depth-20": (
        ["network=stochastic_depth", "depth=20", "width=0.5"],
        lambda: papers.stochastic_depth(3, SMALL, 0.5),
        32,
    ),
    "densenet-bc-22": (["network=densenet", "depth=22"], lambda: papers.densenet_bc(3, 12, 0.5), 32),
    "vgg-11": (
        ["network=vgg", "depth=11", "width=0.0625", "data.size=224"],
        lambda: papers.vgg("4 M 8 M 16 16 M 32 32 M 32 32 M", 256),
        224,
    ),
    "vgg-16": (
        ["network=vgg", "width=0.0625", "data.size=224"],
        lambda: papers.vgg("4 4 M 8 8 M 16 16 16 M 32 32 32 M 32 32 32 M", 256),
        224,
    ),
    "convnext-T": (
        ["network=convnext", "width=0.125", "network.patch=4"],
        lambda: papers.convnext([3, 3, 9, 3], [12, 24, 48, 96]),
        64,
    ),
    "fitnet-19": (["network=fitnet"], papers.fitnet_19, 32),
    "dense-10-plain": (
        ["network=dense", "block=plain", "network.units=71", "data.size=8"],
        lambda: papers.dense(10, 71, 3 * 64, gated=False),
        8,
    ),
    "dense-10-highway": (
        ["network=dense", "block=highway", "block.activation_inside=true", "data.size=8"],
        lambda: papers.dense(10, 50, 3 * 64, gated=True),
        8,
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_computes_what_its_source_does(build, name):
    words, reference, size = FAMILIES[name]
    ours, theirs = build(*IMAGES, *words).double(), reference().double()
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    share_weights(ours, theirs, x)
    assert parameters(ours) == parameters(theirs)
    agree(ours.eval(), theirs.eval(), x)
    if not name.startswith("stochastic"):  # where a norm sees the batch
        agree(undropped(ours.train()), undropped(theirs.train()), x)


def test_the_fitnet_has_its_authors_parameters_and_dropout(build):
    ours, theirs = build(*IMAGES, "network=fitnet"), papers.fitnet_19()
    assert parameters(ours) == parameters(theirs) == 2_256_838
    assert [m.p for m in ours.modules() if isinstance(m, nn.Dropout)] == [0.2] * 4


def test_d2l_differs_by_biases_that_change_nothing(build):
    """A bias in front of a batch norm is taken away by it, and that of a shortcut is one with the shift beside it."""
    words = "network=imagenet", "shortcut=projection", "width=0.125", "data.channels=1"
    ours, theirs = build(*words, "data.classes=10").double(), papers.d2l_resnet18(8).double()
    x = torch.randn(2, 1, 48, 48, dtype=torch.float64)
    extra = [module.bias for module in theirs.modules() if isinstance(module, nn.Conv2d) and module.bias is not None]
    for module in theirs.modules():
        if isinstance(module, nn.Conv2d):
            module.bias = None
    share_weights(ours, theirs, x)
    agree(ours.eval(), theirs.eval(), x)
    assert parameters(papers.d2l_resnet18(64)) == 11_178_378
    assert sum(bias.numel() for bias in extra) * 8 == 11_178_378 - parameters(
        build(*words[:2], "data.channels=1", "data.classes=10", device="meta")
    )


def share_weights(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """Give both the same random weights and statistics, in the order in which their layers are called."""
    mine, other = called(ours, x), called(theirs, x)
    assert len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        given = dict(b.named_parameters(recurse=False)) | dict(b.named_buffers(recurse=False))
        for (name, value), taken in zip(given.items(), tensors(a), strict=True):
            if value.dtype.is_floating_point:
                scale = value.numel() ** -0.5 if value.dim() > 1 else 1
                value.data = torch.rand_like(value) + 0.5 if value.dim() == 1 else torch.randn_like(value) * scale**0.5
                assert taken.numel() == value.numel(), (type(a).__name__, type(b).__name__, name)
                taken.data.copy_(value.data.view_as(taken))


def tensors(module: nn.Module) -> list[Tensor]:
    names = [p for _, p in module.named_parameters(recurse=False)]
    return names + [b for name, b in module.named_buffers(recurse=False) if name != "p"]


def called(network: nn.Module, x: Tensor) -> list[nn.Module]:
    """The modules with tensors of their own, in the order of their first call."""
    order: dict[nn.Module, None] = {}
    handles = [
        module.register_forward_pre_hook(lambda m, _: order.setdefault(m))
        for module in network.modules()
        if tensors(module)
    ]
    with torch.no_grad():
        network.eval()(x)
    for handle in handles:
        handle.remove()
    return list(order)


def undropped(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    return network


def agree(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """Outputs, and gradients with respect to the images, agree to rounding."""
    found = []
    for network in (ours, theirs):
        images = x.clone().requires_grad_()
        y = network(images)
        y.square().sum().backward()
        found.append((y.detach(), images.grad))
    for a, b in zip(*found, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * b.abs().max().item())
