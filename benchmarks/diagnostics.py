"""What the diagnostics cost: one training in which every other epoch goes without them.

    python benchmarks/diagnostics.py [PAIRS]

Prints a row of a Markdown table for each setting: how much longer an epoch (training, validation, writing the file)
takes with them than the one beside it without, by the processor's clock, which other processes move less than the
wall's: median and quartiles over the pairs, mean and its standard error.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ablations.records.recorder import Recorder  # noqa: E402
from lightning_modules.inspection.diagnostics import Diagnostics  # noqa: E402
from lightning_modules.training.classifier import Classifier  # noqa: E402
from lightning_modules.training.fit import fit  # noqa: E402
from lightning_modules.training.history import Curve  # noqa: E402
from sweeps.compose.compose import run_of  # noqa: E402
from sweeps.one_run import build  # noqa: E402

CIFAR_SIZED = ("data=synthetic", "network=cifar", "recipe=he2015_short", "data.source.test=128", "data.held_out=128")
SETTINGS = {  # an epoch of CIFAR-10 has 351 batches: the share of one is smaller there than in one of 10
    "digits 8×8, residual-20, 10 batches an epoch": ("data=digits",),
    "digits 8×8, highway-20, 10 batches an epoch": ("data=digits", "block=highway"),
    "32×32, residual-20, 10 batches an epoch": (*CIFAR_SIZED, "data.source.train=1408"),
}


class EveryOther(Diagnostics):
    """Off, on, on, off, and so on; keeps the processor seconds of every epoch."""

    def __init__(self, on_rows: Any) -> None:
        super().__init__(on_rows)
        self.seconds: list[float] = []

    def on_train_start(self, *both: Any) -> None:
        super().on_train_start(*both)
        self.kept = self.probe

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.probe = self.kept if len(self.seconds) % 4 in (1, 2) else None
        self.started = time.process_time()

    def on_train_epoch_end(self, *both: Any) -> None:
        super().on_train_epoch_end(*both)
        self.seconds.append(time.process_time() - self.started)


def composed(*overrides: str) -> DictConfig:
    OmegaConf.register_new_resolver("folder", lambda: "folder", replace=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=["trainer=cpu", "trainer.threads=1", *overrides], return_hydra_config=True)


def extra(config: DictConfig) -> tuple[list[float], float]:
    """Percent that the diagnostics add to each epoch with them; median seconds of an epoch without."""
    network, data, recipe = build(config)
    with tempfile.TemporaryDirectory() as folder:
        recorder, curve = Recorder(run_of(config, config.hydra), Path(folder)), Curve(lambda rows, new: None)
        inside = EveryOther(lambda rows, new: recorder.diagnostics(rows))
        trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[curve, inside])
        fit(Classifier(network, recipe, seed=0), data, trainer, curve)
    first, second = inside.seconds[4::2], inside.seconds[5::2]  # the first four warm up
    pairs = [(a, b) if k % 2 == 0 else (b, a) for k, (a, b) in enumerate(zip(first, second, strict=True))]
    return [100 * (on / off - 1) for off, on in pairs], statistics.median(off for off, _ in pairs)


def main(pairs: int = 24) -> None:
    print(f"CPU, one thread, torch {torch.__version__}\n")
    print("| setting | pairs | seconds an epoch | extra, median (quartiles) | mean |\n|---|---|---|---|---|")
    for name, overrides in SETTINGS.items():
        values, seconds = extra(composed(*overrides, "depth=20", f"recipe.epochs={2 * pairs + 4}"))
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        spread, mean = statistics.stdev(values) / len(values) ** 0.5, statistics.mean(values)
        words = f"{middle:+.1f}% ({low:+.1f} to {high:+.1f}) | {mean:+.1f} ± {spread:.1f}%"
        print(f"| {name} | {pairs} | {seconds:.2f} | {words} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
