"""What is measured inside a network in a step is what mathematics says it is."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.inspection.probe import Probe
from lightning_modules.networks import blocks
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A

BLOCK = {"body": partial(Basic, norm=Batch, activation=nn.ReLU), "activation": nn.ReLU}


def measured(network: nn.Module, x: Tensor, *, lr: float = 0.1) -> dict[str, float]:
    """One step of gradient descent on the sum of the outputs, and what a probe saw of it."""
    probe, optimizer = Probe(network), torch.optim.SGD(network.parameters(), lr)
    probe.watch()
    loss = network(x).sum()
    probe.unwatch()
    loss.backward()
    probe.before_step()
    optimizer.step()
    probe.after_step()
    return probe.values()


def chain(*weights: float) -> nn.Sequential:
    """y = wₙ ⋯ w₁ x, a layer for each weight."""
    layers = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in weights))
    for layer, weight in zip(layers, weights, strict=True):
        nn.init.constant_(layer.weight, weight)
    return layers


@pytest.mark.parametrize("weights", [(0.5, 2.0, 4.0), (0.1,) * 12 + (0.2,), (1e-3,) * 12 + (1.0,), (3.0, -1.0)])
def test_a_chain_of_numbers_has_the_gradients_that_the_chain_rule_gives(weights: tuple[float, ...]) -> None:
    x, lr = torch.tensor([[1.0], [4.0]]), 0.01
    seen, product = measured(chain(*weights), x, lr=lr), 1.0
    assert seen["gradient_ratio"] == pytest.approx(abs(weights[-1] / weights[0]), rel=1e-4)
    for i, weight in enumerate(weights, 1):
        product *= weight
        gradient = abs(torch.tensor(weights, dtype=torch.float64).prod().item() / weight * 5)
        assert seen[f"gradient_norm.block_{i:02d}"] == pytest.approx(gradient, rel=1e-4), "its square is no float"
        assert seen[f"weight_norm.block_{i:02d}"] == pytest.approx(abs(weight))
        assert seen[f"response.block_{i:02d}"] == pytest.approx(1.5 * abs(product), rel=1e-4)
        moved = pytest.approx(lr * gradient / abs(weight), rel=1e-3, abs=1e-7)
        assert seen[f"update_ratio.block_{i:02d}"] == moved
    norms = torch.tensor([seen[f"gradient_norm.block_{i:02d}"] for i in range(1, len(weights) + 1)])
    assert seen["gradient_norm"] == pytest.approx(norms.norm().item())


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("bias", [0.0, -1.0, -2.0, -4.0])
def test_a_fresh_gate_is_as_open_as_its_bias_says(bias: float, coupled: bool) -> None:
    torch.manual_seed(0)
    block = blocks.Highway(16, 16, 1, shortcut=A, gate_bias=bias, coupled=coupled, **BLOCK)
    x, open_ = torch.randn(64, 16, 4, 4), torch.tensor(bias).sigmoid().item()
    seen = measured(nn.Sequential(block), x, lr=0.0)
    assert seen["gate_openness.block_01"] == seen["gate_openness"] == pytest.approx(open_, abs=0.03)
    nn.init.zeros_(block.transform.weight)
    assert measured(nn.Sequential(block), x)["gate_openness"] == pytest.approx(open_, abs=1e-6)


def test_a_zeroed_body_responds_with_nothing_and_the_block_still_passes_its_input() -> None:
    torch.manual_seed(0)
    zeroed, other = (blocks.Residual(4, 4, 1, shortcut=A, **BLOCK) for _ in range(2))
    nn.init.zeros_(zeroed.body[-1].norm.weight)
    seen = measured(nn.Sequential(zeroed, other), torch.randn(8, 4, 4, 4))
    assert seen["response.block_01"] == 0
    assert seen["response.block_02"] == pytest.approx(1, abs=0.05), "batch norm"
    assert seen["response"] == pytest.approx(seen["response.block_02"] / 2)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize(("bias", "dead"), [((-1e3,) * 4, 1.0), ((1e3,) * 4, 0.0), ((1e3, -1e3, -1e3, -1e3), 0.75)])
def test_a_unit_is_dead_that_is_zero_for_the_whole_batch(bias: tuple[float, ...], dead: float, images: bool) -> None:
    layer = nn.Conv2d(2, 4, 3, padding=1) if images else nn.Linear(2, 4)
    layer.bias.data = torch.tensor(bias)
    seen = measured(nn.Sequential(layer, nn.ReLU()), torch.randn(8, 2, 5, 5) if images else torch.randn(8, 2))
    assert seen["dead_units.block_01"] == seen["dead_units"] == dead


def test_a_unit_that_speaks_once_lives() -> None:
    layer = nn.Linear(1, 1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, -9.0)
    x = torch.zeros(100, 1)
    assert measured(nn.Sequential(layer, nn.ReLU()), x, lr=0)["dead_units"] == 1
    x[73] = 10
    assert measured(nn.Sequential(layer, nn.ReLU()), x, lr=0)["dead_units"] == 0


def test_complex_weights_are_as_long_as_the_pairs_of_their_parts() -> None:
    layer = nn.Linear(1, 1, bias=False, dtype=torch.complex64)
    nn.init.constant_(layer.weight, 3 + 4j)

    class Sizes(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.to(torch.complex64)).abs()

    seen = measured(Sizes(layer), torch.tensor([[2.0], [4.0]]), lr=0.01)
    assert seen["weight_norm"] == pytest.approx(5)
    assert seen["gradient_norm"] == pytest.approx(6), "of 2 |w| + 4 |w|"
