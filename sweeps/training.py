"""Build what a run is trained from, and fit it. The code of this module enters the identity of every run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from sweeps.compose.starting_weights import starts_from
from sweeps.data import fill_sizes
from sweeps.preflight import begin, instantiate

Rows = list[dict[str, float]]
Watch = Callable[[Rows], object]


class Parts(NamedTuple):
    """What a run is trained from."""

    network: Any
    data: Any
    recipe: Any


def build(config: DictConfig) -> Parts:
    """Build the network, the data and the recipe that `config` describes."""
    fill_sizes(config)
    recipe = instantiate(config.recipe)
    data = instantiate(config.data)(
        folder=Path(config.data_dir), batch_size=recipe.batch_size, augment=recipe.augment, seed=config.seed
    )
    return Parts(build_network(config, recipe, data.shape), data, recipe)


def build_network(config: DictConfig, recipe: Any, shape: tuple[int, ...]) -> Any:
    """Build the network for inputs of `shape`; the seed decides its initial weights."""
    import torch

    torch.manual_seed(config.seed)
    network = instantiate(config.network)
    if (start := starts_from(config.network)) is not None:
        start_from_run(network, start, config.network.init.get("weights"))
    begin(network, config.network, recipe, shape, seed=config.seed)
    return network


def start_from_run(network: Any, folder: str, digest: str | None) -> None:
    """Copy the weights of a finished run into a network.

    Raises:
        ValueError: they do not fit, or have changed since their digest was taken.
    """
    from lightning_modules.networks.trained import start_from
    from lightning_modules.training.weights import content_digest, read_weights
    from sweeps.trained import weights_of

    weights, _ = read_weights(weights_of(Path(folder)))
    if digest is not None and content_digest(weights) != digest:
        raise ValueError(f"init.run={folder}: its weights have changed since this run was planned")
    if kept := start_from(network, weights):
        logging.getLogger(__name__).warning("%s of the last layer starts afresh: it has other outputs", ", ".join(kept))


def fit_parts(
    config: DictConfig,
    parts: Parts,
    callbacks: Sequence[Any],
    micro: int | None,
    resume: Path,
    *,
    on_rows: Callable[[Rows, Rows], object] = lambda rows, new: None,
    watch: Watch | None = None,
    turn: Any = None,
) -> Any:
    """Train what `build` made; return the `Outcome`. The code of both enters the run's identity.

    Args:
        callbacks: those that only watch the training.
        micro: the largest number of images that are taken at once; None for whole batches.
        resume: the checkpoint to go on from, where it exists.
        on_rows: called with all rows of the curve and the new ones.
    """
    from lightning_modules.training.fit import fit
    from lightning_modules.training.history import Curve
    from lightning_modules.training.micro_batch import classifier
    from lightning_modules.vmapped.fused import fused

    network, data, recipe = parts
    curve = Curve(on_rows, watch)
    trainer = trainer_of(config, recipe, [curve, *callbacks])
    learner = classifier(network, recipe, config.seed, micro)
    return fit(fused(learner, turn, curve) if turn else learner, data, trainer, curve, resume=resume)


def trainer_of(config: DictConfig, recipe: Any, callbacks: Sequence[Any]) -> Any:
    """Build the Lightning trainer that `config.trainer` describes."""
    return instantiate(config.trainer)(recipe=recipe, callbacks=callbacks)
