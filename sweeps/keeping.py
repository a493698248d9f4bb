"""Decide what a finished run leaves behind of its network: the weights, and the state for a longer run."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from ablations.identity.run import Run, digest
from ablations.records.provenance import git_version
from sweeps.training import Parts


def kept_weights(config: DictConfig, run: Run, parts: Parts, kept: Any, epochs: int) -> bytes | None:
    """Return the content of `weights.safetensors`; None where nothing is to be kept, or cannot be.

    Args:
        kept: the `KeptEpoch` that has followed the training.
        epochs: how many were trained.
    """
    from lightning_modules.training.weights import packed

    if config.keep == "nothing":
        return None
    try:
        weights, epoch = kept.weights(parts.network, epochs)
        return packed(weights, {"keep": config.keep, "epoch": epoch, **about(run, parts)})
    except ValueError as error:
        logging.getLogger(__name__).warning("the weights are not kept: %s", error)
        return None


def about(run: Run, parts: Parts) -> dict[str, Any]:
    """Return what is needed to use the weights of a run without its record: its network, its input, its identity."""
    data, images = parts.data, parts.data.images
    mean, std = data.statistics
    names = getattr(images, "class_names", None) or [str(number) for number in range(data.classes)]
    return {
        "label": run.label,
        "identity": run.identity,
        "seed": run.seed,
        "network": run.config["network"],
        "augment": run.config["recipe"].get("augment"),
        "channels_last": parts.recipe.channels_last,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "shape": list(images.train_images.shape[1:]),
        "input": list(data.shape),
        "classes": list(names),
        "data_digest": data.digest,
        "code": digest(run.code)[:16],
        "git": git_version(),
    }
