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

    Those are the last layer's, where the number of outputs is another one.

    Raises:
        ValueError: the architectures differ; names the first weight that does not fit.
    """
    own = network.state_dict()
    for name in (*own, *weights):
        if name not in weights or name not in own:
            where = "trained" if name in own else "new"
            raise ValueError(f"the trained network is another one: {name} is not in the {where} one")
    other = [name for name, value in own.items() if value.shape != weights[name].shape]
    last = last_layer(network)
    kept = [name for name in other if network.get_submodule(name.rpartition(".")[0]) is last]
    for name in other:
        if name not in kept:
            shapes = f"{tuple(weights[name].shape)} there and {tuple(own[name].shape)} here"
            raise ValueError(f"the trained network is another one: {name} is {shapes}")
    network.load_state_dict({name: value for name, value in weights.items() if name not in kept}, strict=False)
    return kept


def last_layer(network: nn.Module) -> nn.Module | None:
    """Return the layer that gives the outputs: the `Readout`, or of other networks the last one with parameters."""
    layers = [module for module in network.modules() if any(True for _ in module.parameters(recurse=False))]
    readouts = [module for module in layers if isinstance(module, Readout)]
    return (readouts or layers or [None])[-1]
