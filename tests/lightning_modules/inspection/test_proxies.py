"""Proxies are what their equations say, of every kind of network and data, and change no training."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablations.analysis.results import PROXIES as COLUMNS
from ablations.records.record import Record
from lightning_modules.inspection.proxies import PROXIES, grad_norm, jacob_cov, measure, naswot, snip, synflow
from lightning_modules.networks.norms import Derf
from lightning_modules.tasks.classification import Classification
from lightning_modules.training.weights import read_weights
from sweeps import one_run
from sweeps.compose.compose import run_of
from sweeps.training import build
from tests.lightning_modules.trained import composed, perceptron, tiny_data

IMAGES = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(8)
BATCH = IMAGES, TARGETS, F.cross_entropy


def two_layers(*between: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *between, nn.Linear(16, 10))


def scores(*words: str) -> dict[str, float]:
    network, data, recipe = build(composed(*words))
    return measure(network, data, recipe.learnt, seed=0)


def test_reports_have_a_column_for_each() -> None:
    assert tuple(PROXIES) == COLUMNS


def test_synflow_of_two_linear_layers_is_twice_the_sum_over_all_paths() -> None:
    network = two_layers()
    for layer in (network[1], network[2]):
        nn.init.zeros_(layer.bias)
    first, second = (layer.weight.detach().double().abs() for layer in (network[1], network[2]))
    assert synflow(network, *BATCH) == pytest.approx(2 * (second @ first).sum().item())


def test_synflow_sees_no_data_no_sign_no_norm_and_no_unit_that_lets_positive_numbers_pass() -> None:
    bare = synflow(two_layers(), *BATCH)
    assert bare > 0
    assert synflow(two_layers(), 3 - IMAGES, 7 - TARGETS, F.cross_entropy) == bare
    for between in ([nn.ReLU()], [nn.BatchNorm1d(16)], [nn.LayerNorm(16), nn.Tanh()], [Derf(16)], [nn.Dropout(0.5)]):
        assert synflow(two_layers(*between), *BATCH) == pytest.approx(bare)
    turned = two_layers()
    with torch.no_grad():
        turned[1].weight.neg_()
    assert synflow(turned, *BATCH) == bare


def test_synflow_of_many_layers_is_a_number() -> None:
    network = nn.Sequential(nn.Flatten(), *(nn.Linear(64, 64) for _ in range(120)))
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(30)
    assert 1e200 < synflow(network, *BATCH) < math.inf


@pytest.mark.parametrize("proxy", [grad_norm, snip])
def test_what_is_of_gradients_scales_with_the_loss(proxy: Callable[..., float]) -> None:
    network = two_layers(nn.ReLU())
    once, thrice = (proxy(network, IMAGES, TARGETS, lambda *pair, k=k: k * F.cross_entropy(*pair)) for k in (1, 3))
    assert thrice == pytest.approx(3 * once, rel=1e-5)
    assert once > 0


def test_they_are_of_the_gradients_of_the_weights() -> None:
    network = two_layers(nn.Tanh())
    layers = [network[1].weight, network[3].weight]
    gradients = torch.autograd.grad(F.cross_entropy(network(IMAGES), TARGETS), layers)
    assert grad_norm(network, *BATCH) == pytest.approx(sum(one.norm().item() for one in gradients))
    pairs = zip(layers, gradients, strict=True)
    assert snip(network, *BATCH) == pytest.approx(sum((w * g).abs().sum().item() for w, g in pairs))


def test_naswot_counts_the_units_that_two_images_share() -> None:
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    images = torch.tensor([[1.0, 1, -1, 2], [1, -1, -1, 2], [-1, 1, 1, -2]]).reshape(3, 1, 2, 2)
    kernel = torch.tensor([[4.0, 3, 1], [3, 4, 0], [1, 0, 4]])
    assert naswot(network, images, TARGETS[:3], F.cross_entropy) == pytest.approx(kernel.det().log().item())


def test_naswot_of_two_images_that_are_alike_is_degenerate() -> None:
    images = torch.cat([IMAGES, IMAGES[:1]])
    assert naswot(two_layers(nn.ReLU()), images, torch.arange(9), F.cross_entropy) < -30
    assert math.isfinite(naswot(two_layers(nn.ReLU()), *BATCH))
    assert naswot(two_layers(nn.ReLU()), IMAGES[:1].expand(8, 1, 8, 8), TARGETS, F.cross_entropy) == -math.inf


def test_jacob_cov_of_a_linear_network_is_that_of_a_single_direction() -> None:
    def term(eigenvalue: float) -> float:
        return math.log(eigenvalue + 1e-5) + 1 / (eigenvalue + 1e-5)

    assert jacob_cov(two_layers(), *BATCH) == pytest.approx(-term(8) - 7 * term(0), rel=1e-6)


def test_jacob_cov_is_highest_where_the_jacobians_have_nothing_in_common_and_knows_no_scale() -> None:
    class Own(nn.Module):
        """Σ x³ / 3 of images of which each has a pixel of its own: the Jacobian is x²."""

        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * x.flatten(1) ** 3

    apart = torch.zeros(8, 1, 8, 8)
    apart.flatten(1)[range(8), range(8)] = 1.0
    found, larger = (jacob_cov(Own(scale), apart, *BATCH[1:]) for scale in (1.0, 5.0))
    assert found == pytest.approx(larger)
    assert found == pytest.approx(-8, abs=0.1)
    assert jacob_cov(Own(1.0), IMAGES, *BATCH[1:]) < found
    assert math.isnan(jacob_cov(Own(0.0), IMAGES, *BATCH[1:]))


KINDS = {
    "images": (),
    "highway": ("block=highway", "norm=group"),
    "stochastic depth": ("block=stochastic_depth", "norm=none"),
    "tanh": ("block=plain", "activation=tanh", "norm=layer"),
    "series": ("data=digits_rows", "network=dense"),
    "vectors": ("data=digits_pixels", "network=dense"),
    "several labels": ("data=digits_traits",),
    "numbers": ("data=digits_centre",),
    "recomputed": ("network.checkpoint_from=8",),
}


@pytest.mark.parametrize("words", KINDS.values(), ids=KINDS)
def test_every_kind_of_network_and_data_has_them_all(words: tuple[str, ...]) -> None:
    found = scores(*words)
    assert list(found) == [*PROXIES]
    assert all(map(math.isfinite, found.values()))
    assert found["proxy_synflow"] > 0
    assert scores(*words) == found


def test_another_seed_has_other_scores() -> None:
    one, other = scores("seed=0"), scores("seed=1")
    assert all(one[name] != other[name] for name in PROXIES)


class Tokens:
    """Twenty sequences of five tokens, as data has them."""

    train_targets = np.arange(20) % 3

    def train_dataloader(self) -> list[tuple[Tensor, Tensor]]:
        return [(torch.arange(100).reshape(20, 5) % 7, torch.from_numpy(self.train_targets))]

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return batch


def test_tokens_have_all_but_a_jacobian(caplog: pytest.LogCaptureFixture) -> None:
    network = nn.Sequential(nn.Embedding(7, 8), nn.Flatten(), nn.Linear(40, 16), nn.ReLU(), nn.Linear(16, 3))
    found = measure(network, Tokens(), Classification(), seed=0)
    assert [name for name in PROXIES if math.isnan(found[name])] == ["proxy_jacob_cov"]
    assert caplog.messages == ["proxy_jacob_cov is left out: tokens have no derivative"]


def test_what_a_network_cannot_give_is_left_out_in_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    class Single(nn.Linear):
        """Refuses double precision, and has its activation inside."""

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(F.linear(x.flatten(1), self.weight.float(), self.bias))

    found = measure(Single(64, 10), tiny_data(), Classification(), seed=0)
    assert [name for name in PROXIES if math.isnan(found[name])] == ["proxy_synflow", "proxy_naswot"]
    synflow_s, naswot_s = caplog.messages
    assert synflow_s.startswith("proxy_synflow is left out: ")
    assert naswot_s == "proxy_naswot is left out: this network has no activation that is a module of torch.nn"


def test_neither_the_network_nor_random_numbers_are_disturbed() -> None:
    network = perceptron()
    before = deepcopy(network.state_dict()), network.training
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    measure(network, tiny_data(), Classification(), seed=3)
    assert all(map(torch.equal, before[0].values(), network.state_dict().values()))
    assert network.training == before[1]
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(states[0], torch.get_rng_state())
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states[1:]


def trained(folder: Path, *words: str) -> Record:
    config = composed("block=stochastic_depth", "recipe.epochs=1", *words)
    return one_run.train(config, run_of(config, config.hydra), folder, alone=False)


def test_a_run_is_the_same_with_them_and_without(tmp_path: Path) -> None:
    with_them, without = trained(tmp_path / "a", "proxies=true"), trained(tmp_path / "b")
    assert with_them["identity"] == without["identity"]
    assert {name: value for name, value in with_them["metrics"].items() if name not in PROXIES} == without["metrics"]
    assert with_them["metrics"].keys() - without["metrics"].keys() == {*PROXIES}
    one, other = (read_weights(tmp_path / folder / "weights.safetensors")[0] for folder in "ab")
    assert all(map(torch.equal, one.values(), other.values()))
    assert json.loads((tmp_path / "a" / "record.json").read_text())["metrics"] == with_them["metrics"]
