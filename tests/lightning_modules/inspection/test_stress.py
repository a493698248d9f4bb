"""What is measured of a network under stress is what can be computed by hand, and nothing is changed by it."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from math import isnan
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablations.analysis.results import PROXIES, STRESS
from ablations.records.record import Record
from lightning_modules.inspection.proxies import first_batch
from lightning_modules.inspection.stress import RATES, after, before, gain, largest_rate, learns, memory, mixing
from lightning_modules.training.weights import read_weights
from sweeps import one_run
from sweeps.compose.compose import run_of
from sweeps.training import build
from tests.lightning_modules.trained import composed


class Times(nn.Module):
    """A block that multiplies its input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.body, self.factor = nn.Identity(), factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.body(x)


def recipe(kind: type[torch.optim.Optimizer] = torch.optim.SGD) -> SimpleNamespace:
    task = SimpleNamespace(loss=F.mse_loss)
    return SimpleNamespace(
        optimizer=partial(kind, lr=0.1), lr=0.1, learnt=task, groups=lambda network: network.parameters()
    )


def quadratic() -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """w² per step on one example of size 1: gradient descent is stable exactly below the rate 1."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    return network, [(torch.ones(1, 1), torch.zeros(1, 1))]


@pytest.mark.parametrize("factors", [(2.0, 3.0), (0.5, 0.5, 4.0)])
def test_the_gain_is_that_of_all_blocks_together(factors):
    network = nn.Sequential(nn.Linear(4, 4), *map(Times, factors), nn.Linear(4, 1))
    assert gain(network, torch.randn(8, 4)) == pytest.approx(torch.tensor(factors).prod().item(), rel=1e-5)


def test_a_signal_that_leaves_its_numbers_has_an_infinite_gain():
    assert gain(nn.Sequential(*(Times(1e20) for _ in range(4))), torch.randn(8, 4)) == float("inf")


def test_the_largest_rate_is_where_descent_on_a_parabola_stops():
    network, batches = quadratic()
    before = deepcopy(network.state_dict())
    assert largest_rate(network, batches, recipe()) == 0.5  # at 1 the weight only changes its sign
    assert learns(deepcopy(network), 0.99, batches, recipe())
    assert not learns(deepcopy(network), 1.0, batches, recipe())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("size", "target", "rate"),
    [
        pytest.param(1e6, 0.0, 0.0, id="every rate is too large"),
        pytest.param(0.1, 0.0, RATES[-1], id="none is"),
        pytest.param(0.0, 1.0, 0.0, id="nothing can be learnt"),
    ],
)
def test_at_the_ends_a_rate_is_zero_or_the_largest(size, target, rate):
    network, _ = quadratic()
    assert largest_rate(network, [(torch.full((1, 1), size), torch.full((1, 1), target))], recipe()) == rate


def test_images_are_shown_where_the_weights_are():
    data = build(composed("data.take=20")).data
    data.prepare_data()
    images, targets = first_batch(data, nn.Linear(1, 1, device="meta"))
    assert images.device.type == targets.device.type == "meta"


class Mixing(Times):
    """A block that says by which matrix it mixes two streams."""

    def __init__(self, *rows: tuple[float, float]) -> None:
        super().__init__(1.0)
        self.rows = rows

    def mixing(self, streams: Tensor) -> Tensor:
        return torch.tensor(self.rows).expand(len(streams), -1, -1)


def test_the_gain_of_mixing_is_that_of_the_product():
    first, second = Mixing((1, 1), (0, 1)), Mixing((2, 0), (0, 1))  # second · first = (2, 2), (0, 1)
    network = nn.Sequential(first, second)
    assert mixing(network, torch.randn(8, 4)) == 4.0  # the first row; the columns sum to 2 and 3
    assert mixing(nn.Sequential(Mixing((0.5, 0.5), (0.5, 0.5)), Mixing((0, 1), (1, 0))), torch.randn(8, 4)) == 1.0
    assert mixing(nn.Sequential(Times(2.0)), torch.randn(8, 4)) is None


def test_the_memory_is_what_the_backward_pass_needs():
    x, y = torch.randn(10, 100), torch.randn(10, 7)
    network = nn.Sequential(nn.Linear(100, 50), nn.Sigmoid(), nn.Linear(50, 7))
    kept = memory(network, x, y, F.mse_loss)
    assert kept == pytest.approx(4 * (100 + 50 + 7 + 7) / 1000)  # input, sigmoid's output, and both sides of the loss


def trained(folder: Path, *words: str) -> Record:
    config = composed("block=hyper_connections", "block.per=image", "recipe.epochs=1", *words)
    return one_run.train(config, run_of(config, config.hydra), folder, alone=False)


@pytest.mark.parametrize("precision", ["32", "64-true"])
def test_a_run_is_the_same_under_stress_and_without(tmp_path, precision):
    words = f"recipe.precision={precision}", "data.take=300"
    under = trained(tmp_path / "a", "stress=true", "proxies=true", *words)
    without = trained(tmp_path / "b", *words)
    assert under["identity"] == without["identity"]
    own = {*STRESS, *PROXIES}
    assert {name: value for name, value in under["metrics"].items() if name not in own} == without["metrics"]
    assert {name for name, value in under["metrics"].items() if name in STRESS and value > 0} == {*STRESS}
    one, other = (read_weights(tmp_path / folder / "weights.safetensors")[0] for folder in "ab")
    assert all(map(torch.equal, one.values(), other.values()))


class Named(nn.Module):
    """A network that hands its block what it wants by name, where no hook sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.block, self.head = Times(2.0), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(x=x.flatten(1)))


def test_what_cannot_be_measured_is_left_out_and_the_others_are_not(caplog):
    _, data, recipe = build(composed("data.take=200"))
    data.prepare_data()
    found = before(Named(), data, recipe, seed=0)
    assert isnan(found["stress_gain"])
    assert found["stress_memory"] > 0
    assert found["stress_rate"] > 0
    left = after(Named(), data, seed=0)
    assert list(left) == ["stress_gain_trained"]
    assert isnan(left["stress_gain_trained"])
    assert "stress_gain is left out" in caplog.text
