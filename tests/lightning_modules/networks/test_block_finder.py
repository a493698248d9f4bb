"""The blocks of any network are found, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from torch import Tensor, nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.networks.blocks import Plain
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.norms import Batch
from tests.lightning_modules.trained import perceptron


class Stages(nn.Module):
    """As others write them: no `body`, no `stages`, and wrapped."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (("network=small", "depth=8"), 3),
        (("network=cifar", "depth=20", "block=plain"), 9),
        (("network=cifar", "depth=29", "body=bottleneck", "block=highway"), 9),
        (("network=imagenet", "depth=18"), 8),
        (("network=dense", "depth=2"), 1),
        (("network=dense", "depth=10", "block=highway"), 9),
        (("network=vgg", "depth=16", "data.size=32", "norm=none"), 13),
        (("network=vgg", "depth=11", "data.size=32", "network.head=pool"), 8),
    ],
)
def test_the_blocks_of_every_family_are_found(
    build: Callable[..., nn.Module], chosen: tuple[str, ...], count: int
) -> None:
    network = build(*chosen, device="meta")
    found = find_blocks(network)
    assert len(found) == count
    assert all(part.path.startswith("stages.") for part in found)
    assert all(network.get_submodule(part.path) is part.modules[0] for part in found)
    assert all(type(module) is nn.ReLU for part in found for module in part.activations)
    assert all((part.gate is not None) == ("block=highway" in chosen) for part in found)
    inside = {id(parameter) for part in found for parameter in part.parameters()}
    assert inside == {id(p) for name, p in network.named_parameters() if name.startswith("stages.")}


def test_the_blocks_of_another_s_network_are_found() -> None:
    layers = [layer for layer in perceptron() if not isinstance(layer, nn.Flatten)]
    assert [[type(m).__name__ for m in part.modules] for part in find_blocks(perceptron())] == [
        ["Linear", "BatchNorm1d", "ReLU", "Dropout"],
        ["Linear"],
    ]
    assert [part.path for part in find_blocks(nn.Sequential(Stages(*layers)))] == ["0.layers.0", "0.layers.4"]
    block = Plain(4, 4, 1, body=partial(Basic, norm=Batch, activation=nn.ReLU), activation=nn.ReLU)
    assert [part.path for part in find_blocks(Stages(Stages(nn.Conv2d(1, 4, 3), block), nn.Linear(4, 2)))] == [
        "layers.0.layers.1"
    ]
