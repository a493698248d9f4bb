"""What `gpu.py` measures: each function here is a part, and says what it found row by row."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import conventional, loop  # noqa: E402
from lightning_modules.data.augment import CropFlip  # noqa: E402
from lightning_modules.data.cifar import cifar10  # noqa: E402
from lightning_modules.data.module import ImageData  # noqa: E402
from lightning_modules.data.synthetic import synthetic  # noqa: E402
from lightning_modules.inspection.diagnostics import Diagnostics  # noqa: E402
from lightning_modules.inspection.profile import Profile, profile  # noqa: E402
from lightning_modules.training.classifier import Classifier  # noqa: E402
from lightning_modules.training.compiled import compile_in_place  # noqa: E402
from lightning_modules.training.history import Curve  # noqa: E402
from lightning_modules.training.recipe import Recipe  # noqa: E402
from lightning_modules.training.schedules import step_decay  # noqa: E402
from lightning_modules.training.trainer import lean_trainer  # noqa: E402

CUDA = torch.cuda.is_available()
READY = "ready"
Say = Callable[..., None]


class Clock(pl.Callback):
    """Seconds of every epoch's steps, without validation."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _wait()
        self.begun = time.perf_counter()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _wait()
        self.seconds.append(time.perf_counter() - self.begun)


