"""Load weights that others have published, whose names are not ours, into a network of the same architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.shortcuts import A

COUNTERS = ("num_batches_tracked",)  # of batch norms: older files lack them, and nothing is computed from them
TOLERANCE = 1e-4  # of the outputs, beside the largest of them
PADS = "shortcut A adds channels of zeros, and nothing in a state dict says where they go"


def load_into(
    network: nn.Module, state_dict: Mapping[str, Tensor], *, same_as: tuple[Tensor, Tensor] | None = None
) -> nn.Module:
    """Copy published weights into a network, in order: the first of theirs into the first of ours, and so on.

    Order and shapes cannot tell everything: two networks may have the same weights and compute differently. So give
    `same_as`, an input and what the published network makes of it in eval mode; the outputs are compared.

    Args:
        state_dict: of the published network; a prefix such as `module.` does not matter, and counters are left out.
        same_as: (x, y), with y = published_network.eval()(x).

    Returns:
        the network, in eval mode.

    Raises:
        ValueError: the counts or the shapes differ, which is said of the first weight that does not fit; or the outputs
            do; or there is no `same_as` where the weights leave open what the network computes. The network is then as
            it was before.
    """
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ours = {name: value for name, value in network.state_dict().items() if not name.endswith(COUNTERS)}
    pairs = list(matched(ours, {name: value for name, value in tensors_of(state_dict) if not name.endswith(COUNTERS)}))
    if same_as is None and (where := padding(network)):
        raise ValueError(f"{PADS} (in {where} at the {side(network, where)}): give same_as=(x, y), to compare outputs")
    with torch.no_grad():
        for mine, theirs in pairs:
            ours[mine].copy_(theirs)
    training = [module for module in network.modules() if module.training]
    network.eval()
    if same_as is not None and (wrong := difference(network, *same_as)):
        network.load_state_dict(before)
        for module in training:
            module.training = True
        hint = f"; {PADS}: try shortcut.pad=symmetric, or shortcut.subsample=average" if padding(network) else ""
        raise ValueError(f"the weights fit, and the network computes something else: {wrong}{hint}")
    return network


def tensors_of(state_dict: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Iterate over the tensors of a state dict, or of the one inside a checkpoint."""
    inner = state_dict.get("state_dict")
    for name, value in (inner if isinstance(inner, Mapping) else state_dict).items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} of the published weights is a {type(value).__name__} and no tensor")
        yield name, value


def matched(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Iterate over our names and their tensors, in order; raise ValueError at the first pair that does not fit."""
    for at, ((mine, here), (name, there)) in enumerate(zip(ours.items(), theirs.items(), strict=False), start=1):
        if here.shape != there.shape:
            shapes = f"{name} has shape {tuple(there.shape)}, and {mine} of this network {tuple(here.shape)}"
            raise ValueError(f"weight {at} does not fit: {shapes}")
        yield mine, there
    if len(ours) != len(theirs):
        longer, shorter = (ours, theirs) if len(ours) > len(theirs) else (theirs, ours)
        first = list(longer)[len(shorter)]
        whose = "this network" if longer is ours else "the published one"
        counts = f"{len(theirs)} weights do not fill the {len(ours)} of this network"
        raise ValueError(f"{counts}: {first} is {whose}'s alone")


def padding(network: nn.Module) -> str | None:
    """Return the name of the first shortcut that adds channels of zeros; None where there is none."""
    return next((name for name, part in network.named_modules() if isinstance(part, A) and any(part.zeros)), None)


def side(network: nn.Module, name: str) -> str:
    """Tell where a shortcut A puts its zeros."""
    front, _ = getattr(network.get_submodule(name), "zeros", (0, 0))
    return "front and the end" if front else "end"


def difference(network: nn.Module, x: Tensor, y: Tensor) -> str | None:
    """Compare the outputs of a network with those that are expected; return what differs, or None."""
    try:
        with torch.no_grad():
            found = network(x)
    except Exception as error:
        return f"it does not take the input ({error})"
    if found.shape != y.shape:
        return f"its output has shape {tuple(found.shape)}, not {tuple(y.shape)}"
    largest, scale = (found - y).abs().max().item(), y.abs().max().item()
    if largest <= TOLERANCE * max(scale, 1e-3):
        return None
    return f"outputs differ by {largest:.3g}, of at most {scale:.3g}"
