"""Initial weights: `init(network)` fills them in place.

All but `torch_default` set every norm to scale 1 and shift 0 and every other bias to 0. Gates and the classifier have a
start of their own (see `blocks.Gate` and `layers.Readout`) and are not touched, but for the classifier by `fixup`. What
is no convolution, linear layer or norm keeps the start that its class gives it; of a matrix the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from lightning_modules.networks.layers import Readout
from lightning_modules.networks.norms import Bounded
from lightning_modules.networks.shortcuts import require_shortcut

WEIGHTED = (_ConvNd, nn.Linear)
PACKAGE = __name__.rpartition(".")[0]
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, Bounded)


def he_fan_out(network: nn.Module) -> None:
    """Normal with variance 2 / fan_out: gradients keep their size.   He et al. 2015 (PReLU), eq. 14."""
    fill(network, lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"))


def he_fan_in(network: nn.Module) -> None:
    """Normal with variance 2 / fan_in: activations keep their size.   He et al. 2015 (PReLU), eq. 10."""
    fill(network, lambda weight: nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu"))


def xavier(network: nn.Module) -> None:
    """Uniform with variance 2 / (fan_in + fan_out).   Glorot & Bengio 2010, eq. 16."""
    fill(network, nn.init.xavier_uniform_)


def orthogonal(network: nn.Module) -> None:
    """Orthogonal matrices times √2, for the half that a ReLU takes away.   Saxe et al. 2014."""
    fill(network, lambda weight: nn.init.orthogonal_(weight, gain=sqrt(2)))


def zero_residual(network: nn.Module) -> None:
    """he_fan_out, then zeros in the last layer of every body: each block starts as its shortcut.

    The last layer is the last norm (its scale), or where there is none the last convolution or linear layer. Raises
    ValueError if a block has no shortcut, since zeros would pass nothing on.   Goyal et al. 2017, Sec. 5.1.
    """
    blocks = blocks_with_shortcut(network, "zero_residual")
    he_fan_out(network)
    for block in blocks:
        zero(last_layer(block))


def fixup(network: nn.Module) -> None:
    """he_fan_out; of m layers in each of L bodies the last one 0, the others times L^(−1/(2m−2)); the classifier 0.

    Keeps a network without norm as steady as one with. (A norm undoes the scaling: with norms this is zero_residual and
    the classifier at 0.) Raises ValueError as zero_residual does.   Zhang et al. 2019, Sec. 3.2, rules 1 and 2.
    """
    blocks = blocks_with_shortcut(network, "fixup")
    he_fan_out(network)
    for block in blocks:
        layers = [m for m in body_of(block).modules() if isinstance(m, WEIGHTED)]
        for layer in layers[:-1]:
            layer.weight.data *= len(blocks) ** (-1 / (2 * len(layers) - 2))
        zero(last_layer(block))
    for module in network.modules():
        if isinstance(module, Readout):
            zero(module)


def delta_orthogonal(network: nn.Module) -> None:
    """Orthogonal matrices times max(1, √(c_out / c_in)), of a kernel at its centre, with zeros around it.

    A layer then keeps the mean square of what it gets: for activations that do too, `tat` and `dks`. A kernel without a
    centre is orthogonal as a whole.   Xiao et al. 2018; scaled as in Martens et al. 2021.
    """
    fill(network, _delta_orthogonal)


def _delta_orthogonal(weight: Tensor) -> None:
    whole = weight.dim() == 2 or any(size % 2 == 0 for size in weight.shape[2:])
    part = weight.data.flatten(1) if whole else weight.data[(..., *(size // 2 for size in weight.shape[2:]))]
    nn.init.zeros_(weight)
    drawn = nn.init.orthogonal_(torch.empty_like(part), gain=max(1, part.shape[0] / part.shape[1]) ** 0.5)
    part.copy_(drawn)


def torch_default(network: nn.Module) -> None:
    """What torch's layers do by themselves: uniform with variance 1 / (3 fan_in), biases too."""


def fill(network: nn.Module, draw: Callable[[Tensor], object]) -> None:
    """Fill the weights of all convolutions and linear layers but the classifier's; reset norms and biases."""
    unknown: set[str] = set()
    for module in network.modules():
        if isinstance(module, Readout):
            continue
        if isinstance(module, WEIGHTED):
            if not module.weight.is_meta:  # of which there is nothing to draw
                draw(module.weight)
        elif isinstance(module, NORMS) and module.weight is not None:
            nn.init.ones_(module.weight)
        else:
            if _has_matrix(module) and not type(module).__module__.startswith(f"{PACKAGE}."):
                unknown.add(type(module).__name__)
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if unknown:
        _say_left_alone(", ".join(sorted(unknown)))


def _has_matrix(module: nn.Module) -> bool:
    return any(parameter.dim() >= 2 for parameter in module.parameters(recurse=False))


@cache  # once a process
def _say_left_alone(classes: str) -> None:
    logging.getLogger(__name__).warning("init does not know %s, whose weights stay as they were made", classes)


def blocks_with_shortcut(network: nn.Module, init: str) -> list[nn.Module]:
    """The network's blocks, if the input of each gets past a body that is zero.   Raises ValueError otherwise."""
    blocks = [block for stage in network.get_submodule("stages").children() for block in stage.children()]
    if not all(hasattr(block, "shortcut") for block in blocks):
        raise ValueError(f"init={init} needs blocks with a shortcut: use init=he_fan_out, or block=residual")
    for block in blocks:
        require_shortcut(block.shortcut, f"init={init}, which starts bodies at zero,")
        if getattr(block, "closed", False):
            raise ValueError(f"init={init} zeroes bodies that their block multiplies by zero: use init=he_fan_out")
    return blocks


def body_of(block: nn.Module) -> nn.Module:
    """The innermost body of a block, without what weighs it (as squeeze-and-excitation does)."""
    while isinstance(getattr(block, "body", None), nn.Module):
        block = block.get_submodule("body")
    return block


def zero(layer: nn.Module) -> None:
    """Set to zero what multiplies and shifts a layer's output: its weight and bias, or those that it names `scales`."""
    for name in getattr(layer, "scales", ("weight", "bias")):
        if (parameter := getattr(layer, name)) is not None:
            nn.init.zeros_(parameter)


def last_layer(block: nn.Module) -> _ConvNd | nn.Linear | _NormBase | nn.GroupNorm | nn.LayerNorm | Bounded:
    """The last norm, convolution or linear layer with a weight in `block.body`, in the order they were made.

    Raises ValueError if there is none, or several.
    """
    body = body_of(block) if hasattr(block, "body") else nn.Identity()
    if getattr(body, "ends_in_sum", False):
        name = type(body).__name__.lower()
        raise ValueError(f"body={name} ends in a sum of branches, and its last layer is wanted: use body=basic")
    layers = [m for m in body.modules() if isinstance(m, WEIGHTED + NORMS) and m.weight is not None]
    if not layers:
        raise ValueError(f"{type(block).__name__} has no `body` with a layer in it to set to zero: use another init")
    return layers[-1]