class Together(pl.Callback):
    """After the first epoch says READY, and goes on when it is given a line."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            print(READY, flush=True)
            sys.stdin.readline()


class Sizes:
    """How much of everything: for a GPU, or small."""

    def __init__(self, *, small: bool, data: Path | None) -> None:
        self.small, self.data = small, data
        self.depths = (8,) if small else (20, 56, 110)
        self.widths = (4, 8, 8) if small else (16, 32, 64)
        self.train, self.held_out = (128, 64) if small else (22_528, 256)  # 176 batches, and two
        self.of_worker = 128 if small else 6_400
        self.bf16 = "bf16-mixed"
        self.batch = 64 if small else 128

    def network(self, depth: int, seed: int = 0) -> Any:
        return loop.build("residual", depth, seed, in_channels=3, widths=self.widths)

    def trained(self, depth: int, *, epochs: int, precision: str, compile: str = "none") -> list[float]:
        """Train as a study does; seconds of the steps of each epoch."""
        clock = Clock()
        self.learner(depth, epochs, precision, compile, [clock])[-1]()
        return clock.seconds

    def learner(self, depth: int, epochs: int, precision: str, compile: str, more: Sequence[Any]) -> Any:
        """(classifier, data, trainer, fit) of ours, diagnostics and all."""
        optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=1e-4)
        recipe = Recipe(
            optimizer=optimizer,
            schedule=partial(step_decay, milestones=[0.5, 0.75]),
            augment=CropFlip(4),
            lr=0.1,
            weight_decay=1e-4,
            batch_size=self.batch,
            epochs=epochs,
            precision=precision,
        )
        data = self.images(recipe)
        watchers = [Curve(nothing), Diagnostics(nothing), *more]
        trainer = lean_trainer(recipe=recipe, callbacks=watchers, compile=compile)
        classifier = Classifier(self.network(depth), recipe, seed=0)
        return classifier, data, trainer, partial(_fit, trainer, classifier, data)

    def images(self, recipe: Recipe) -> ImageData:
        """CIFAR-10 where all of it is wanted and there, or else random images."""
        train = self.train + self.held_out
        random = partial(synthetic, size=32, channels=3, classes=10, train=train, test=256)
        source = partial(cifar10) if self.data and train == 50_000 else random
        sizes: dict[str, Any] = {"channels": 3, "size": 32, "classes": 10, "held_out": self.held_out, "split_seed": 0}
        rest: dict[str, Any] = {"batch_size": recipe.batch_size, "augment": recipe.augment, "seed": 0}
        return ImageData(source, folder=self.data or Path(), **sizes, **rest)


def _fit(trainer: pl.Trainer, classifier: Classifier, data: ImageData) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        trainer.fit(classifier, datamodule=data)


def nothing(rows: object, new: object) -> None:
    """What is told of the rows: here nobody."""


def _wait() -> None:
    if CUDA:
        torch.cuda.synchronize()


def rate(images: int, seconds: Sequence[float]) -> str:
    """Images a second of the median epoch after the first, and of the best."""
    later = seconds[1:] or seconds
    return f"{images / statistics.median(later):,.0f} images/s (best {images / min(later):,.0f}, n = {len(later)})"


def steps_of(sizes: Sizes, seconds: Sequence[float]) -> str:
    return rate(sizes.train // sizes.batch * sizes.batch, seconds)


def peak(sizes: Sizes, say: Say) -> None:
    """Where the time goes, and the share of what the device can do."""
    for depth in (sizes.depths[0], sizes.depths[-1]):
        classifier, data, trainer, _ = sizes.learner(depth, 3, sizes.bf16, "none", [])
        found: Profile = profile(classifier, data, trainer)
        share = ", ".join(f"{part} {100 * ms / found.whole:.0f}%" for part, ms in found.milliseconds.items())
        say(f"ResNet-{depth} bf16, parts of a step of {found.whole:.2f} ms, each waited for", share)
        reached = found.flops / found.whole * 1000
        peaks = ", ".join(f"{reached / p:.1%} of {name} at {p / 1e12:,.1f} TFLOP/s" for name, p in found.peaks.items())
        say(f"ResNet-{depth} bf16, operations reached", f"{reached / 1e12:.2f} TFLOP/s: {peaks}")


def loops(sizes: Sizes, say: Say) -> None:
    """By hand and ours, eager."""
    for depth in sizes.depths:
        by_hand(sizes, say, depth, "none")
        say(f"ResNet-{depth} bf16, ours", steps_of(sizes, sizes.trained(depth, epochs=3, precision=sizes.bf16)))
        if depth == sizes.depths[0]:
            for precision in ("32", "tf32") if CUDA else ("32",):
                seconds = sizes.trained(depth, epochs=3, precision=precision)
                say(f"ResNet-{depth} {precision}, ours", steps_of(sizes, seconds))


def by_hand(sizes: Sizes, say: Say, depth: int, mode: str) -> None:
    """The loop by hand, three epochs, its network compiled as ours is."""
    images = synthetic(Path(), size=32, channels=3, classes=10, train=sizes.train + 256, test=256)
    parts = loop.in_memory(images, held_out=256, device="cuda" if CUDA else "cpu")
    network, seconds = sizes.network(depth), []
    if mode != "none":
        compile_in_place(network, mode)
    training = loop.each_epoch(network, parts, epochs=3, bf16=True)
    for _ in range(3):
        _wait()
        begun = time.perf_counter()
        next(training)
        _wait()
        seconds.append(time.perf_counter() - begun)
    note = "" if mode == "none" else f", compile={mode}"
    say(f"ResNet-{depth} bf16, by hand{note}, validation of 256 included", steps_of(sizes, seconds))


def compiled(sizes: Sizes, say: Say, mode: str = "default", most: int = 3) -> None:
    """Ours, compiled block by block, or as CUDA graphs, of the `most` smallest networks; by hand of the smallest."""
    for depth in sizes.depths[:most]:
        begun = time.perf_counter()
        seconds = sizes.trained(depth, epochs=3, precision=sizes.bf16, compile=mode)
        steady = statistics.median(seconds[1:])
        note = f"; the first epoch took {seconds[0] - steady:.1f} s more, {time.perf_counter() - begun:.0f} s in all"
        say(f"ResNet-{depth} bf16, ours, compile={mode}", steps_of(sizes, seconds) + note)
        if depth == sizes.depths[0]:
            by_hand(sizes, say, depth, mode)


def conventionally(sizes: Sizes, say: Say) -> None:
    """What people write, with as many workers as there are cores but one, eight at most."""
    workers = 0 if sizes.small else min(8, (os.cpu_count() or 2) - 1)
    count = sizes.train
    images = synthetic(Path(), size=32, channels=3, classes=10, train=count + 256, test=256)
    train, val = conventional.divided(images, count)
    for depth in sizes.depths[:2]:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options: dict[str, Any] = {"crop_flip": True, "workers": workers, "epochs": 2}
            seconds = conventional.epochs_of(sizes.network(depth), train, val, folder=Path(folder), **options)
        words = rate(count // 128 * 128, [0, *(wall for wall, _ in seconds)])
        say(f"ResNet-{depth} float32, conventional, {workers} workers, validation of 256 included", words)


def epoch(sizes: Sizes, say: Say) -> None:
    """One epoch of ResNet-20 by he2015, with validation, and what 64,000 steps would take."""
    depth = sizes.depths[0]
    if not sizes.small:
        sizes.train, sizes.held_out = 44_880, 5_120  # all of CIFAR-10, and whole batches to validate
    begun = time.perf_counter()
    _, _, trainer, run = sizes.learner(depth, 2, sizes.bf16, "none", [])
    run()
    curve = next(one for one in trainer.callbacks if isinstance(one, Curve))
    second = curve.rows[1]["seconds"] - curve.rows[0]["seconds"]
    images = "CIFAR-10" if sizes.data and not sizes.small else "random images"
    whole = 64_000 / trainer.num_training_batches * second / 60
    words = (
        f"{second:.2f} s (the first {curve.rows[0]['seconds']:.2f} s, {time.perf_counter() - begun:.1f} s with loading)"
    )
    say(f"ResNet-{depth} bf16, an epoch of {images} with validation", f"{words}; 64,000 steps: {whole:.1f} min")


def worker(sizes: Sizes, say: Say) -> None:
    """One of several: trains an epoch, waits for the word that all have, and says how long two more took."""
    sizes.train = sizes.of_worker
    clock = Clock()
    sizes.learner(sizes.depths[0], 3, sizes.bf16, "none", [Together(), clock])[-1]()
    say("worker", sum(clock.seconds[1:]))


PARTS: dict[str, Callable[[Sizes, Say], None]] = {
    "peak": peak,
    "loops": loops,
    "conventional": conventionally,
    "epoch": epoch,
    "compiled": compiled,
    "graphs": partial(compiled, mode="reduce-overhead", most=1),
    "worker": worker,
}
