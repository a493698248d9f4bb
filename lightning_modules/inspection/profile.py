"""Measure where the time of a training step goes, and what share of the device's peak it reaches."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from rich.table import Table
from torch.nn import functional as F

from lightning_modules.networks.counting import multiply_adds
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.float32 import float32_products

PARTS = ("data", "forward", "backward", "optimizer", "rest")
WORDS = {"optimizer": "optimiser", "rest": "overhead"}
WARM_UP, STEPS, SECONDS = 5, 50, 20.0


class Clock(pl.Callback):
    """Sums the seconds of each part of a step, and ends the training after `STEPS` steps or `SECONDS` seconds.

    On a GPU each part is waited for, so that it is the device's time; steps then take somewhat longer than without.
    """

    def __init__(self, wait: Callable[[], object]) -> None:
        self.wait = wait
        self.seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self.steps = -WARM_UP
        self.begun, self.last = math.inf, time.perf_counter()

    def end_part(self, part: str) -> None:
        self.wait()
        now = time.perf_counter()
        if self.steps >= 0:
            self.seconds[part] += now - self.last
        self.last = now

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.steps += 1
        if self.steps == 0:
            self.begun = time.perf_counter()  # what came before may have been compiled
        trainer.should_stop = self.steps >= STEPS or (self.steps > 0 and time.perf_counter() - self.begun > SECONDS)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.last = time.perf_counter()  # validation is no part of a step


@dataclass(frozen=True)
class Profile:
    """What was measured.

    Attributes:
        milliseconds: of each of `PARTS`, a step.
        flops: floating-point operations of a step: six for each multiply-add of the forward pass and image.
        peaks: operations a second of a convolution and of a matrix product in the training's precision.
    """

    milliseconds: dict[str, float]
    batch_size: int
    flops: float
    peaks: dict[str, float]
    device: str
    precision: str

    @property
    def whole(self) -> float:
        """Milliseconds a step."""
        return sum(self.milliseconds.values())

    def table(self, title: str) -> Table:
        """For a terminal."""
        table = Table(title=f"{title}\n{self.device}, {self.precision}", title_justify="left")
        for heading in ("part", "ms a step", "share"):
            table.add_column(heading, justify="left" if heading == "part" else "right")
        for part, spent in self.milliseconds.items():
            table.add_row(WORDS.get(part, part), f"{spent:.2f}", f"{spent / self.whole:.1%}")
        table.add_section()
        table.add_row("step", f"{self.whole:.2f}", f"{1000 * self.batch_size / self.whole:,.0f} images/s")
        rate = self.flops / self.whole * 1000
        table.add_section()
        table.add_row("operations", f"{rate / 1e9:,.1f}", "GFLOP/s")
        for name, peak in self.peaks.items():
            table.add_row(f"peak {name}", f"{peak / 1e9:,.1f}", f"{rate / peak:.1%} reached")
        return table


def profile(classifier: Classifier, data: Any, trainer: pl.Trainer) -> Profile:
    """Train some fifty steps (20 s at most) as a study does, and look at the clock between their parts.

    Raises:
        ValueError: the training asks for something whose parts are not told apart, as several devices.
    """
    device = trainer.strategy.root_device
    clock = Clock(torch.cuda.synchronize if device.type == "cuda" else lambda: None)
    loop: Any = trainer.fit_loop.epoch_loop
    if not hasattr(loop, "on_part_end"):
        raise ValueError("profile=true needs the training loop of trainer=auto, cpu or gpu, and this is another")
    loop.on_part_end = clock.end_part
    trainer.callbacks.append(clock)  # pyright: ignore[reportAttributeAccessIssue] Lightning sets it in the making
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # as in fit.py
        trainer.fit(classifier, datamodule=data)
    if not loop.lean or clock.steps < 1:
        raise ValueError(
            "profile=true cannot tell the parts of this step apart: choose one device and precision 32 or bf16-mixed"
        )
    batch, shape = classifier.recipe.batch_size, data.shape
    with trainer.precision_plugin.train_step_context():
        one = torch.ones(1, 1, device=device)
        dtype = (one @ one).dtype  # peaks are of numbers that are so from the start, and need no cast
    with float32_products(tf32=str(classifier.recipe.precision) == "tf32"):
        peaks = {
            "convolution": _peak(_convolution(device, dtype), clock.wait),
            "matrix product": _peak(_product(device, dtype), clock.wait),
        }
    return Profile(
        {part: 1000 * seconds / clock.steps for part, seconds in clock.seconds.items()},
        batch,
        6.0 * multiply_adds(classifier.network, shape, tokens=data.tokens) * batch,
        peaks,
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} thread(s)",
        str(classifier.recipe.precision),
    )


def _convolution(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], object], float]:
    """A 3×3 convolution of 64 channels, and its operations."""
    images, size = (128, 16) if device.type == "cpu" else (1024, 32)
    x = torch.randn(images, 64, size, size, device=device).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
    return lambda: F.conv2d(x, weight, padding=1), 2.0 * images * 64 * 64 * 9 * size**2


def _product(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], object], float]:
    """A product of square matrices, and its operations."""
    n = 1024 if device.type == "cpu" else 8192
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return lambda: a @ b, 2.0 * n**3


@torch.no_grad()
def _peak(work: tuple[Callable[[], object], float], wait: Callable[[], object]) -> float:
    """Operations a second, of the best of twelve tries."""
    call, operations = work
    seconds = []
    for _ in range(12):
        begun = time.perf_counter()
        call()
        wait()
        seconds.append(time.perf_counter() - begun)
    return operations / min(seconds)
