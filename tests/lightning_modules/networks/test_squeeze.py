from __future__ import annotations

from functools import partial
from math import inf

import pytest
import torch
from torch import nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.bodies import Basic, Bottleneck, Dense
from lightning_modules.networks.inits import last_layer
from lightning_modules.networks.norms import Batch, Instance
from lightning_modules.networks.shortcuts import A
from lightning_modules.networks.squeeze import SqueezeExcitation

BODIES = [partial(Basic, activation=nn.ReLU), partial(Bottleneck, activation=nn.ReLU), Dense]


def squeezed(body, norm=Batch, **options) -> SqueezeExcitation:
    return SqueezeExcitation(8, 8, 1, body=partial(body, norm=norm), activation=nn.ReLU, **options)


@pytest.mark.parametrize("body", BODIES)
def test_an_open_gate_gives_the_bare_body_and_a_shut_one_nothing(body):
    wrapped = squeezed(body).eval()
    x = torch.randn(2, 8) if body is Dense else torch.randn(2, 8, 6, 6)
    nn.init.constant_(wrapped.excite.bias, inf)
    assert torch.equal(wrapped(x), wrapped.body(x))
    nn.init.constant_(wrapped.excite.bias, -inf)
    assert not wrapped(x).any()


def test_a_channel_is_weighed_as_a_whole_and_by_its_mean():
    wrapped = squeezed(BODIES[0], reduction=2).eval()
    x = torch.randn(2, 8, 6, 6)
    fx = wrapped.body(x)
    weight = wrapped(x) / fx
    torch.testing.assert_close(weight, weight.mean((2, 3), keepdim=True).expand_as(weight))
    by_hand = wrapped.excite(wrapped.squeeze(fx.mean((2, 3))).relu()).sigmoid()
    torch.testing.assert_close(weight[:, :, 0, 0], by_hand)


@pytest.mark.parametrize(("reduction", "hidden"), [(2, 4), (16, 1)])
def test_the_middle_is_narrower_by_the_reduction(reduction, hidden):
    assert squeezed(BODIES[0], reduction=reduction).squeeze.out_channels == hidden


def test_the_last_layer_of_a_block_is_that_of_the_body_inside():
    block = Residual(8, 8, 1, body=squeeze_basic, shortcut=A, activation=nn.ReLU)
    assert last_layer(block) is block.body.body[-1].norm


def squeeze_basic(c_in: int, c_out: int, stride: int) -> SqueezeExcitation:
    return squeezed(BODIES[0])


def test_equal_means_have_nothing_to_say():
    with pytest.raises(ValueError, match="which norm=instance makes equal: use norm=batch"):
        squeezed(BODIES[0], norm=Instance)
