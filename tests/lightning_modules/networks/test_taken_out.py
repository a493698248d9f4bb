"""A block that is taken out leaves its way past the body, whatever the joining rule; a weight is never touched."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.networks.blocks import Highway, Plain
from lightning_modules.training.block_removal import RESIZES, UNKNOWN, not_taken, taken_out

X = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net(tiny, block):
    body = {"convnext": "convnext", "concatenation": "growth"}.get(block, "basic")
    chosen = [f"block={block}"] + (["norm=none", "init=torch"] if block == "fixup" else [])
    network = tiny(body, *chosen)
    for parameter in network.parameters():  # some rules start as their shortcut
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network.train(False)


@torch.no_grad()
def test_every_joining_rule_says_what_is_left_of_its_blocks(net):
    whole, before = net(X), deepcopy(net.state_dict())
    for part in find_blocks(net):
        plain = isinstance(part.modules[0], Plain)
        reason = not_taken(part, same_size=True)
        assert reason is None
        if plain and part.path.endswith(".0") and not part.path.startswith("stages.0"):
            assert not_taken(part, same_size=False) == RESIZES
            continue
        with taken_out(part):
            assert not torch.equal(net(X), whole), part.path
        assert torch.equal(net(X), whole), part.path
    assert all(torch.equal(now, before[name]) for name, now in net.state_dict().items())


@torch.no_grad()
def test_a_body_that_is_zero_is_not_missed(net):
    blocks = [part for part in find_blocks(net) if not isinstance(part.modules[0], Plain)]
    for part in blocks:
        block = part.modules[0]
        block.body.register_forward_hook(lambda module, x, y: 0 * y)
        if isinstance(block, Highway):
            nn.init.constant_(block.transform.bias, -1000.0)
    empty = net(X)
    for part in blocks:
        with taken_out(part):
            assert torch.equal(net(X), empty), part.path


@pytest.mark.parametrize("block", ["plain", "residual", "highway"])
@torch.no_grad()
def test_what_is_left_of_a_block_of_one_size_is_its_input(net, block):
    part = find_blocks(net)[0]
    with taken_out(part):
        left = net(X)
    net.stages[0][0] = nn.Identity()  # the stem ends with a ReLU, which a second one does not change
    assert torch.equal(left, net(X))


@pytest.mark.parametrize("block", ["residual"])
def test_a_block_past_whose_body_nothing_gets_is_a_plain_one(tiny, block):
    network = tiny("basic", "block=residual", "shortcut=none").train(False)
    first, second = find_blocks(network)[:2]
    assert not_taken(first, same_size=True) is None
    assert not_taken(second, same_size=False) == RESIZES
    with torch.no_grad(), taken_out(first):
        left = network(X)
    network.stages[0][0] = nn.Identity()
    assert torch.equal(left, network(X))


def test_a_block_nothing_is_known_of_is_left_out():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

    network = nn.Module()
    network.stages = nn.Sequential(Odd(), Odd())
    assert [not_taken(part, same_size=True) for part in find_blocks(network)] == [UNKNOWN, UNKNOWN]
