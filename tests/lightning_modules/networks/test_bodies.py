from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from lightning_modules.networks.bodies import Basic, Bottleneck, Dense, Single, Wide
from lightning_modules.networks.densenet import Growth
from lightning_modules.networks.grouped import ConvNeXt, ResNeXt, Separable
from lightning_modules.networks.norms import Batch

BODIES = [
    partial(Basic, activation=nn.ReLU),
    partial(Bottleneck, activation=nn.ReLU),
    partial(Bottleneck, activation=nn.ReLU, stride_on="3x3"),
    Dense,
    Single,
    partial(Wide, activation=nn.ReLU),
    partial(ResNeXt, activation=nn.ReLU),
    partial(Separable, activation=nn.ReLU),
    partial(Growth, activation=nn.ReLU),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_has_as_many_weight_layers_as_it_says_and_ends_with_its_norm(body):
    kind = getattr(body, "func", body)
    modules = list(body(8, 8, 1, norm=Batch).modules())
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in modules) == kind.layers
    assert isinstance(modules[-1], Batch)


@pytest.mark.parametrize("body", [*BODIES[:3], *BODIES[4:], partial(ConvNeXt, activation=nn.ReLU)])
def test_a_stride_divides_the_size(body):
    assert body(8, 16, 2, norm=Batch)(torch.zeros(2, 8, 9, 8)).shape == (2, 16, 5, 4)


def test_the_stride_is_where_it_is_asked_for():
    for stride_on in ("1x1", "3x3"):
        body = Bottleneck(8, 16, 2, norm=Batch, activation=nn.ReLU, stride_on=stride_on)
        strides = [m.stride[0] for m in body.modules() if isinstance(m, nn.Conv2d)]
        assert strides == ([2, 1, 1] if stride_on == "1x1" else [1, 2, 1])


def convolutions(body: nn.Module) -> list[tuple[int, int, int, int]]:
    return [(m.in_channels, m.out_channels, m.kernel_size[0], m.groups) for m in body.modules() if hasattr(m, "groups")]


def test_bodies_have_the_published_convolutions():
    made = {"norm": Batch, "activation": nn.ReLU}
    inside = convolutions(ResNeXt(256, 256, 1, **made))
    assert inside == [(256, 512, 1, 1), (512, 512, 3, 8), (512, 256, 1, 1)], "8×64d, Xie et al. 2017, Table 1"
    assert convolutions(Separable(8, 16, 1, **made)) == [(8, 8, 3, 8), (8, 16, 1, 1)]
    assert convolutions(ConvNeXt(8, 8, 1, **made)) == [(8, 8, 7, 8), (8, 32, 1, 1), (32, 8, 1, 1)]
    assert convolutions(Growth(24, 12, 1, **made)) == [(24, 48, 1, 1), (48, 12, 3, 1)]


def test_a_wide_body_without_dropout_is_basic():
    made = {"norm": Batch, "activation": nn.ReLU}
    wide, basic, x = Wide(8, 8, 1, **made), Basic(8, 8, 1, **made), torch.randn(2, 8, 6, 6)
    for ours, theirs in zip(wide.parameters(), basic.parameters(), strict=True):
        ours.data = theirs.data
    assert torch.equal(wide.eval()(x), basic.eval()(x))
    assert not torch.equal(wide.train()(x), basic.train()(x))


def test_bodies_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="stride_on=5x5 is neither 1x1 nor 3x3"):
        Bottleneck(8, 16, 2, norm=Batch, activation=nn.ReLU, stride_on="5x5")
    with pytest.raises(ValueError, match="10 output channels are not a multiple of 4"):
        Bottleneck(8, 10, 2, norm=Batch, activation=nn.ReLU)
    with pytest.raises(ValueError, match="stride=2 means nothing to a vector"):
        Dense(8, 8, 2, norm=Batch)
