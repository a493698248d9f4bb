"""Find the first tensor of a network that is not finite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.recompute import Rewound
from lightning_modules.training.compiled import uncompiled

WHOLE = "network"


def first_nonfinite(
    network: nn.Module, gradients: Sequence[Tensor | None], forward: Callable[[], object] | None
) -> str:
    """Name it: `<layer> (gradient)`, `<layer> (weight)` or `<layer> (output)`, with the names of `named_modules`.

    A backward pass goes from the last layer to the first, so of the gradients the last layer's is the first. Where all
    weights are finite, `forward` is run once more, and leaves neither statistics nor random numbers changed.

    Args:
        gradients: of `network.parameters()` in the step that made the weights, or their norms; none, if there was none.
        forward: the forward pass whose loss is not finite; without it no output is named but the network's.
    """
    named = [(name.rpartition(".")[0] or WHOLE, parameter) for name, parameter in network.named_parameters()]
    broken = [layer for layer, weight in named if _broken(weight)]
    if broken:
        last = [layer for (layer, _), g in zip(named, gradients, strict=False) if g is not None and _broken(g)]
        return f"{last[-1]} (gradient)" if last else f"{broken[0]} (weight)"
    return f"{(_first_output(network, forward) if forward else None) or WHOLE} (output)"


def _first_output(network: nn.Module, forward: Callable[[], object]) -> str | None:
    found: list[str] = []

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            if not found and isinstance(output, Tensor) and _broken(output):
                found.append(name)

        return look

    handles = [module.register_forward_hook(hook(name or WHOLE)) for name, module in network.named_modules()]
    devices = {parameter.device.index for parameter in network.parameters() if parameter.is_cuda}
    try:
        with uncompiled(network), torch.no_grad(), torch.random.fork_rng(devices=devices), Rewound(network):
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _broken(tensor: Tensor) -> bool:
    return not bool(torch.isfinite(tensor).all())
