"""What the diagnostics cost: the same run with and without them, in turn, in one process.

    python benchmarks/diagnostics.py [PAIRS]

Prints a row of a Markdown table for each setting: the extra time over the time spent in epochs, by the processor's
clock (which other processes move less) and by the wall's, median and quartiles over the pairs.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SETTINGS = {  # at one thread; an epoch of CIFAR-10 has 351 batches, so that its share is smaller than that of 20
    "digits, residual-20, 10 batches an epoch": ("data=digits", "depth=20", "recipe.epochs=10"),
    "digits, highway-20, 10 batches an epoch": ("data=digits", "depth=20", "recipe.epochs=10", "block=highway"),
    "32×32, residual-20, 20 batches an epoch": (
        *("data=synthetic", "network=cifar", "depth=20", "recipe=he2015_short", "recipe.epochs=1"),
        *("data.source.train=2688", "data.source.test=128", "data.held_out=128"),
    ),
}


def composed(*overrides: str) -> DictConfig:
    OmegaConf.register_new_resolver("folder", lambda: "folder", replace=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        fixed = ["trainer=cpu", "trainer.threads=1", "tracker=none"]
        return compose("config", overrides=[*fixed, *overrides], return_hydra_config=True)


def timed(config: DictConfig) -> tuple[float, float, float]:
    """Processor and wall seconds of a whole run, and the wall seconds of its epochs."""
    import run
    from hydra_plugins.skipbench._compose import run_of

    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        record = run.train(config, run_of(config, config.hydra), Path(folder) / "run", alone=False)
        return time.process_time() - cpu, time.perf_counter() - wall, record["seconds"]


def extra(overrides: tuple[str, ...], pairs: int) -> tuple[list[float], list[float], float]:
    """Percent of the epochs' time that the diagnostics add, by either clock, for each pair; seconds without them."""
    configs = [composed(*overrides, f"diagnostics={on}") for on in ("false", "true")]
    for config in configs:
        timed(config)
    cpu, wall, alone = [], [], []
    for k in range(pairs):
        order = (0, 1) if k % 2 else (1, 0)
        found = {which: timed(configs[which]) for which in order}
        share = found[0][2] / found[0][1]  # of the run that is in epochs
        cpu.append(100 * (found[1][0] / found[0][0] - 1) / share)
        wall.append(100 * (found[1][1] / found[0][1] - 1) / share)
        alone.append(found[0][0] * share)
    return cpu, wall, statistics.median(alone)


def words(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:+.1f}% ({low:+.1f} to {high:+.1f})"


def main(pairs: int = 9) -> None:
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, one thread, torch {torch.__version__}\n"
    )
    print("| setting | pairs | seconds in epochs | extra, processor's clock | extra, wall's |\n|---|---|---|---|---|")
    for name, overrides in SETTINGS.items():
        cpu, wall, alone = extra(overrides, pairs)
        print(f"| {name} | {pairs} | {alone:.1f} | {words(cpu)} | {words(wall)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
