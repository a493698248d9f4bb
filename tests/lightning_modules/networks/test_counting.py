from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.attention import Attention
from lightning_modules.networks.counting import measure, multiply_adds, on_meta, parameters
from lightning_modules.networks.norms import Pixel


def test_counts_are_what_a_hand_counts():
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5 * 4 * 4, 7))
    assert parameters(network) == (3 * 9 + 1) * 5 + 2 * 5 + (80 + 1) * 7
    assert multiply_adds(network, (3, 4, 4)) == 3 * 9 * 5 * 16 + 80 * 7


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_the_network_and_the_dice_alone(build, training):
    network = build("network=small", "depth=8", "data.channels=1").train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    dice = torch.get_rng_state()
    assert multiply_adds(network, (1, 8, 8)) > 0
    assert torch.equal(torch.get_rng_state(), dice)
    assert network.training is training
    assert all(tensor.device.type == "cpu" for tensor in network.state_dict().values())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_meta_and_memory_count_the_same(build):
    overrides = "network=small", "block=highway", "data.channels=1"
    real, meta = build(*overrides), on_meta(lambda: build(*overrides, device="meta"))
    assert parameters(real) == parameters(meta)
    assert multiply_adds(real, (1, 8, 8)) == multiply_adds(meta, (1, 8, 8)) == multiply_adds(real.double(), (1, 8, 8))


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_attention_is_counted_as_a_hand_counts_it(device):
    """32 channels at 64 places: 4 matrices of c² at each place, and each place meets each as key and as value."""
    assert multiply_adds(Attention(32, 32, 1, norm=Pixel), (32, 8, 8), device) == 4 * 32**2 * 64 + 2 * 32 * 64**2


@pytest.mark.parametrize("block", ["residual", "post_norm"])
def test_meta_and_memory_count_the_same_of_a_transformer(build, block):
    network = build("network=transformer", f"block={block}", "data.channels=1", "data.size=8", "data.classes=10")
    assert multiply_adds(network, (1, 8, 8), "cpu") == multiply_adds(network, (1, 8, 8), "meta")


class Looks(nn.Conv2d):
    """Looks at a value, which the meta device has none of."""

    def forward(self, input):
        return super().forward(input) * (1 if input.mean().item() < 1 else 2)


def test_a_network_that_looks_at_values_is_counted_on_the_cpu():
    def counts(layer):
        def build():
            return nn.Sequential(layer(3, 5, 3), nn.BatchNorm2d(5))

        return measure(build, lambda network, device: (parameters(network), multiply_adds(network, (3, 4, 4), device)))

    dice = torch.get_rng_state()
    assert counts(Looks) == counts(nn.Conv2d)
    assert torch.equal(torch.get_rng_state(), dice)
    with pytest.raises(RuntimeError, match="to have 3 channels"):
        measure(lambda: nn.Conv2d(3, 5, 3), lambda network, device: multiply_adds(network, (1, 4, 4), device))
