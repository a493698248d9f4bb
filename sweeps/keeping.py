"""Decide what a finished run leaves behind of its network: the weights, and the state for a longer run."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.identity.run import Run, digest
from ablations.records.layout import STATE
from ablations.records.provenance import git_version
from ablations.records.recorder import Recorder
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


def keep_state(config: DictConfig, parts: Parts, last: Any, path: Path) -> None:
    """Keep the state of a finished training at `path`, if a longer run can go on from it.

    Args:
        last: the `LastEpoch` that has followed the training.
    """
    from lightning_modules.training.longer import same_beginning, save_last_state

    steps = steps_of(parts)
    if config.keep != "nothing" and steps is not None and same_beginning(parts.recipe, steps, 2 * steps):
        save_last_state(last, path)


def steps_of(parts: Parts) -> int | None:
    """Count the steps of a recipe in epochs; None for one in steps, which may end within an epoch."""
    if parts.recipe.epochs is None:
        return None
    return parts.recipe.total_steps(len(parts.data.train_dataloader()))


def go_on_from_shorter(recorder: Recorder, parts: Parts) -> None:
    """Put the state of the longest shorter run of the same kind where the checkpoint of this run belongs.

    Of the same kind is a run that differs in `recipe.epochs` alone, on the same images, if the schedule gives both the
    same rates as far as the shorter one goes. Where a checkpoint is there already, nothing is done.
    """
    from lightning_modules.training.checkpoint import refusal
    from lightning_modules.training.longer import hand_over, same_beginning

    run, steps = recorder.run, steps_of(parts)
    if steps is None or recorder.checkpoint.exists():
        return
    each = steps // parts.recipe.epochs
    if not same_beginning(parts.recipe, each, steps):
        return
    folders = {path.parent.name[-8:]: path.parent for path in recorder.folder.parent.glob(f"*/{STATE}")}
    for epochs in range(parts.recipe.epochs - 1, 0, -1):
        shorter = replace(run, config=run.config | {"recipe": run.config["recipe"] | {"epochs": epochs}})
        folder = folders.get(shorter.identity[:8])
        origin = recorder.origin | {"identity": shorter.identity}
        if folder is None or refusal(folder / STATE, origin) or not same_beginning(parts.recipe, epochs * each, steps):
            continue
        hand_over(folder / STATE, recorder.checkpoint, recorder.origin | {"continued": folder.name})
        logging.getLogger(__name__).info("goes on after the %d epochs of %s", epochs, folder.name)
        return


def about(run: Run, parts: Parts) -> dict[str, Any]:
    """Return what is needed to use the weights of a run without its record: its network, its input, its identity."""
    from lightning_modules.tasks.classification import Classification

    data, images = parts.data, parts.data.images
    mean, std = data.statistics
    names = images.class_names or [str(number) for number in range(data.classes)]
    pixels = images.train_images
    return {
        "label": run.label,
        "identity": run.identity,
        "seed": run.seed,
        "network": run.config["network"],
        "task": run.config["recipe"].get("task"),
        "augment": run.config["recipe"].get("augment"),
        "channels_last": parts.recipe.channels_last,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "targets": parts.recipe.learnt.state(),
        "shape": list(pixels.shape[1:]),
        "dtype": str(getattr(pixels, "dtype", "uint8")),
        "input": list(data.shape),
        "classes": list(names) if isinstance(parts.recipe.learnt, Classification) else [],
        "data_digest": data.digest,
        "code": digest(run.code)[:16],
        "git": git_version(),
    }
