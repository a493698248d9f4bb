"""A training as one writes it by hand: the yardstick of everything else here.

    python benchmarks/loop.py [twelve | headline] [--threads N] [--workers N] [--epochs N]

The networks, data, batches, memory format, optimiser and schedule of `recipe=digits_quick`, and nothing around them:
the images lie in memory as normalised float32, sums of loss and errors are kept on the device and read once an
epoch, the validation part is looked at after every epoch and the test part once. No file is written, nothing augmented.
Prints the seconds of each run and of all, without imports.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lightning_modules.data.cifar import cifar10  # noqa: E402
from lightning_modules.data.digits import digits  # noqa: E402
from lightning_modules.data.images import Images  # noqa: E402
from lightning_modules.data.parts import split, statistics  # noqa: E402
from lightning_modules.data.synthetic import synthetic  # noqa: E402
from lightning_modules.networks.blocks import Highway, Plain, Residual  # noqa: E402
from lightning_modules.networks.bodies import Basic  # noqa: E402
from lightning_modules.networks.cifar import CifarNet  # noqa: E402
from lightning_modules.networks.inits import he_fan_out  # noqa: E402
from lightning_modules.networks.norms import Batch  # noqa: E402
from lightning_modules.networks.shortcuts import A  # noqa: E402
from lightning_modules.training.schedules import cosine  # noqa: E402

Part = tuple[Tensor, Tensor]
Means = dict[str, float]
RUNS = {
    "twelve": [*product(("plain", "residual"), (8, 20), (0, 1, 2))],
    "headline": [*product(("plain", "residual", "highway"), (8, 20, 56), (0, 1, 2))],
}


class Parts(NamedTuple):
    """Normalised float32 images (N, C, H, W) in channels_last memory and labels, of a data set's three parts."""

    train: Part
    val: Part
    test: Part


def digits_in_memory() -> Parts:
    """As `data=digits`: 1,280 to train, 157 held out, 360 to test."""
    return in_memory(digits(Path()), held_out=157)


def cifar_in_memory(folder: Path | None = None, *, train: int = 11_520, test: int = 1280) -> Parts:
    """CIFAR-10 (the first `train` images and `test` each to validate and test) from `folder`, or random images."""
    if folder is None:
        images = synthetic(Path(), size=32, channels=3, classes=10, train=train + test, test=test)
    else:
        found, n = cifar10(folder), train + test
        images = Images(
            found.train_images[:n], found.train_labels[:n], found.test_images[:test], found.test_labels[:test]
        )
    return in_memory(images, held_out=test)


def in_memory(images: Images, *, held_out: int, device: torch.device | str = "cpu") -> Parts:
    """The images as the network wants them, split as `ImageData` splits them."""
    train, val = split(images.train_labels, held_out, split_seed=0)
    mean, std = (torch.from_numpy(of).float().view(1, -1, 1, 1) for of in statistics(images.train_images, train))

    def part(pixels: Tensor, labels: Tensor) -> Part:
        ready = pixels.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        return ready.sub_(mean).div_(std).to(device), labels.to(device)

    pixels, labels = torch.from_numpy(images.train_images), torch.from_numpy(images.train_labels)
    others = torch.from_numpy(images.test_images), torch.from_numpy(images.test_labels)
    return Parts(part(pixels[train], labels[train]), part(pixels[val], labels[val]), part(*others))


def build(
    block: str, depth: int, seed: int, *, in_channels: int = 1, widths: tuple[int, ...] = (8, 16, 32)
) -> nn.Module:
    """The network of `block=… depth=… seed=…`, by default for digits; `widths=(16, 32, 64)` is the CIFAR family's."""
    body = partial(Basic, norm=Batch, activation=nn.ReLU)
    kinds = {
        "plain": partial(Plain, body=body, activation=nn.ReLU),
        "residual": partial(Residual, body=body, shortcut=A, activation=nn.ReLU),
        "highway": partial(Highway, body=body, shortcut=A, activation=nn.ReLU, gate_bias=-2),
    }
    torch.manual_seed(seed)
    rest = {"norm": Batch, "activation": nn.ReLU, "init": he_fan_out, "widths": widths}
    return CifarNet(depth, 1, in_channels, 10, block=kinds[block], **rest)


