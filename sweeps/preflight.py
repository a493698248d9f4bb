"""Check what a run needs before anything is trained: can it be built, how large is it, is its data here.

Runs of a sweep share most of what they are made of. What a config node makes is made once for all runs that have it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from omegaconf import DictConfig, OmegaConf

from ablations.identity.run import NODES
from sweeps.cli.errors import as_value_error

Node = dict[str, Any]  # of a config, resolved
Shape = tuple[int, ...]
P = ParamSpec("P")
T = TypeVar("T")


def instantiate(node: Any) -> Any:
    """Build what a node's `_target_` names. The only call of Hydra's `instantiate`, whose rules change with 1.4."""
    from hydra.utils import instantiate

    return instantiate(node)


def once_a_node(function: Callable[P, T]) -> Callable[P, T]:
    """Call a function of config nodes once for equal arguments, and remember what it returned."""
    known: dict[str, T] = {}

    @wraps(function)
    def remembered(*nodes: P.args, **named: P.kwargs) -> T:
        key = json.dumps([nodes, named], default=str)
        if key not in known:
            known[key] = function(*nodes, **named)
        return known[key]

    return remembered


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
    nodes: Any = {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES}
    return check_nodes(nodes, Path(config.data_dir))


def check_nodes(nodes: dict[str, Node], data_dir: Path) -> Size:
    """As `check`, for the resolved nodes of a run."""
    from torch import nn, zeros

    network, data, recipe = nodes["network"], nodes["data"], recipe_of(nodes["recipe"])
    size = recipe.augment.out_size(data["size"])
    shape = (data["channels"], size, size)
    params, macs = size_of(network, shape)
    images = training_images(data, data_dir)
    batches = max(1, images // recipe.batch_size)
    steps = recipe.total_steps(batches)
    recipe.optimization([nn.Parameter(zeros(1))], steps)
    epochs = -(-steps // batches)
    if recipe.grow_at is not None:
        if recipe.grow_at >= epochs:
            raise ValueError(f"recipe.grow_at={recipe.grow_at} must be less than the number of epochs, {epochs}")
        check_growth(network, nodes["recipe"], shape)
    return Size(params, macs, cost=3 * macs * steps * min(recipe.batch_size, images), epochs=epochs)


@once_a_node
def recipe_of(node: Node) -> Any:
    """Build the recipe that a node describes."""
    return instantiate(node)


def begin(network: Any, node: Any, recipe: Any, shape: Shape, *, seed: int) -> None:
    """If the recipe grows the network, copy in the weights of a shallower one, built with the same seed.

    Args:
        node: the network's.

    Raises:
        ValueError: as `Recipe.begin`, or the other is not more shallow.
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


@contextmanager
def network_errors() -> Iterator[None]:
    """Raise ValueError for whatever a network's code raises that would otherwise end the program or all cells."""
    try:
        yield
    except (OSError, SystemExit) as error:
        raise ValueError(f"the network cannot be built: {type(error).__name__}: {error}") from error


@once_a_node
def size_of(network: Node, shape: Shape) -> tuple[int, int]:
    """Count the parameters and multiply-adds of the network that a node describes, on images of `shape`."""
    from lightning_modules.networks.counting import measure, multiply_adds, parameters

    def size(made: Any, device: str) -> tuple[int, int]:
        return parameters(made), multiply_adds(made, shape, device)

    with network_errors():
        return measure(lambda: instantiate(network), size)


def check_trainer(trainer: DictConfig, recipe: Node, network: Node | None = None) -> None:
    """Raise ValueError unless this machine can train with this trainer at the precision of a recipe node.

    Args:
        network: where there may be several devices. On CPUs each sees only its share of a batch.
    """
    made = instantiate(trainer)(recipe=recipe_of(recipe), callbacks=[])
    if network is None or made.world_size == 1 or made.strategy.root_device.type != "cpu":
        return
    from lightning_modules.networks.counting import on_meta
    from lightning_modules.training.micro_batch import divisible

    if not divisible(on_meta(lambda: instantiate(network))):
        says = f"trainer.devices={made.world_size} on a CPU: batch norm needs the whole batch"
        raise ValueError(f"{says}; choose norm=group, or leave out trainer=ddp")


def count(config: DictConfig, what: str) -> int:
    """Count the params, or the macs, of a network; ValueError where it cannot be built."""
    from lightning_modules.networks.counting import measure, multiply_adds, parameters

    def counted(network: Any, device: str) -> int:
        if what == "params":
            return parameters(network)
        size = instantiate(config.recipe).augment.out_size(config.data.size)
        return multiply_adds(network, (config.data.channels, size, size), device)

    with network_errors():
        return measure(lambda: instantiate(config.network), counted)


@once_a_node
def training_images(data: Node, folder: Path) -> int:
    """Count the images that a run trains on.

    Raises:
        DataError: an image that stays on disk is damaged.
        ValueError: so many cannot be held out, or taken, or `split` is none.
    """
    from lightning_modules.data.parts import divide, split_seed_of

    labels, _, on_disk = _seen(data["source"], folder)
    if on_disk:
        refuse_damaged(data["source"], folder)
    split_seed = split_seed_of(data.get("split", "fixed"), data["split_seed"], seed=0)
    return len(divide(labels, data["held_out"], split_seed, data.get("take"))[0])


@once_a_node
def refuse_damaged(source: Node, folder: Path) -> None:
    """Raise DataError if an image file of a data source is damaged, where the source can tell."""
    images = instantiate(source)(folder)
    for part in (images.train_images, images.test_images):
        if hasattr(part, "refuse_damaged"):
            part.refuse_damaged()


def data_digest(source: Node, folder: Path) -> str | None:
    """Digest of what a data source gives now; None where its files are not here: nothing is downloaded."""
    from lightning_modules.data.download import nothing_downloaded
    from lightning_modules.data.errors import DataError

    try:
        with nothing_downloaded():
            return _seen(source, folder)[1]
    except DataError:  # what trains will say what is wrong with it
        return None


@once_a_node
def _seen(source: Node, folder: Path) -> tuple[Any, str, bool]:
    """A data source's labels of the training images, its digest, and whether its images stay on disk."""
    from numpy import ndarray

    images = instantiate(source)(folder)
    return images.train_labels, images.digest, not isinstance(images.train_images, ndarray)


def suggestions(config: DictConfig) -> tuple[Any, Any]:
    """Build the sampler, to be called with a seed, and the pruner of a search."""
    try:
        return instantiate(config.sampler), instantiate(config.pruner)
    except ImportError as error:
        raise ValueError(f"sampler: {error}") from error
