"""The callback that has torch compile a network's blocks before it is trained."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import nn

from lightning_modules.classifier import Classifier
from lightning_modules.networks.parts import parts

MODES = ("none", "default", "reduce-overhead")


def is_compiled(network: nn.Module) -> bool:
    """Whether the network or a part of it was compiled in place."""
    return any(module._compiled_call_impl is not None for module in network.modules())


class Compiled(Callback):
    """Compiles in place: the keys of checkpoints stay as they are, and what is measured inside is measured uncompiled.

    `default` compiles block by block. Blocks of the same shapes share one program, so that 110 layers take as long to
    compile as 8. `reduce-overhead` compiles the whole network, for one CUDA graph forward and one backward.
    Programs are kept in TORCHINDUCTOR_CACHE_DIR, or a folder of the user's in /tmp, which workers share.

    Numbers differ in the last bits from those of uncompiled networks, as those of another device do.

    Raises:
        ValueError: a mode that does not exist.
    """

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"trainer.compile={mode} is none of {', '.join(MODES)}")
        self.mode = mode

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        import torch._dynamo.config as settings

        settings.recompile_limit = max(settings.recompile_limit, 64)  # shapes × training or not of one block's code
        if self.mode == "default":
            for part in parts(pl_module.network):
                for module in part.modules:
                    module.compile(dynamic=False)
        else:
            pl_module.network.compile(mode=self.mode, dynamic=False)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self.mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
