"""The shapes that depth asks for, seen in the activations themselves and in deep networks."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from lightning_modules.networks.kernel_shaping import DKS, TAT, UNITS, network_c_map

x = torch.linspace(-12, 12, 40_001, dtype=torch.float64)
density = torch.exp(-x * x / 2)


def mean(values: torch.Tensor) -> float:
    """Over a normal distribution, by a sum over a fine grid."""
    return ((values * density).sum() / density.sum()).item()


def maps(activation: nn.Module, c: float) -> tuple[float, float]:
    """Q(1), and Q(1) C(c), from the activation alone: the inner of the two integrals is a sum over 41 × 41 nodes."""
    u, v = x[::200, None], x[None, ::200]
    p = torch.exp(-(u * u + v * v) / 2)
    values = activation(u) * activation(c * u + (1 - c * c) ** 0.5 * v)
    return mean(activation(x) ** 2), ((values * p).sum() / p.sum()).item()


@pytest.mark.parametrize("depth", [20, 56, 110])
@pytest.mark.parametrize("eta", [0.5, 0.9])
def test_inputs_with_nothing_in_common_leave_a_network_of_tat_with_a_correlation_of_eta(depth, eta):
    activation = TAT(depth=depth, eta=eta)
    assert mean(activation(x) ** 2) == pytest.approx(1, abs=1e-6)
    assert network_c_map(0, activation.negative_slope, depth - 1) == pytest.approx(eta, abs=1e-9)
    assert network_c_map(0, 0, depth - 1) > 0.94, "ReLU's is near 1"


@pytest.mark.parametrize("c", [0, 0.3, 0.9])
@pytest.mark.parametrize("slope", [0, 0.4])
def test_the_c_map_is_that_of_the_activation(c, slope):
    activation = TAT(depth=56)
    activation.negative_slope, activation.scale = slope, (2 / (1 + slope**2)) ** 0.5
    assert maps(activation, c)[1] == pytest.approx(network_c_map(c, slope, 1), abs=1e-3)


def test_a_shallow_network_of_tat_is_one_of_relu():
    assert TAT(depth=8).negative_slope == 0


@pytest.mark.parametrize("depth", [2, 3, 8, 56])
@pytest.mark.parametrize("of", UNITS)
def test_dks_meets_its_four_conditions(of, depth):
    if depth == 2 and of in ("softplus", "silu", "gelu"):
        with pytest.raises(ValueError, match=rf"activation.of={of} has a slope of 1.5: use activation=tat$"):
            DKS(depth=depth, of=of)
        return
    activation = DKS(depth=depth, of=of)
    at = x.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(activation(at).sum(), at)
    y = activation(x)
    assert mean(y * y) == pytest.approx(1, abs=1e-6), "Q(1) = 1"
    assert mean(y * slopes * x) == pytest.approx(1, abs=1e-6), "Q'(1) = 1"
    assert mean(y) == pytest.approx(0, abs=1e-6), "C(0) = 0"
    assert mean(slopes * slopes) ** (depth - 1) == pytest.approx(1.5, abs=1e-4), "C_f'(1) = ζ"


@pytest.mark.parametrize(("activation", "least", "most"), [("relu", 0.97, 1), ("tat", 0.7, 0.95), ("dks", -0.2, 0.2)])
def test_a_deep_plain_network_without_norm_keeps_inputs_apart_as_its_activation_says(build, activation, least, most):
    chosen = ["network=dense", "block=plain", "body=dense", "norm=none", "depth=56", "data.channels=8", "data.size=8"]
    network = build(*chosen, f"activation={activation}", "init=delta_orthogonal", "network.units=256")
    ends = []
    network.head.register_forward_pre_hook(lambda module, inputs: ends.append(inputs[0].flatten(1)))
    with torch.no_grad():
        network(torch.randn(2, 8, 8, 8))
    assert least <= torch.cosine_similarity(*ends[0], dim=0).item() <= most
    if activation != "relu":
        assert 0.3 < ends[0].square().mean() < 3, "the mean square stays"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (partial(TAT, depth=20, eta=1), r"activation.eta=1 must be > 0 and < 1"),
        (partial(DKS, depth=20, zeta=1), r"activation.zeta=1 must be > 1"),
        (partial(DKS, depth=20, of="relu"), r"activation.of=relu is none of softplus, tanh, sigmoid, silu, gelu"),
    ],
)
def test_what_means_nothing_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
