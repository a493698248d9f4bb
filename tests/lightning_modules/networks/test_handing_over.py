"""Blocks that see more than their input are handed it, by every family or by a refusal of one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks import inits, norms
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.cifar import CifarNet
from lightning_modules.networks.convnext import ConvNeXtNet
from lightning_modules.networks.handing_over import WithHistory, WithStreams, asked_by, one_after_another
from lightning_modules.networks.layers import BlockFactory
from lightning_modules.networks.shortcuts import A
from lightning_modules.networks.testing import BlockContract


class Earlier(nn.Module):
    """y = f(the mean of x and all outputs before); says what it was handed."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, body: BlockFactory) -> None:
        super().__init__()
        self.body, self.handed = body(c_in, c_out, stride), 0

    def forward(self, x: Tensor, history: Sequence[Tensor] = ()) -> Tensor:
        self.handed = len(history)
        fx = self.body(x)
        return (
            fx + torch.stack([x, *history]).mean(0)
            if fx.shape == x.shape
            else self.body(torch.stack([x, *history]).mean(0))
        )


class Pair(nn.Module):
    """Two streams: the first gets f of the second, and they change places."""

    streams = 2

    def __init__(self, c_in: int, c_out: int, stride: int, *, body: BlockFactory, shortcut: BlockFactory) -> None:
        super().__init__()
        self.body, self.shortcut = body(c_in, c_out, stride), shortcut(c_in, c_out, stride)

    def forward(self, streams: Tensor) -> Tensor:
        first, second = streams.unbind(1)
        fx = self.body(second)
        return torch.stack([0 * fx + self.shortcut(second), fx + self.shortcut(first)], dim=1)

    def merged(self, streams: Tensor) -> Tensor:
        return streams.sum(1)


class TestEarlier(BlockContract):
    block = Earlier


class TestPair(BlockContract):
    block = Pair


class NormedPair(Pair):
    """Norms what it merges, although no block but the last does."""

    def __init__(self, c_in: int, c_out: int, stride: int, **parts: BlockFactory) -> None:
        super().__init__(c_in, c_out, stride, **parts)
        self.norm = norms.Batch(c_out)

    def merged(self, streams: Tensor) -> Tensor:
        return self.norm(streams.sum(1))


class PlacedPair(NormedPair):
    """Has this norm in the last block alone."""

    def set_position(self, index: int, count: int) -> None:
        self.norm = self.norm if index == count else nn.Identity()


class TestPlacedPair(BlockContract):
    block = PlacedPair


def test_weights_that_only_the_last_block_of_a_network_uses_are_found():
    contract = type("Test", (BlockContract,), {"block": NormedPair})()
    with pytest.raises(AssertionError, match=r"no gradient reaches first\.norm\.weight, first\.norm\.bias$"):
        contract.test_every_parameter_learns_within_three_steps()


def net(block: type[nn.Module], depth: int = 14, **options: object) -> CifarNet:
    parts = {"body": partial(Basic, norm=norms.Batch, activation=nn.ReLU)} | ({"shortcut": A} if block is Pair else {})
    shared = {"norm": norms.Batch, "activation": nn.ReLU, "init": inits.he_fan_out}
    return CifarNet(depth, 0.25, 1, 10, block=partial(block, **parts), **shared, **options)


def test_a_block_says_by_its_forward_what_it_asks_for():
    assert (asked_by(Earlier), asked_by(partial(Pair)), asked_by(nn.ReLU()), asked_by(lambda *_: None)) == (
        "history", "streams", None, None
    )  # fmt: skip


def test_the_history_is_that_of_one_size():
    network = net(Earlier, 20).eval()
    network(torch.randn(2, 1, 8, 8))
    assert [block.handed for stage in network.stages for block in stage] == [0, 1, 2, 3, 0, 1, 2, 0, 1]
    # the first of a stage is handed the outputs in front of it, and changes their size


def test_a_network_of_streams_is_its_blocks_by_hand():
    network, x = net(Pair, 8).eval(), torch.randn(2, 1, 8, 8)
    streams = torch.stack([network.stem(x)] * 2, dim=1)
    for stage in network.stages:
        for block in stage:
            streams = block(streams)
    torch.testing.assert_close(network(x), network.head(streams.sum(1)))


def test_blocks_that_ask_for_nothing_are_a_plain_sequence():
    stage = nn.Sequential(nn.Linear(2, 2))
    assert type(one_after_another([stage])) is nn.Sequential
    assert {type(net(block).stages) for block in (Earlier, Pair)} == {WithHistory, WithStreams}


@pytest.mark.parametrize("block", [Earlier, Pair])
def test_what_cannot_hand_it_over_refuses(block):
    sentence = f"hands a block its input alone, and this one asks for {asked_by(block)}"
    with pytest.raises(ValueError, match=f"recomputes activations, {sentence}"):
        net(block, 14, checkpoint_from=14)
    with pytest.raises(ValueError, match=f"network=convnext {sentence}"):
        ConvNeXtNet(59, 1, 1, 10, block=block, norm=norms.Pixel, activation=nn.GELU, init=inits.he_fan_out)
