"""Measure whether a training step is faster with several CPU threads than with one: alone, and beside a busy core.

    python benchmarks/threads.py [--threads 2] [--rounds 9] [--only WORDS]

A step is forward, loss, backward and SGD on a batch that lies in memory. Blocks of steps with one thread and with
several take turns in one process. "Beside" means that another process keeps one core busy. Prints rows of a Markdown
table: the ratio is the seconds with several threads over those with one, so that below 1 several are faster.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import loop  # noqa: E402
from lightning_modules.networks.counting import multiply_adds  # noqa: E402

BATCH, BLOCK = 128, 0.3  # images, and seconds that a block of steps takes at least
GREY, COLOUR = (1, 8, 8), (3, 32, 32)
SETTINGS: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {
    "digits, ResNet-8": (GREY, {"depth": 8}),
    "digits, ResNet-20": (GREY, {"depth": 20}),
    "digits, ResNet-56": (GREY, {"depth": 56}),
    "digits, ResNet-110": (GREY, {"depth": 110}),
    "32×32, ResNet-8 of a quarter of the width": (COLOUR, {"depth": 8, "in_channels": 3, "widths": (4, 8, 16)}),
    "32×32, ResNet-8 of half the width": (COLOUR, {"depth": 8, "in_channels": 3, "widths": (8, 16, 32)}),
    "32×32, ResNet-8": (COLOUR, {"depth": 8, "in_channels": 3, "widths": (16, 32, 64)}),
    "32×32, ResNet-20": (COLOUR, {"depth": 20, "in_channels": 3, "widths": (16, 32, 64)}),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N", help="several (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="blocks of each kind (9)")
    parser.add_argument("--only", default="", metavar="WORDS", help="settings whose name holds these words (all)")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    print("| setting | multiply-adds of a batch | n | ms a step with 1 | ratio alone | ratio beside a busy core |")
    print("|---|---|---|---|---|---|", flush=True)
    for name, (shape, network) in SETTINGS.items():
        if options.only not in name:
            continue
        step, operations = training_step(shape, network)
        alone, ratio = compared(step, options.threads, options.rounds)
        with busy_core():
            _, beside = compared(step, options.threads, options.rounds)
        cells = (name, f"{operations / 1e6:,.0f} M", options.rounds, f"{1000 * alone:.1f}", ratio, beside)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def training_step(shape: tuple[int, int, int], options: dict[str, Any]) -> tuple[Callable[[], object], int]:
    """A function that trains one step, and the multiply-adds of the forward pass of its batch."""
    network = loop.build("residual", seed=0, **options).to(memory_format=torch.channels_last)  # pyright: ignore
    images = torch.rand(BATCH, *shape).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (BATCH,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return step, BATCH * multiply_adds(network, shape)


def compared(step: Callable[[], object], threads: int, rounds: int) -> tuple[float, str]:
    """Median seconds of a step with one thread, and `median (quartiles)` of the ratios of neighbouring blocks."""
    seconds_of(step, 1, steps=2)
    steps = max(1, round(BLOCK / seconds_of(step, 1, steps=3)))
    pairs: list[tuple[float, float]] = []
    for k in range(rounds):
        order = (1, threads) if k % 2 else (threads, 1)
        found = {count: seconds_of(step, count, steps=steps) for count in order}
        pairs.append((found[1], found[threads]))
    low, middle, high = statistics.quantiles([several / one for one, several in pairs], n=4, method="inclusive")
    return statistics.median(one for one, _ in pairs), f"{middle:.2f} ({low:.2f} to {high:.2f})"


def seconds_of(step: Callable[[], object], threads: int, *, steps: int) -> float:
    """Seconds on the wall of one step."""
    torch.set_num_threads(threads)
    step()
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - begun) / steps


@contextmanager
def busy_core() -> Iterator[None]:
    """Inside, another process computes all the time."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


if __name__ == "__main__":
    main()
