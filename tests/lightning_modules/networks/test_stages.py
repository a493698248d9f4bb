from __future__ import annotations

import re
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.blocks import Plain
from lightning_modules.networks.bodies import Bottleneck
from lightning_modules.networks.cifar import CifarNet
from lightning_modules.networks.inits import he_fan_out
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.stages import blocks_for, channels, layers, require_depth, trait


class Alien(nn.Module):
    """A block of another package: no body, and nothing to say about itself."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, alpha: float = 1.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride, padding=1)
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return self.alpha * self.conv(x).relu()


class Long(Alien):
    layers, expansion = 5, 2


def test_a_block_says_how_long_and_wide_it_is_or_its_body_does():
    bottleneck = partial(Bottleneck, norm=Batch)
    assert layers(partial(Plain, body=bottleneck)) == 3
    assert layers(partial(partial(Plain, body=bottleneck), activation=nn.ReLU)) == 3
    assert layers(partial(Plain, body=lambda c_in, c_out, stride: nn.Identity())) == 2
    assert layers(Long) == layers(partial(Long, alpha=2)) == 5
    assert (layers(Alien), channels(16, 1, Alien), channels(16, 1, Long)) == (2, 16, 32)
    assert trait(partial(Plain, body=bottleneck), "vectors", False) is False


@pytest.mark.parametrize("block", [Alien, partial(Alien, alpha=2), Long])
def test_a_block_of_another_package_fits(block):
    network = CifarNet(
        17 if block is Long else 8, 0.25, 1, 10, block=block, norm=Batch, activation=nn.ReLU, init=he_fan_out
    )
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(("base", "width", "expected"), [(16, 1, 16), (16, 0.5, 8), (16, 0.01, 1), (16, 1.7, 27)])
def test_a_width_may_be_a_fraction(base, width, expected):
    assert channels(base, width) == expected


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (["network=transformer", "network.units=-100"], -100),
        (["network=transformer", "network.units=0"], 0),
        (["network=dense", "body=dense", "norm=none", "network.units=0"], 0),
        (["network=densenet", "network.growth=-3", "depth=10"], -3),
        (["network.widths=[16,0,64]"], 0),
    ],
)
def test_a_network_without_channels_is_refused(build, given, number):
    sentence = f"{number} is no number of channels, as network.units, widths and growth are; the smallest is 1"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*given, "data.channels=1", "data.size=8", "data.classes=10")


@pytest.mark.parametrize(
    ("depth", "sentence"),
    [
        (21, "depth=21 is not 6n+2; the nearest are 20 and 26"),
        (7, "depth=7 is not 6n+2; the smallest is 8"),
        (2, "depth=2 is not 6n+2; the smallest is 8"),
        (-5, "depth=-5 is not 6n+2; the smallest is 8"),
    ],
)
def test_a_depth_that_does_not_exist_is_refused_with_the_nearest(depth, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        blocks_for(depth, 6, 2)


def test_depths_that_exist_are_counted():
    assert [blocks_for(d, 6, 2) for d in (8, 20, 1202)] == [1, 3, 200]


def test_a_depth_out_of_a_list_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="depth=20 is not 11, 16 or 19; the nearest is 19"):
        require_depth(20, (11, 16, 19))
