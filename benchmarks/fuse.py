"""What trainer.fuse gives: K trainings as one program against the same K one after the other.

    python benchmarks/fuse.py [--quick] [--device cpu|cuda] [--threads N] [--rounds N] [--counts K …] [-- OVERRIDE …]

Both are whole trainings by the Trainer, with their curves and diagnostics, validated every epoch and tested once. They
take turns (A/B, B/A, …), after one round that is not counted, by the processor's clock where one thread computes, which
other processes move less than the wall's, else by the wall's. Prints rows of a Markdown table: images of all K networks
a second, median and best of the rounds, the median of the rounds' ratios with its range, and the most memory that each
way took beyond what the process had before (on a CPU resident memory, on a GPU what tensors took).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lightning_modules.inspection.diagnostics import Diagnostics  # noqa: E402
from lightning_modules.training.classifier import Classifier  # noqa: E402
from lightning_modules.training.fit import fit  # noqa: E402
from lightning_modules.training.history import Curve  # noqa: E402
from lightning_modules.vmapped.fused import fused, train_in_lockstep  # noqa: E402
from sweeps.training import build  # noqa: E402

CIFAR_SIZED = ("data=synthetic", "network=cifar", "recipe=he2015_short", "data.source.test=128", "data.held_out=128")
SETTINGS = {  # overrides, and how many training images of a synthetic set and epochs there are on a CPU and on a GPU
    "digits 8×8, residual-8": (("data=digits", "depth=8"), {"cpu": (None, 3), "cuda": (None, 10)}),
    "digits 8×8, residual-20": (("data=digits", "depth=20"), {"cpu": (None, 2), "cuda": (None, 5)}),
    "32×32, residual-20": ((*CIFAR_SIZED, "depth=20"), {"cpu": (512, 1), "cuda": (10240, 2)}),
}
COUNTS = (1, 2, 4, 8, 16)


def composed(*overrides: str) -> DictConfig:
    OmegaConf.register_new_resolver("folder", lambda: "folder", replace=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True)


def training(config: DictConfig, seed: int, turn: Any = None) -> int:
    """Train one network; how many images it was trained on."""
    config = config.copy()
    config.seed = seed
    network, data, recipe = build(config)
    curve = Curve(lambda rows, new: None)
    watchers = [curve, Diagnostics(lambda rows, new: None)]
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
    learner = Classifier(network, recipe, seed=seed)
    done = fit(fused(learner, turn, curve) if turn else learner, data, trainer, curve)
    return done.steps * recipe.batch_size


def one_by_one(config: DictConfig, count: int) -> int:
    return sum(training(config, seed) for seed in range(count))


def together(config: DictConfig, count: int) -> int:
    images: list[int] = []
    bodies = [lambda turn, seed=seed: images.append(training(config, seed, turn)) for seed in range(count)]
    trouble = train_in_lockstep(bodies, known=True, faster=False)
    if trouble:
        raise SystemExit(f"not trained together: {trouble}")
    return sum(images)


def measured(run: Callable[[], int], *, cuda: bool) -> tuple[float, float]:
    """Images a second, and MiB at most beyond what there was before."""
    gc.collect()
    before = memory_reset(cuda=cuda)
    clock = time.perf_counter if cuda or torch.get_num_threads() > 1 else time.process_time
    begun = clock()
    images = run()
    seconds = clock() - begun
    return images / seconds, (memory_most(cuda=cuda) - before) / 2**20


def memory_reset(*, cuda: bool) -> float:
    """Begin to look for the most memory in use; bytes in use now."""
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if platform.system() == "Linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", "utf-8")
    return resident("VmRSS")


def memory_most(*, cuda: bool) -> float:
    return torch.cuda.max_memory_allocated() if cuda else resident("VmHWM")


def resident(name: str) -> float:
    """Bytes, as Linux counts them; nothing where there is no such count."""
    status = Path("/proc/self/status")
    lines = status.read_text("utf-8").splitlines() if status.exists() else []
    return next((1024 * float(line.split()[1]) for line in lines if line.startswith(name)), float("nan"))


def compared(config: DictConfig, count: int, rounds: int, *, cuda: bool) -> str:
    """A row of the table, after the first two cells."""
    ways = [partial(one_by_one, config, count), partial(together, config, count)]
    found: list[list[tuple[float, float]]] = [[], []]
    for turn in range(rounds + 1):
        for k in (0, 1) if turn % 2 else (1, 0):
            found[k].append(measured(ways[k], cuda=cuda))
    speeds = [[speed for speed, _ in each[1:]] for each in found]
    ratios = [b / a for a, b in zip(*speeds, strict=True)]
    cells = [f"{statistics.median(each):,.0f} ({max(each):,.0f})" for each in speeds]
    cells += [f"{statistics.median(ratios):.2f}× ({min(ratios):.2f} to {max(ratios):.2f})"]
    cells += [f"{max(memory for _, memory in each):,.0f}" for each in found]
    return " | ".join(cells)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    asked.add_argument("--threads", type=int, default=1)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="K")
    asked.add_argument("overrides", nargs="*")
    chosen = asked.parse_args()
    warnings.filterwarnings("ignore", message="The '.*_dataloader' does not have many workers")
    cuda = chosen.device == "cuda"
    settings = list(SETTINGS.items())[: 1 if chosen.quick else None]
    settings = settings[::-1] if cuda else settings  # of a GPU the largest tells most
    counts, rounds = (COUNTS[1:2], 1) if chosen.quick else (chosen.counts, chosen.rounds)
    torch.set_num_threads(chosen.threads)
    device = torch.cuda.get_device_name() if cuda else f"CPU, {chosen.threads} thread(s)"
    print(f"{device}, torch {torch.__version__}, {rounds} rounds\n")
    print("| setting | K | one by one, images/s (best) | together (best) | ratio | MiB | MiB together |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, (overrides, sizes) in settings:
        images, epochs = sizes[chosen.device]
        size = [f"data.source.train={images + 128}"] if images else []
        where = [f"trainer={'gpu' if cuda else 'cpu'}", f"trainer.threads={chosen.threads}"]
        length = [f"recipe.epochs={1 if chosen.quick else epochs}", "recipe.steps=null"]
        config = composed(*where, *overrides, *size, *length, *chosen.overrides)
        for count in counts:
            print(f"| {name} | {count} | {compared(config, count, rounds, cuda=cuda)} |", flush=True)


if __name__ == "__main__":
    main()
