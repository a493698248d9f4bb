"""Check what a run needs before anything is trained: can it be built, how large is it, is its data here.

Runs of a sweep share most of what they are made of. What a config node makes is made once for all runs that have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from ablations.identity.run import NODES
from sweeps.cli.errors import as_value_error, is_user_error
from sweeps.compose.signatures import check_flags, check_names, check_numbers, is_as_shipped
from sweeps.compose.starting_weights import starts_from
from sweeps.data import check_data, fill_sizes, seen
from sweeps.failing_block import failing_block
from sweeps.fits_task import (
    OURS,
    check_outputs,
    check_targets,
    has_complex_weights,
    take_real_inputs,
    try_task,
    unfit,
    warn_of_scaled_input,
)
from sweeps.instantiate import Node, import_quickly, instantiate, once_a_node

Shape = tuple[int, ...]


class Size(NamedTuple):
    """What is known of a run before it is trained."""

    params: int
    macs: int  # multiply-adds, forward, one image
    cost: int  # of the whole training, in multiply-adds, about
    epochs: int  # begun, of a recipe in steps too


def check(config: DictConfig) -> Size:
    """Check that `config` can be built and that its data is here; find how large its network is.

    Raises:
        ValueError: it cannot be built.
        OSError: its data is neither here nor to be had.
    """
    fill_sizes(config)
    nodes: Any = {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES}
    return check_nodes(nodes, Path(config.data_dir), starts_from(nodes["network"]))


def check_nodes(nodes: dict[str, Node], data_dir: Path, start: str | None = None) -> Size:
    """As `check`, for the resolved nodes of a run.

    Args:
        start: the folder of the run whose weights it starts from.
    """
    import_quickly("torch")
    for name, node in nodes.items():
        check_signatures(node, name)
    network, data, recipe = nodes["network"], nodes["data"], recipe_of(nodes["recipe"])
    shape, tokens, images = check_data(data, data_dir, recipe.augment)
    if not is_as_shipped(network, "network"):  # which takes some numbers from the data
        check_numbers(network, "network")
    source = seen(data["source"], data_dir).images
    check_targets(recipe.learnt, source, data["classes"])
    try_task(recipe.learnt, source.train_labels[:3], data["classes"])
    params, macs = size_of(network, shape, tokens=tokens)
    if not str(network.get("_target_", OURS)).startswith(OURS):
        check_outputs(network, shape, data["classes"], type(recipe.learnt).__name__, tokens=tokens)
    if "block" in network:
        warn_of_scaled_input(network["block"])
    if start is not None:
        check_start(network, start)
    batches = max(1, images // recipe.batch_size)
    steps = recipe.total_steps(batches)
    check_optimizer(recipe, steps)
    epochs = -(-steps // batches)
    if recipe.grow_at is not None:
        if recipe.grow_at >= epochs:
            raise ValueError(f"recipe.grow_at={recipe.grow_at} must be less than the number of epochs, {epochs}")
        check_growth(network, nodes["recipe"], shape)
    return Size(params, macs, cost=3 * macs * steps * min(recipe.batch_size, images), epochs=epochs)


def check_optimizer(recipe: Any, steps: int) -> None:
    """Raise ValueError where the optimiser cannot take a step, as SparseAdam and LBFGS cannot, or not be scheduled."""
    from inspect import Parameter, signature

    from torch import Tensor, nn, zeros

    weight = nn.Parameter(zeros(1))

    def closure() -> Tensor:
        weight.grad = zeros(1)
        return weight.grad.sum()

    try:
        optimizer = recipe.optimizer([weight])
        closure()
        for group in optimizer.param_groups:
            group["lr"] = 0 * group["lr"]  # a rate beyond float32 may be one of a training in float64
        optimizer.step(closure)
    except Exception as error:  # whatever the optimiser's code raises
        raise ValueError(f"optimizer: {error}") from error
    asks = signature(type(optimizer).step).parameters.get("closure")
    if asks is not None and asks.default is Parameter.empty:
        name = type(optimizer).__name__
        raise ValueError(f"optimizer: {name} computes the loss several times a step, which is not supported: try adamw")
    recipe.optimization([weight], steps)


@once_a_node
def check_signatures(node: Node, name: str) -> None:
    """Raise ValueError where a flag of a node is neither true nor false, or nothing uses a setting."""
    if is_as_shipped(node, name):
        return
    check_flags(node, name)
    if name != "data":  # which `check_data` checks
        check_names(node, name, top=name != "network")  # a class of one's own need not take everything


@once_a_node
def recipe_of(node: Node) -> Any:
    """Build the recipe that a node describes."""
    return instantiate(node)


def begin(network: Any, node: Any, recipe: Any, shape: Shape, *, seed: int) -> None:
    """If the recipe grows the network, copy in the weights of a shallower one, built with the same seed.

    Args:
        node: the network's.
    """

    def shallow(depth: int) -> Any:
        from torch import manual_seed

        if "depth" not in node:
            raise ValueError("this network has no depth to grow in: use network=cifar")
        if depth >= node["depth"]:
            raise ValueError(f"it must be less than depth={node['depth']}")
        manual_seed(seed)
        resolved: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        with as_value_error():
            return instantiate({**resolved, "depth": depth})

    recipe.begin(network, shallow, shape)


@once_a_node
def check_growth(network: Node, recipe: Node, shape: Shape) -> None:
    """Raise ValueError unless the network can grow as the recipe says; of weights of any seed."""
    begin(instantiate(network), network, recipe_of(recipe), shape, seed=0)


@once_a_node
def check_start(network: Node, folder: str) -> None:
    """Raise ValueError unless the weights of the run in `folder` are there and fit the network."""
    from lightning_modules.networks.counting import measure
    from lightning_modules.networks.trained import start_from
    from lightning_modules.training.weights import read_weights
    from sweeps.trained import weights_of

    weights, _ = read_weights(weights_of(Path(folder)))

    def started(made: Any, device: str) -> list[str]:
        return start_from(made, {name: value.to(device) for name, value in weights.items()})

    measure(lambda: instantiate(network), started)


@contextmanager
def network_errors() -> Iterator[None]:
    """Raise ValueError for whatever a network's code raises that would otherwise end the program or all cells."""
    try:
        yield
    except (OSError, SystemExit) as error:
        raise ValueError(f"the network cannot be built: {type(error).__name__}: {error}") from error
    except ValueError as error:
        if "LazyModule" in str(error):
            raise ValueError("the network has lazy modules, whose sizes nobody knows yet: write them out") from error
        raise


