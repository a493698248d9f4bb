"""Make the Lightning trainer of a run."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Checkpoint

from lightning_modules.training.compiled import Compiled
from lightning_modules.training.float32 import Float32Products
from lightning_modules.training.malloc import keep_freed_memory
from lightning_modules.training.recipe import Recipe
from lightning_modules.training.threads import Threads

LEAN_LOOP_TESTED = ("2.6.",)


def lean_trainer(
    *,
    recipe: Recipe,
    callbacks: Sequence[pl.Callback],
    accelerator: str = "auto",
    devices: int | str = 1,
    strategy: str = "auto",
    threads: int | None = None,
    most_threads: int | None = None,
    fuse: int | str = 1,
    deterministic: bool = False,
    compile: str = "none",
) -> pl.Trainer:
    """Make a Trainer without Lightning's own loggers, progress bars and summaries.

    Args:
        accelerator: auto, cpu, gpu, …, as Lightning has them.
        devices: how many of them.
        strategy: auto, ddp, …
        threads: CPU threads of this process; null: one for small steps, `most_threads` for large ones.
        most_threads: null: all cores.
        fuse: how many runs of a cell a sweep's worker trains as one program: a number, or auto. Nothing to one run.
        deterministic: refuse operations that could differ between two runs on the same device.
        compile: none, default or reduce-overhead, as `Compiled` has them; no part of what a run is.

    Raises:
        ValueError: this machine has no such devices, they cannot do the recipe's precision, or Lightning knows no such
            strategy.
    """
    if fuse != "auto" and (not isinstance(fuse, int) or isinstance(fuse, bool) or fuse < 1):
        raise ValueError(f"trainer.fuse={fuse} is neither auto nor a whole number ≥ 1")
    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    tf32 = str(recipe.precision) == "tf32"
    precision: Any = "32-true" if str(recipe.precision) in ("32", "tf32") else str(recipe.precision)
    own = [Threads(threads, most=most_threads), Float32Products(tf32=tf32)]
    compiled = [Compiled(compile)] if compile != "none" else []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="GPU available but not used")  # as was asked for
        warnings.filterwarnings("ignore", message=".*AMP with fp16 is not supported")  # an error, below
        try:
            trainer = pl.Trainer(
                accelerator=accelerator,
                devices=devices,
                strategy=strategy,
                deterministic=deterministic,
                max_epochs=recipe.epochs if recipe.epochs is not None else -1,  # the classifier counts recipe.steps
                precision=precision,
                gradient_clip_val=recipe.clip_norm,
                callbacks=[*callbacks, *own, *compiled],
                plugins=[LightningEnvironment()],  # under Slurm it would requeue on its own and count its tasks
                logger=False,
                default_root_dir=os.devnull,  # under Slurm, Lightning would go on from any hpc_ckpt_*.ckpt lying there
                enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,  # the batches share themselves out
                sync_batchnorm=accelerator != "cpu" and torch.cuda.is_available(),  # torch has it for GPUs alone
            )
        except (MisconfigurationException, ValueError) as error:
            raise ValueError(f"trainer: {error}") from error
    if trainer.precision != precision:
        raise ValueError(f"recipe.precision={precision} needs a GPU: on a CPU choose bf16-mixed or 32")
    if recipe.grow_from is not None and trainer.world_size > 1:
        raise ValueError("recipe.grow_from needs one device: several would not share what a new block learns")
    device = trainer.strategy.root_device.type
    if device == "cpu":
        keep_freed_memory()
    if tf32 and not (device == "cuda" and torch.cuda.is_tf32_supported()):
        raise ValueError("recipe.precision=tf32 needs a GPU of compute capability 8.0: choose recipe.precision=32")
    if device == "cuda" and precision == "bf16-mixed" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ValueError("recipe.precision=bf16-mixed is not what this GPU can do: choose recipe.precision=32")
    use_lean_loop(trainer)
    return trainer


def use_lean_loop(trainer: pl.Trainer) -> None:
    """Put `LeanSteps` in the place of Lightning's loop, unless this release of Lightning is not among those tested."""
    release = version("pytorch-lightning")
    if release.startswith(LEAN_LOOP_TESTED):
        from lightning_modules.training.lean_loop import LeanSteps

        trainer.fit_loop.epoch_loop = LeanSteps(trainer)
    else:
        _warn_untested(release)


@cache
def _warn_untested(release: str) -> None:
    words = "pytorch-lightning %s is untested (tested: %s): its own loop is used, slower with the same numbers"
    tested = ", ".join(f"{start}x" for start in LEAN_LOOP_TESTED)
    logging.getLogger(__name__).warning(words, release, tested)
