"""Start a network from the weights of another that was trained."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lightning_modules.networks.inits import he_fan_out
from lightning_modules.networks.layers import Readout


def trained(network: nn.Module, *, run: str | None = None, weights: str | None = None) -> None:
    """Start as he_fan_out does; whoever builds the network then calls `start_from` with the weights of `run`.

    Args:
        run: the folder of a finished run.
        weights: the digest of its weights, which stands for the folder in a run's identity.
    """
    he_fan_out(network)


def start_from(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copy weights into a network of the same architecture; return the names of those that stay as they are.

    Those are the classifier's, where the number of classes is another one.

    Raises:
        ValueError: the architectures differ; names the first weight that does not fit.
    """
    own = network.state_dict()
    for name in (*own, *weights):
        if name not in weights or name not in own:
            where = "trained" if name in own else "new"
            raise ValueError(f"the trained network is another one: {name} is not in the {where} one")
    other = [name for name, value in own.items() if value.shape != weights[name].shape]
    kept = [name for name in other if is_classifier(network.get_submodule(name.rpartition(".")[0]))]
    for name in other:
        if name not in kept:
            shapes = f"{tuple(weights[name].shape)} there and {tuple(own[name].shape)} here"
            raise ValueError(f"the trained network is another one: {name} is {shapes}")
    network.load_state_dict({name: value for name, value in weights.items() if name not in kept}, strict=False)
    return kept


def is_classifier(module: nn.Module) -> bool:
    """Tell whether a layer is the last one, which gives a number for each class."""
    return isinstance(module, Readout)
