"""Activations whose shape is chosen for the depth of a network, so that it needs neither norm nor shortcut.

A layer of many units takes two inputs of correlation c to outputs of correlation C(c), the local C map, and an input of
mean square q to Q(q). The maps of a plain network of L activations are those of its layers L times over; ReLU's takes
every c to 1. Q and C are of weights with independent numbers or `init=delta_orthogonal`, biases of 0 and q = 1.
Martens et al. 2021 (DKS, arXiv 2110.01765); Zhang et al. 2022 (TAT, arXiv 2203.08120).

`depth` is that of the network, in which each weight layer but the last is taken to have an activation after it;
`network=dense` has one more. Martens et al. also norm each pixel of the input (Per-Location Normalization); not here.
"""

from __future__ import annotations

from functools import cache
from math import acos, pi, sqrt
from typing import NamedTuple

import torch
from scipy.optimize import root, root_scalar
from scipy.special import roots_hermitenorm
from torch import Tensor, nn

UNITS = {"softplus": nn.Softplus, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "silu": nn.SiLU, "gelu": nn.GELU}


class TAT(nn.LeakyReLU):
    """√(2 / (1 + a²)) · LeakyReLU(x), with the negative slope a for which C_f(0) = η.   Zhang et al. 2022.

    f is the whole network: inputs that have nothing in common end with a correlation of η. Where a ReLU's is less, at
    small depths, a = 0.
    """

    def __init__(self, *, depth: int, eta: float = 0.9) -> None:
        super().__init__(negative_slope(activations(depth), eta))
        self.scale = sqrt(2 / (1 + self.negative_slope**2))

    def forward(self, input: Tensor) -> Tensor:
        return self.scale * super().forward(input)


class DKS(nn.Module):
    """γ · (φ(α x + β) + δ), with Q(1) = Q'(1) = 1, C(0) = 0 and C'_f(1) = ζ.   Martens et al. 2021.

    φ is `of`: softplus, tanh, sigmoid, silu or gelu.
    """

    def __init__(self, *, depth: int, zeta: float = 1.5, of: str = "softplus") -> None:
        super().__init__()
        if of not in UNITS:
            raise ValueError(f"activation.of={of} is none of {', '.join(UNITS)}")
        if not zeta > 1:
            raise ValueError(f"activation.zeta={zeta} must be > 1, where a network is not linear: 1.5 is the published")
        self.unit = UNITS[of]()
        self.shape = shape(of, zeta ** (1 / activations(depth)))

    def forward(self, x: Tensor) -> Tensor:
        s = self.shape
        return s.output_scale * (self.unit(s.input_scale * x + s.input_shift) + s.output_shift)


def activations(depth: int) -> int:
    """How many activations a network of so many weight layers has, one at least."""
    return max(1, depth - 1)


def leaky_c_map(c: float, slope: float) -> float:
    """C(c) of a Leaky ReLU.   Zhang et al. 2022, eq. 9."""
    return c + (1 - slope) ** 2 / (pi * (1 + slope**2)) * (sqrt(max(0.0, 1 - c * c)) - c * acos(min(1.0, c)))


def network_c_map(c: float, slope: float, count: int) -> float:
    """C_f(c) of a plain network with `count` Leaky ReLUs."""
    for _ in range(count):
        c = leaky_c_map(c, slope)
    return c


@cache
def negative_slope(count: int, eta: float) -> float:
    """The slope for which `count` Leaky ReLUs have C_f(0) = η; 0 where so few ReLUs stay below it."""
    if not 0 < eta < 1:
        raise ValueError(f"activation.eta={eta} must be > 0 and < 1; 0.9 is the published")
    if network_c_map(0, 0, count) <= eta:
        return 0.0
    return float(root_scalar(lambda slope: network_c_map(0, slope, count) - eta, bracket=(0, 1), xtol=1e-14).root)


class Shape(NamedTuple):
    """α, β, γ and δ of `DKS`."""

    input_scale: float
    input_shift: float
    output_scale: float
    output_shift: float


@cache
def shape(of: str, slope: float) -> Shape:
    """Solve Q'(1) = 1 and C'(1) = `slope` for α and β; γ and δ follow from Q(1) = 1 and C(0) = 0.

    The integrals are sums over few nodes, too few where α is large: a fine grid says whether a solution is one.

    Raises:
        ValueError: the solver found none, or what it found is none.
    """
    nodes, weights = roots_hermitenorm(200)
    x, p = (torch.tensor(array, dtype=torch.float64, device="cpu") for array in (nodes, weights / weights.sum()))
    grid = torch.linspace(-12, 12, 40_001, dtype=torch.float64, device="cpu")

    def maps(scale: float, shift: float, x: Tensor = x, p: Tensor = p) -> tuple[Shape, float, float]:
        with torch.enable_grad():
            inside = (scale * x + shift).requires_grad_()
            phi = UNITS[of]()(inside)
            (slopes,) = torch.autograd.grad(phi.sum(), inside)
        phi = phi.detach() - (p * phi.detach()).sum()
        gain = (p * phi * phi).sum().rsqrt().item()
        mean = (p * UNITS[of]()(inside.detach())).sum().item()
        q_slope = (gain * gain * scale * (p * phi * slopes * x).sum()).item()
        return Shape(scale, shift, gain, -mean), q_slope, ((gain * scale) ** 2 * (p * slopes * slopes).sum()).item()

    def misses(scale: float, shift: float, *rule: Tensor) -> list[float]:
        return [value - wanted for value, wanted in zip(maps(scale, shift, *rule)[1:], (1, slope), strict=True)]

    for start in ((1.0, 0.0), (0.1, 0.0), (1.0, 1.0), (0.1, 1.0), (1.0, -1.0), (0.1, -1.0)):
        found = root(lambda at: misses(*at), start, tol=1e-12)
        if found.success:
            scale, shift = map(float, found.x)
            if all(abs(miss) < 1e-4 for miss in misses(scale, shift, grid, (-grid * grid / 2).softmax(0))):
                return maps(scale, shift)[0]
            break  # from other starts come solutions of silu and gelu that fall where these rise
    says = f"found no input scale and shift with which activation.of={of} has a slope of {slope:.4g}"
    raise ValueError(f"{says}: use activation=tat")
