"""Choose how a GPU multiplies float32 numbers: as they are, or rounded to TF32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

EXACT, TF32 = "ieee", "tf32"  # torch's words


def switches() -> tuple[Any, ...]:
    """Torch's switches of matrix products, convolutions and recurrent layers; it leaves the last two at TF32."""
    cudnn: Any = torch.backends.cudnn
    return torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn


def snapshot_switches() -> Callable[[], None]:
    """Snapshot the switches; return a function that restores them."""
    found = [(switch, switch.fp32_precision) for switch in switches()]

    def restore() -> None:
        for switch, value in found:
            switch.fp32_precision = value

    return restore


@contextmanager
def float32_products(*, tf32: bool) -> Iterator[None]:
    """Inside, products of float32 numbers are exact to float32, or have factors rounded to TF32's 10 bits."""
    restore = snapshot_switches()
    for switch in switches():
        switch.fp32_precision = TF32 if tf32 else EXACT
    try:
        yield
    finally:
        restore()


class Float32Products(Callback):
    """Apply `float32_products` while the trainer fits, validates or tests."""

    def __init__(self, *, tf32: bool) -> None:
        self.tf32 = tf32
        self.inside = ExitStack()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.inside.enter_context(float32_products(tf32=self.tf32))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.inside.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.inside.close()
