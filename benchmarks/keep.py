"""What keeping the weights costs a run: `keep=final`, `keep=best` and the state of a constant schedule.

    python benchmarks/keep.py [--rounds N] [--depth N] [--epochs N]

Trains the same ResNet on digits in this process with each value of `keep` in turn, record and all, so that what else
the machine does slows all alike; the order is turned around every other round. Prints the ratio of the processor time
to that of `keep=nothing` in the same round: its median, and the middle half of the rounds. The first is not counted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from shutil import rmtree
from statistics import median, quantiles
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from omegaconf import DictConfig  # noqa: E402

from sweeps.compose.compose import run_of  # noqa: E402
from sweeps.one_run import train  # noqa: E402
from tests.lightning_modules.trained import composed  # noqa: E402

WAYS = {
    "keep=nothing": ["keep=nothing"],
    "keep=final": ["keep=final"],
    "keep=best": ["keep=best"],
    "keep=nothing, constant": ["keep=nothing", "schedule=constant"],
    "keep=final, constant": ["keep=final", "schedule=constant"],
}


def timed(config: DictConfig, folder: Path) -> tuple[float, int]:
    """Train one run; return its seconds of processor and the bytes of weights and state that it has kept."""
    begun = time.process_time()
    train(config, run_of(config, config.hydra), folder, alone=False)
    seconds = time.process_time() - begun
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name in ("weights.safetensors", "state.ckpt"))
    rmtree(folder)
    return seconds, size


def main(arguments: Iterable[str] | None = None) -> dict[str, float]:
    """Measure; print and return the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="(15)")
    parser.add_argument("--depth", type=int, default=8, metavar="N", help="(8)")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="(10)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    logging.disable(logging.INFO)
    words = [f"depth={options.depth}", f"recipe.epochs={options.epochs}"]
    configs = {name: composed(*words, *more) for name, more in WAYS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    sizes: dict[str, int] = {}
    with TemporaryDirectory() as runs:
        for turn in range(1 + options.rounds):
            for name in list(configs)[:: -1 if turn % 2 else 1]:
                taken, sizes[name] = timed(configs[name], Path(runs) / "run")
                seconds[name] += [taken] if turn else []
    found = {}
    for name, of in seconds.items():
        base = seconds["keep=nothing, constant" if "constant" in name else "keep=nothing"]
        ratios = [one / other for one, other in zip(of, base, strict=True)]
        found[name] = median(ratios)
        low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
        print(
            f"{name:24} {median(of):6.3f} s  × {found[name]:.3f} ({low:.3f} to {high:.3f})  {sizes[name] / 1000:.0f} kB"
        )
    return found


if __name__ == "__main__":
    main()
