"""Hand a network of one's own, `network._target_=mine.Net`, the arguments that its signature names, and no other.

What it names and `conf/network` has, or an axis, it gets by that name: `depth`, `width`, `classes` or `num_classes`,
`in_channels`, `in_chans` or `channels`, and so on, as `entry_points.AXES` lists them. What is typed,
`network.patch=4`, it gets as well. All else of the configuration is left out, and out of the run's identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from inspect import Parameter
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from sweeps.compose.signatures import check_names, parameters_at

TARGET = "network._target_"


def with_own_arguments(words: Sequence[str]) -> list[str]:
    """Let `network.NAME=…` add an argument, which Hydra would refuse, where a network of one's own is named."""
    if not any(word.lstrip("+").startswith(f"{TARGET}=") for word in words):
        return list(words)
    return [f"++{word}" if word.startswith("network.") and not word.startswith(TARGET) else word for word in words]


def fitted(config: DictConfig, overrides: Iterable[str]) -> DictConfig:
    """Return the config with a network node that its `_target_` can take; the same config where no target is typed.

    Args:
        overrides: the words that made the config.
    """
    axes = [override.partition("=")[0].lstrip("+~") for override in overrides]
    parameters = parameters_at(config.network._target_) if TARGET in axes else None
    if parameters is None:
        return config
    from sweeps.compose.entry_points import AXES

    names = [name for name, one in parameters.items() if one.kind != Parameter.VAR_KEYWORD]
    typed = {axis.partition(".")[2] for axis in axes if axis.startswith("network.")}
    before: Any = OmegaConf.to_container(config.network)
    node = {name: AXES["network"][name] for name in names if name in AXES["network"]}
    node |= {name: value for name, value in before.items() if name in {*names, *typed, "_partial_", "_convert_"}}
    check_names({name: node[name] for name in typed & node.keys()} | {"_target_": config.network._target_}, "network")
    made = deepcopy(config)
    with open_dict(made):
        made.network = {"_target_": config.network._target_, **node}
    return made
