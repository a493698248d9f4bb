"""Build the network of a run; of its data only the sizes are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from sweeps.cli.errors import as_value_error
from sweeps.compose.own_network import fitted
from sweeps.data import shape_of
from sweeps.instantiate import instantiate
from sweeps.training import build_network

if TYPE_CHECKING:
    from torch import nn


def network_of(config: str, words: Sequence[str]) -> nn.Module:
    """Build the network of a configuration, written as YAML; torch's random numbers stay as they are.

    Args:
        words: that made the configuration.

    Raises:
        ValueError: it cannot be built.
    """
    import torch

    composed: Any = OmegaConf.create(config)
    node = fitted(composed, words)
    with as_value_error(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        recipe = instantiate(node.recipe)
        return build_network(node, recipe, shape_of(node, recipe.augment))
