"""What is looked at before anything is trained: what can be built, how large it is, whether its data is here."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from ablations.identity.run import NODES
from sweeps.cli.errors import as_value_error


def instantiate(node: Any) -> Any:
    """What a node's `_target_` names, built. The only call of Hydra's `instantiate`, whose rules change with 1.4."""
    from hydra.utils import instantiate

    return instantiate(node)


class Size(NamedTuple):
    """What is known of a run before it is trained."""

    params: int
    macs: int  # multiply-adds, forward, one image
    cost: int  # of the whole training, in multiply-adds, about
    epochs: int  # begun, of a recipe in steps too


def check(config: DictConfig) -> Size:
    """Whether `config` can be built and its data is there; how large the network is.

    Raises:
        ValueError: it cannot be built.
        OSError: its data is neither here nor to be had.
    """
    nodes: Any = {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES}
    return check_nodes(nodes, Path(config.data_dir))


def check_nodes(nodes: dict[str, Any], data_dir: Path) -> Size:
    """As `check`, for the resolved nodes of a run; what many runs share is built once for all."""
    from torch import nn, zeros

    recipe, data = recipe_of(json.dumps(nodes["recipe"])), nodes["data"]
    size = recipe.augment.out_size(data["size"])
    params, macs = size_of(json.dumps(nodes["network"]), (data["channels"], size, size))
    images = training_images(json.dumps(data["source"]), data_dir)
    batches = max(1, images // recipe.batch_size)
    steps = recipe.total_steps(batches)
    recipe.optimization([nn.Parameter(zeros(1))], steps)
    epochs = -(-steps // batches)
    if recipe.grow_at is not None:
        if recipe.grow_at >= epochs:
            raise ValueError(f"recipe.grow_at={recipe.grow_at} must be less than the number of epochs, {epochs}")
        check_growth(json.dumps(nodes["network"]), json.dumps(nodes["recipe"]), (data["channels"], size, size))
    return Size(params, macs, cost=3 * macs * steps * recipe.batch_size, epochs=epochs)


@lru_cache(maxsize=1024)
def recipe_of(node: str) -> Any:
    """The recipe that a node (as JSON) describes."""
    return instantiate(json.loads(node))


def begin(network: Any, node: Any, recipe: Any, shape: tuple[int, ...], *, seed: int) -> None:
    """Let the network of a node begin as its recipe says; a shallow one is then made as a run of that depth makes it.

    Raises:
        ValueError: as `Recipe.begin`, or it is not more shallow.
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


@lru_cache(maxsize=1024)
def check_growth(network: str, recipe: str, shape: tuple[int, int, int]) -> None:
    """Raises ValueError unless the network of a node (as JSON) can grow as the recipe says; of weights of any seed."""
    node = json.loads(network)
    begin(instantiate(node), node, recipe_of(recipe), shape, seed=0)


@lru_cache(maxsize=4096)
def size_of(node: str, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Parameters and multiply-adds of the network that a node (as JSON) describes, on images of `shape`."""
    from lightning_modules.networks.counting import multiply_adds, on_meta, parameters

    network = on_meta(lambda: instantiate(json.loads(node)))
    return parameters(network), multiply_adds(network, shape)


def check_trainer(trainer: DictConfig, recipe: dict[str, Any]) -> None:
    """Raises ValueError unless this machine can train with this trainer at the precision of a recipe node."""
    instantiate(trainer)(recipe=recipe_of(json.dumps(recipe)), callbacks=[])


def count(config: DictConfig, what: str) -> int:
    """The params, or the macs, of a network that is not built for more than counting; ValueError where it cannot be."""
    from lightning_modules.networks.counting import multiply_adds, on_meta, parameters

    network = on_meta(lambda: instantiate(config.network))
    if what == "params":
        return parameters(network)
    size = instantiate(config.recipe).augment.out_size(config.data.size)
    return multiply_adds(network, (config.data.channels, size, size))


def training_images(source: str, folder: Path) -> int:
    """How many images a data source (as JSON) has to train on."""
    return _seen(source, folder)[0]


def data_digest(source: str, folder: Path) -> str | None:
    """Digest of what a data source (as JSON) gives now; None where its files are not here: nothing is downloaded."""
    from lightning_modules.data.download import nothing_downloaded
    from lightning_modules.data.errors import DataError

    try:
        with nothing_downloaded():
            return _seen(source, folder)[1]
    except DataError:  # what trains will say what is wrong with it
        return None


@lru_cache(maxsize=8)
def _seen(source: str, folder: Path) -> tuple[int, str]:
    """A data source's number of training images and digest, loaded once for all the cells of a sweep."""
    images = instantiate(json.loads(source))(folder)
    return len(images.train_labels), images.digest


def suggestions(config: DictConfig) -> tuple[Any, Any]:
    """The sampler, to be called with a seed, and the pruner of a search."""
    try:
        return instantiate(config.sampler), instantiate(config.pruner)
    except ImportError as error:
        raise ValueError(f"sampler: {error}") from error
