"""A lean Lightning trainer: what a study needs and no more."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lightning_modules.recipe import Recipe


def lean_trainer(
    *,
    recipe: Recipe,
    callbacks: Sequence[pl.Callback],
    accelerator: str = "auto",
    devices: int | str = 1,
    strategy: str = "auto",
    threads: int | None = None,
    deterministic: bool = False,
) -> pl.Trainer:
    """A Trainer without loggers, bars and summaries of its own.

    Args:
        accelerator: auto, cpu, gpu, …, as Lightning has them.
        devices: how many of them.
        strategy: auto, ddp, …
        threads: CPU threads of this process; null: torch's own choice.
        deterministic: refuse operations that could differ between two runs on the same device.

    Raises:
        ValueError: this machine has no such devices, or Lightning knows no such strategy.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    if threads:
        torch.set_num_threads(threads)
    try:
        return pl.Trainer(
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            deterministic=deterministic,
            max_epochs=recipe.epochs if recipe.epochs is not None else -1,
            max_steps=recipe.steps if recipe.steps is not None else -1,
            precision="32-true" if str(recipe.precision) == "32" else str(recipe.precision),
            gradient_clip_val=recipe.clip_norm,
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # the batches share themselves out
        )
    except (MisconfigurationException, ValueError) as error:
        raise ValueError(f"trainer: {error}") from error