def train(network: nn.Module, parts: Parts, *, epochs: int = 10, batch: int = 128, bf16: bool = False) -> Means:
    """Train, validate after every epoch, test once; returns the last epoch's losses and errors."""
    *_, means = each_epoch(network, parts, epochs=epochs, batch=batch, bf16=bf16)
    with torch.autocast(parts.test[0].device.type, torch.bfloat16, enabled=bf16):
        return means | evaluate(network, parts.test, batch, "test")


def each_epoch(
    network: nn.Module, parts: Parts, *, epochs: int, batch: int = 128, lr: float = 0.1, bf16: bool = False
) -> Iterator[Means]:
    """Train and validate, an epoch each time the next means are asked for.

    Args:
        bf16: autocast, as `recipe.precision=bf16-mixed` does.
    """
    (images, labels), device = parts.train, parts.train[0].device
    network = network.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    steps = len(labels) // batch
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    schedule = cosine(optimizer, total_steps=epochs * steps, warmup=0.2)
    autocast = partial(torch.autocast, device.type, torch.bfloat16, enabled=bf16)
    for _ in range(epochs):
        network.train()
        loss_sum, wrong = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
        for chosen in torch.randperm(len(labels), device=device)[: steps * batch].view(steps, batch):
            x, y = images[chosen], labels[chosen]
            optimizer.zero_grad(set_to_none=True)
            with autocast():
                logits = network(x)
                loss = F.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.detach() * batch
            wrong += (logits.detach().argmax(1) != y).sum()
        means = {"train_loss": loss_sum.item() / (steps * batch), "train_error": 100 * wrong.item() / (steps * batch)}
        with autocast():
            means |= evaluate(network, parts.val, batch, "val")
        yield means


@torch.no_grad()
def evaluate(network: nn.Module, part: Part, batch: int, name: str) -> Means:
    """Mean loss and error in percent of a part."""
    network.eval()
    device, count = part[0].device, len(part[1])
    loss_sum, wrong = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
    for x, y in zip(part[0].split(batch), part[1].split(batch), strict=True):
        logits = network(x)
        loss_sum += F.cross_entropy(logits, y, reduction="sum")
        wrong += (logits.argmax(1) != y).sum()
    return {f"{name}_loss": loss_sum.item() / count, f"{name}_error": 100 * wrong.item() / count}


def timed(run: tuple[str, int, int], epochs: int = 10) -> tuple[float, float, Means]:
    """Wall and processor seconds of one run on digits, building included, and what it came to."""
    parts = digits_in_memory()
    wall, busy = time.perf_counter(), time.process_time()
    means = train(build(*run), parts, epochs=epochs)
    return time.perf_counter() - wall, time.process_time() - busy, means


def main(arguments: Iterable[str] | None = None) -> float:
    """Train the runs of a list; print and return the wall seconds of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", default="twelve", choices=RUNS)
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each process (1)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="runs at a time, a process each (1)")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="of each run (10)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    runs = RUNS[options.runs]
    context = get_context("spawn")
    with ProcessPoolExecutor(options.workers, context, torch.set_num_threads, (options.threads,)) as pool:
        [*pool.map(timed, runs[: options.workers], [1] * options.workers)]  # imports and first uses
        started = time.perf_counter()
        found = [*pool.map(timed, runs, [options.epochs] * len(runs))]
        wall = time.perf_counter() - started
    for (block, depth, seed), (seconds, busy, means) in zip(runs, found, strict=True):
        print(
            f"{block}-{depth}-s{seed}: {seconds:.2f} s ({busy:.2f} s of processor), error {means['train_error']:.1f}%"
        )
    sums = [sum(row[k] for row in found) for k in (0, 1)]
    each = f"each with {options.threads} thread(s), {options.workers} at a time"
    print(f"{len(runs)} runs, {each}: {wall:.2f} s; sum of runs {sums[0]:.2f} s, of processor {sums[1]:.2f} s")
    return wall


if __name__ == "__main__":
    main()
