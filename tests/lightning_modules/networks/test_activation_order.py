"""Where norm and activation stand beside the addition changes the function and not the weights it has."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.activation_order import BnAfterAddition, ReluBeforeAddition, ReluOnlyPreActivation
from lightning_modules.networks.bodies import Basic, Bottleneck
from lightning_modules.networks.inits import last_layer
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A

basic = partial(Basic, norm=Batch, activation=nn.ReLU)
parts = {"body": basic, "shortcut": A, "activation": nn.ReLU}
sizes = pytest.mark.parametrize("size", [(8, 8, 1), (8, 16, 2), (8, 12, 1)], ids=str)


def images() -> Tensor:
    return torch.randn(2, 8, 6, 6)


@sizes
def test_a_norm_behind_the_addition_sees_the_sum(size):
    block = BnAfterAddition(*size, **parts, norm=Batch)
    x = images()
    normed = F.batch_norm(block.body(x) + block.shortcut(x), None, None, training=True)
    torch.testing.assert_close(block(x), normed.relu())
    assert sum(isinstance(m, Batch) for m in block.modules()) == Basic.layers, "the body's last is the block's now"


@sizes
def test_with_a_relu_before_the_addition_nothing_is_ever_taken_away(size):
    block = ReluBeforeAddition(*size, **parts).eval()
    x = images()
    assert torch.equal(block(x), block.body(x).relu() + block.shortcut(x))
    assert (block(x) >= block.shortcut(x)).all()


@pytest.mark.parametrize("body", [basic, partial(Bottleneck, norm=Batch, activation=nn.ReLU)])
def test_pre_activation_by_the_relu_alone_leaves_the_body_its_norms(body):
    block = ReluOnlyPreActivation(8, 8, 1, body=body, shortcut=A, activation=nn.ReLU).eval()
    x = images()
    assert torch.equal(block(x), x + block.body(x.relu()))
    assert isinstance(last_layer(block), Batch)
    nn.init.zeros_(last_layer(block).weight)
    assert torch.equal(block(x), x), "nothing is done to the sum, not even to what is negative"
    wider = ReluOnlyPreActivation(8, 16, 2, body=body, shortcut=A, activation=nn.ReLU).eval()
    assert torch.equal(wider(x), wider.shortcut(x.relu()) + wider.body(x.relu()))


def test_the_order_of_norm_and_activation_costs_nothing(build):
    orders = ["residual", "preactivation", "bn_after_addition", "relu_before_addition", "relu_only_preactivation"]
    networks = [build("network=small", f"block={order}", "data.channels=1") for order in orders]
    assert len({sum(p.numel() for p in network.parameters() if p.dim() > 1) for network in networks}) == 1


@pytest.mark.parametrize("block", ["preactivation", "relu_only_preactivation"])
def test_what_enters_and_leaves_the_blocks_is_activated_once(build, block):
    network = build("network=small", f"block={block}", "data.channels=1").eval()
    blocks = [block for stage in network.stages for block in stage]
    assert [isinstance(b.activation, nn.Identity) for b in blocks] == [True] + [False] * 8
    assert [isinstance(b.last, nn.Identity) for b in blocks] == [True] * 8 + [False]
    assert (network.stages(network.stem(torch.randn(2, 1, 8, 8))) >= 0).all()
