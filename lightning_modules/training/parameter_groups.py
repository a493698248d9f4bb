"""Divide a network's parameters into groups with a learning rate and a weight decay of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.networks.norms import Bounded

KINDS = ("norm", "bias")
NORMS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.GroupNorm, nn.LayerNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, *([nn.RMSNorm] if hasattr(nn, "RMSNorm") else [])),
    Bounded,
)


def parameter_groups(
    network: nn.Module, *, lr: float, no_decay: Sequence[str] = (), layer_decay: float | None = None
) -> Iterable[Any]:
    """Return what an optimiser takes: the parameters, or groups of them, the highest rate first.

    Args:
        lr: the rate of the last layers.
        no_decay: kinds of parameters without weight decay: "norm", all of a normalisation; "bias", all named so.
        layer_decay: ξ; block l of L blocks learns at lr · ξ^(L + 1 − l), what stands before the first block at
            lr · ξ^(L + 1), what follows the last at lr. Clark et al. 2020 (ELECTRA), App. A; Bao et al. 2022 (BEiT).
    """
    if not no_decay and layer_decay is None:
        return network.parameters()
    spared = _of_kinds(network, no_decay)
    levels, last = _levels(network)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        level = last if layer_decay is None else levels[parameter]
        groups.setdefault((level, parameter in spared), []).append(parameter)
    made = []
    for (level, without), parameters in sorted(groups.items(), key=lambda item: (-item[0][0], item[0][1])):
        rate = {} if layer_decay is None else {"lr": lr * layer_decay ** (last - level)}
        made.append({"params": parameters, **rate, **({"weight_decay": 0.0} if without else {})})
    return made


def _of_kinds(network: nn.Module, kinds: Sequence[str]) -> set[nn.Parameter]:
    """The parameters of some of `KINDS`."""
    found: set[nn.Parameter] = set()
    for module in network.modules():
        if "norm" in kinds and (isinstance(module, NORMS) or type(module).__name__.endswith("Norm")):
            found |= set(module.parameters(recurse=False))
    if "bias" in kinds:
        found |= {parameter for name, parameter in network.named_parameters() if name.rpartition(".")[2] == "bias"}
    return found


def _levels(network: nn.Module) -> tuple[dict[nn.Parameter, int], int]:
    """The level of each parameter, and that of the last: 0 before the blocks, l in block l of L, L + 1 after them."""
    blocks = find_blocks(network)
    inside = {parameter: level for level, block in enumerate(blocks, start=1) for parameter in block.parameters()}
    levels: dict[nn.Parameter, int] = {}
    level, last = 0, len(blocks) + 1
    for parameter in network.parameters():
        if parameter in inside:
            level = levels[parameter] = inside[parameter]
        else:
            levels[parameter] = last if level == len(blocks) else level
    return levels, last
