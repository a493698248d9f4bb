"""Put a network under stress: how its signals grow through the blocks, the highest rate it bears, what it keeps.

`stress=true` measures it once before a training and once after it, and changes neither the network nor its random
numbers. What each number means is on the page docs/stress.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy, deepcopy
from functools import reduce
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.inspection.proxies import attempted, first_batch, seeded
from lightning_modules.networks.block_finder import find_blocks

RATES = tuple(2.0**k for k in range(-10, 5))
STEPS, BATCHES, IMAGES = 20, 4, 64
LAST, FALL = 5, 0.1  # steps at the end, by how much of the first loss their mean must be below it


def before(network: nn.Module, data: Any, recipe: Any, *, seed: int) -> dict[str, float]:
    """Measure a network with its initial weights: `stress_gain`, `stress_rate` and `stress_memory`.

    Args:
        data: as `ImageData`; its first batches are taken.
        recipe: whose task and optimizer are taken.
    """
    images, targets = first_batch(data, network)
    recipe.learnt.begin(lambda: data.train_targets)
    with seeded(seed), torch.enable_grad():
        return attempted(
            {
                "stress_memory": lambda: memory(network, images, targets, recipe.learnt.loss),
                "stress_rate": lambda: largest_rate(network, list(islice(_batches(data), BATCHES)), recipe),
                "stress_gain": lambda: gain(network, images),
            }
        )


def after(network: nn.Module, data: Any, *, seed: int) -> dict[str, float]:
    """Measure a trained network: `stress_gain_trained`, and `stress_mixing` where its blocks mix streams."""
    images, _ = first_batch(data, network)
    with seeded(seed):
        gains = {"stress_gain_trained": lambda: gain(network, images)}
        return attempted(gains | {"stress_mixing": lambda: mixing(network, images)})


def gain(network: nn.Module, images: Tensor) -> float:
    """The root mean square of what leaves the last block, over that of what enters the first one.

    Of a block that passes several streams, over all of them. In training mode, so that batch norms norm these images.
    NaN where a network has no blocks; infinite where the signal leaves the range of its numbers.
    """
    network = deepcopy(network).train()
    blocks = find_blocks(network)
    if not blocks:
        return math.nan
    seen: dict[str, Tensor] = {}
    first, last = blocks[0].modules[0], blocks[-1].modules[-1]
    first.register_forward_pre_hook(lambda _, inputs: seen.setdefault("in", inputs[0].detach()))
    last.register_forward_hook(lambda _, inputs, output: seen.update(out=output.detach()))
    with torch.no_grad():
        network(images)
    found = (seen["out"].double().square().mean() / seen["in"].double().square().mean()).sqrt().item()
    return found if math.isfinite(found) else math.inf


def mixing(network: nn.Module, images: Tensor) -> float | None:
    """The largest absolute sum of a row or column of the product of all blocks' mixing matrices, a mean over images.

    By how much the mixing alone can make a signal larger on its way forward (rows), or a gradient backward (columns):
    2512.24880, Sec. 3.1. Blocks say theirs, `mixing(streams)` (B, n, n); None where they have none.
    """
    network, found = deepcopy(network).train(), list[Tensor]()

    def hook(block: Any, inputs: Any) -> None:
        found.append(block.mixing(inputs[0]).double())

    for module in network.modules():
        if hasattr(module, "mixing"):
            module.register_forward_pre_hook(hook)
    with torch.no_grad():
        network(images)
    if not found:
        return None
    product = reduce(lambda before, matrix: matrix @ before, found)
    sums = [product.sum(dim).abs().amax(1).mean().item() for dim in (1, 2)]
    return max(sums)


def memory(network: nn.Module, images: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The kilobytes that an example's forward pass keeps for the backward pass, weights not counted.

    Counted by what autograd saves, each storage once, and so the same on every device.
    """
    network = deepcopy(network).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss(network(images), targets)
    size = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    return size / len(images) / 1000


def largest_rate(network: nn.Module, batches: list[tuple[Tensor, Tensor]], recipe: Any) -> float:
    """The largest of `RATES` at which the network learns in STEPS steps of the recipe's optimizer; 0 if there is none.

    The rate is constant from the first step on, without warm-up and clipping.
    """
    return next((rate for rate in reversed(RATES) if learns(deepcopy(network), rate, batches, recipe)), 0.0)


def learns(network: nn.Module, rate: float, batches: list[tuple[Tensor, Tensor]], recipe: Any) -> bool:
    """Whether the last losses of a short training are finite, and a tenth below the first one.

    A loss that only did not rise would do for a network through which no signal passes: it has nothing to diverge by.
    """
    optimizer = recipe.optimizer(recipe.groups(network))
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] / recipe.lr * rate
    losses: list[float] = []
    for images, targets in islice(cycle(batches), STEPS):
        optimizer.zero_grad()
        loss = recipe.learnt.loss(network.train()(images), targets)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            return False
        loss.backward()
        optimizer.step()
    return sum(losses[-LAST:]) / LAST <= (1 - FALL) * losses[0]


def _batches(data: Any) -> Any:
    loader = data.train_dataloader()
    shown = copy(data)  # as in `first_batch`
    for batch in loader:
        images, targets = shown.on_after_batch_transfer(batch)
        yield images[:IMAGES].contiguous(), targets[:IMAGES]
