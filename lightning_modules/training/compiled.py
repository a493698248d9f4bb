"""Compile a network with torch before it is trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.torch_private import allow_recompiling, is_compiled

MODES = ("none", "default", "reduce-overhead")


def uncompiled(network: nn.Module) -> AbstractContextManager[Any]:
    """Inside, compiled parts of the network run eagerly, because compiled code calls no hooks."""
    return torch.compiler.set_stance("force_eager") if is_compiled(network) else nullcontext()


def compile_in_place(network: nn.Module, mode: str) -> None:
    """Compile a network, or each of its blocks, at its first call. Blocks of the same shape share the compiled code."""
    allow_recompiling(64)  # shapes × training or not of one block's code
    if mode == "default":
        for part in find_blocks(network):
            for module in part.modules:
                module.compile(dynamic=False)
    else:
        network.compile(mode=mode, dynamic=False)


class Compiled(Callback):
    """Compiles the network in place, so that checkpoints keep their keys; diagnostics still run it eagerly.

    `default` compiles block by block, so that 110 layers compile nearly as soon as 8. `reduce-overhead` compiles
    the whole network, for one CUDA graph forward and one backward. Programs are kept in TORCHINDUCTOR_CACHE_DIR, or a
    folder of the user's in /tmp, which workers share.

    Numbers differ in the last bits from those of uncompiled networks, as those of another device do.

    Raises:
        ValueError: a mode that does not exist.
    """

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"trainer.compile={mode} is none of {', '.join(MODES)}")
        self.mode = mode

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        torch.compiler.reset()  # programs of a worker's earlier runs count towards the limit
        compile_in_place(pl_module.network, self.mode)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self.mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
