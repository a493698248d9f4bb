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

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from lightning_modules.networks.layers import Readout
from lightning_modules.networks.shortcuts import require_shortcut

WEIGHTED = (_ConvNd, nn.Linear)
PACKAGE = __name__.rpartition(".")[0]
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


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
    """Set a layer's weight and bias to zero."""
    for parameter in layer.parameters(recurse=False):
        nn.init.zeros_(parameter)


def last_layer(block: nn.Module) -> _ConvNd | nn.Linear | _NormBase | nn.GroupNorm | nn.LayerNorm:
    """The last norm, convolution or linear layer with a weight in `block.body`, in the order they were made.

    Raises ValueError if there is none.
    """
    body = body_of(block) if hasattr(block, "body") else nn.Identity()
    layers = [m for m in body.modules() if isinstance(m, WEIGHTED + NORMS) and m.weight is not None]
    if not layers:
        raise ValueError(f"{type(block).__name__} has no `body` with a layer in it to set to zero: use another init")
    return layers[-1]