@once_a_node
def size_of(network: Node, shape: Shape, *, tokens: bool = False) -> tuple[int, int]:
    """Count the parameters and multiply-adds of a network on such inputs; ValueError where it does not take them."""
    from lightning_modules.networks.counting import measure, multiply_adds, parameters

    def tried(made: Any, device: str = "cpu") -> int:
        take_real_inputs(made, device)
        return multiply_adds(made, shape, device, tokens=tokens)

    def size(made: Any, device: str) -> tuple[int, int]:
        try:
            return parameters(made), tried(made, device)
        except Exception as error:
            if "complex" in str(error).lower() and has_complex_weights(made):
                says = f"{type(made).__name__} has complex weights, and the data is real"
                raise ValueError(f"{says}: let its forward begin with x = x.to(torch.complex64)") from error
            if device == "cpu" and not is_user_error(error) and (says := failing_block(network, tried)):
                raise ValueError(says) from error
            if len(shape) == 3:
                raise
            raise unfit(network, shape, tokens=tokens) from error

    with network_errors():
        return measure(lambda: instantiate(network), size)


def check_trainer(trainer: DictConfig, recipe: Node, network: Node | None = None) -> None:
    """Raise ValueError unless this machine can train with this trainer at the precision of a recipe node.

    Args:
        network: where there may be several devices. On CPUs each sees only its share of a batch.
    """
    import_quickly("pytorch_lightning")
    made = instantiate(trainer)(recipe=recipe_of(recipe), callbacks=[])
    if network is None or made.world_size == 1 or made.strategy.root_device.type != "cpu":
        return
    from lightning_modules.networks.counting import on_meta
    from lightning_modules.training.micro_batch import divisible

    if not divisible(on_meta(lambda: instantiate(network))):
        says = f"trainer.devices={made.world_size} on a CPU: batch norm needs the whole batch"
        raise ValueError(f"{says}; choose norm=group, or leave out trainer=ddp")


def count(nodes: dict[str, Node], what: str, data_dir: Path) -> int:
    """Count the params, or the macs, of the network of a run's resolved nodes; ValueError where it cannot be built."""
    from lightning_modules.networks.counting import measure, parameters

    network = nodes["network"]
    if what == "macs":
        shape, tokens, _ = check_data(nodes["data"], data_dir, recipe_of(nodes["recipe"]).augment)
        return size_of(network, shape, tokens=tokens)[1]
    with network_errors():
        return measure(lambda: instantiate(network), lambda made, device: parameters(made))
