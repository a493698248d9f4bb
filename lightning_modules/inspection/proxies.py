"""Score a network before it is trained: zero-cost proxies, from one batch and its initial weights.

Each is a function of (network, images, targets, loss) that returns a float, of which more is meant to be better, and
leaves the network as it is. What is summed over weights is summed over matrices and kernels; gains and biases do not
count. Except for `synflow` the network is in training mode, as in the code of Abdelfattah et al. 2021: batch norms take
the batch's statistics, and dropped blocks are drawn.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy, deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_modules.training.parameter_groups import NORMS

Loss = Callable[[Tensor, Tensor], Tensor]
Proxy = Callable[[nn.Module, Tensor, Tensor, Loss], float]

IMAGES = 64  # the batch of Abdelfattah et al.
SMALL = 1e-5  # of Mellor et al.'s first version
UNITS = (
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Hardswish, nn.Hardtanh, nn.Tanh, nn.Softsign, nn.Sigmoid, nn.Hardsigmoid),
)
SATURATING = (nn.Hardtanh, nn.Tanh, nn.Softsign)  # sigmoids are gates more often


def synflow(network: nn.Module, images: Tensor, targets: Tensor, loss: Loss) -> float:
    """Σ |θ · ∂R/∂θ|,  R = Σ f(1; |θ|): how much flows from an input of ones through the absolute weights.

    Tanaka et al. 2020 (arXiv 2006.05467), summed as in Abdelfattah et al. 2021 (arXiv 2101.08134). Of the data only the
    shape is looked at. As there, norms hand on their input, and numbers are of double precision, since R grows by a
    factor a layer; it is infinite where that is not enough. Ours: so do units that saturate (tanh), which leaves a
    network of them the score it has with ReLU; the network is in evaluation mode; tokens are the vocabulary's first.
    """
    network = deepcopy(network).double().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.abs_()
    for module in network.modules():
        if isinstance(module, (*NORMS, nn.LocalResponseNorm, *SATURATING)):
            module.register_forward_hook(lambda module, inputs, output: inputs[0])
    ones = torch.ones_like(images[:1], dtype=torch.float64) if images.is_floating_point() else images[:1] * 0
    return sum((weight * gradient).abs().sum().item() for weight, gradient in backward(network, network(ones).sum()))


def naswot(network: nn.Module, images: Tensor, targets: Tensor, loss: Loss) -> float:
    """log |det K|,  K[i, j] = units − Hamming distance of c_i and c_j, c_i the code of which units image i activates.

    Mellor et al. 2021 (arXiv 2006.04647). A unit is active where the input of its ReLU is positive. Ours: so it is for
    any other unit of torch.nn, whose regions are not linear. −∞ where two images have the same code.

    Raises:
        ValueError: there is no such unit.
    """
    network, count = deepcopy(network).train(), len(images)
    kernel = torch.zeros(count, count, dtype=torch.float64, device=images.device)

    def hook(module: nn.Module, inputs: Any) -> None:
        code = (inputs[0] > 0).reshape(count, -1).float()  # whose products are exact up to 2²⁴ units
        kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)

    units = [module for module in network.modules() if isinstance(module, UNITS)]
    if not units:
        raise ValueError("this network has no activation that is a module of torch.nn")
    for module in units:
        module.register_forward_pre_hook(hook)
    with torch.no_grad():
        network(images)
    return torch.linalg.slogdet(kernel).logabsdet.item()


def jacob_cov(network: nn.Module, images: Tensor, targets: Tensor, loss: Loss) -> float:
    """−Σ log(λ + k) + 1/(λ + k),  λ the eigenvalues of the correlations of the images' Jacobians, k = 1e-5.

    Mellor et al. 2020 (the first version of arXiv 2006.04647), with the sum of the outputs for their single one, as in
    Abdelfattah et al. 2021. Not a number where the outputs do not depend on an image.

    Raises:
        ValueError: the inputs are tokens, which have no derivative.
    """
    if not images.is_floating_point():
        raise ValueError("tokens have no derivative")
    images = images.detach().clone().requires_grad_()
    (jacobian,) = torch.autograd.grad(deepcopy(network).train()(images).sum(), images)
    rows = jacobian.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True)
    if not rows.isfinite().all():
        return math.nan
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0) + SMALL
    return -(eigenvalues.log() + 1 / eigenvalues).sum().item()


def grad_norm(network: nn.Module, images: Tensor, targets: Tensor, loss: Loss) -> float:
    """Σ ‖∂L/∂W‖ over the weights W of the layers, L the loss of the batch.   Abdelfattah et al. 2021."""
    network = deepcopy(network).train()
    return sum(gradient.norm().item() for _, gradient in backward(network, loss(network(images), targets)))


def snip(network: nn.Module, images: Tensor, targets: Tensor, loss: Loss) -> float:
    """Σ |θ · ∂L/∂θ|: what the loss of the batch would lose.   Lee et al. 2019; summed by Abdelfattah et al. 2021."""
    network = deepcopy(network).train()
    pairs = backward(network, loss(network(images), targets))
    return sum((weight * gradient).abs().sum().item() for weight, gradient in pairs)


PROXIES: dict[str, Proxy] = {
    f"proxy_{proxy.__name__}": proxy for proxy in (synflow, naswot, jacob_cov, grad_norm, snip)
}


def backward(network: nn.Module, result: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Compute the gradient of `result`; return each matrix and kernel that it reaches, with its gradient."""
    network.zero_grad()
    result.backward()
    return [(w.detach(), w.grad) for w in network.parameters() if w.dim() >= 2 and w.grad is not None]


def first_batch(data: Any, network: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the first examples that `data` trains on, 64 at most, as a network gets them, where its weights are.

    After a training on a GPU the data may be there, and the network no longer. A copy of `data` makes them: it keeps
    mean and scale in the precision it was last asked for, and a training of another one would get rounded ones.
    """
    batch = next(iter(data.train_dataloader()))
    inputs, targets = copy(data).on_after_batch_transfer(batch)
    device = next((weight.device for weight in network.parameters()), inputs.device)
    return inputs[:IMAGES].contiguous().to(device), targets[:IMAGES].to(device)


def measure(
    network: nn.Module, data: Any, task: Any, *, seed: int, names: Iterable[str] = tuple(PROXIES)
) -> dict[str, float]:
    """Compute proxies of a network with its initial weights, to six digits; each draws from `seed` alone.

    One that cannot be computed for this network is NaN, with a warning. No state is changed: neither of the
    network nor of random numbers.

    Args:
        data: as `ImageData`; its first batch is taken.
        task: whose loss is taken.
    """
    images, targets = first_batch(data, network)
    task.begin(lambda: data.train_targets)

    def score(proxy: Proxy) -> float:
        with seeded(seed), torch.enable_grad():
            return float(f"{proxy(network, images, targets, task.loss):.6g}")

    return attempted({name: partial(score, PROXIES[name]) for name in names})


def attempted(measures: Mapping[str, Callable[[], float | None]]) -> dict[str, float]:
    """What each measures, if anything; NaN, with a warning, where it raises: the network may train all the same."""
    found = {}
    for name, compute in measures.items():
        try:
            value = compute()
        except Exception as error:  # whatever the network's code raises
            logging.getLogger(__name__).warning("%s is left out: %s", name, str(error).partition("\n")[0])
            value = math.nan
        found |= {} if value is None else {name: value}
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, random numbers are those of `seed`; afterwards they go on as if nothing had been drawn."""
    restore = partial(random.setstate, random.getstate()), partial(np.random.set_state, np.random.get_state())
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            for back in restore:
                back()
