"""Test on copies whether networks of one shape can be computed as one program, and whether that is faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_modules.vmapped.stack import Batch, Loss, Stack

IMAGES = 8  # of a batch, to compare with
NEAR = 1e-9  # relative, in float64
FASTER_BY = 1.1  # times as fast at least
ROUNDS = 5


def why_not_fusible(networks: Sequence[nn.Module], batches: Sequence[Batch], loss: Loss) -> str | None:
    """Return why these networks must be trained one by one; None where a common step equals the step of each alone.

    Losses, gradients and statistics of two networks are compared in float64. A network that draws random numbers would
    draw different ones in a common step, and one that counts its steps would count wrongly: both are refused.
    """
    alone = [deepcopy(network).double() for network in networks[:2]]
    fused = [deepcopy(network) for network in alone]
    small = [(_precise(images[:IMAGES]), _precise(labels[:IMAGES])) for images, labels in batches[:2]]
    before = _random_states(small[0][0]), [_plain_values(network) for network in alone]
    expected = [_step(network, batch, loss) for network, batch in zip(alone, small, strict=True)]
    if (_random_states(small[0][0]), [_plain_values(network) for network in alone]) != before:
        return "it draws random numbers or counts its steps"
    done = Stack(fused).step(small, loss)
    for one, other, mine, (value, _, gradients) in zip(alone, fused, expected, done, strict=True):
        pairs = [(mine, value), *zip((p.grad for p in one.parameters()), gradients, strict=True)]
        pairs += zip(one.buffers(), other.buffers(), strict=True)
        if not all(_near(a, b) for a, b in pairs):
            return "several networks at once give other numbers than each alone"
    return None


def speedup(
    networks: Sequence[nn.Module],
    batches: Sequence[Batch],
    loss: Loss,
    context: Callable[[], AbstractContextManager[Any]],
) -> float:
    """Measure how many times as fast a common step is as the steps one after the other."""
    copies = [deepcopy(network) for network in networks]
    stack = Stack([deepcopy(network) for network in networks])

    def one_by_one() -> None:
        for network, batch in zip(copies, batches, strict=True):
            network.zero_grad()
            with context():
                _step(network, batch, loss)

    def together() -> None:
        with context():
            stack.step(batches, loss)

    seconds: tuple[list[float], list[float]] = ([], [])
    for round_ in range(1 + ROUNDS):
        pairs = list(zip(seconds, (one_by_one, together), strict=True))
        for taken, run in pairs[:: -1 if round_ % 2 else 1]:  # so that other work on the device slows both alike
            begun = time.perf_counter()
            run()
            if batches[0][0].is_cuda:
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - begun)
    slow, fast = (min(taken[1:]) for taken in seconds)
    return slow / fast


def _step(network: nn.Module, batch: Batch, loss: Loss) -> Tensor:
    value = loss(network(batch[0]), batch[1])
    value.backward()
    return value.detach()


def _random_states(images: Tensor) -> list[Any]:
    """The state of every random generator, to see whether a number was drawn."""
    states = [torch.get_rng_state()] + ([torch.cuda.get_rng_state(images.device)] if images.is_cuda else [])
    return [*(state.tolist() for state in states), repr(np.random.get_state()), random.getstate()]


def _plain_values(network: nn.Module) -> list[dict[str, Any]]:
    """The plain values that layers keep beside their tensors, such as a count of steps."""
    plain = (int, float, str, bool, type(None))
    return [{k: v for k, v in vars(module).items() if isinstance(v, plain)} for module in network.modules()]


def _precise(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _near(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    scale = one.abs().max().item() if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0.0, atol=NEAR * max(1.0, scale), equal_nan=True)
