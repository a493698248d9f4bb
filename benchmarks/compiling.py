"""What compiling costs by depth: the seconds of the first step that steady ones do not have.

    python benchmarks/compiling.py [--depths 8 20 56 110] [--modes default whole]

`default` is `trainer.compile=default`: block by block. `whole` compiles the network in one piece, to compare. Each
measurement is a process of its own with an empty compile cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

STEADY = 5


def main() -> None:
    """Measure and print a row of a Markdown table for each depth and mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[8, 20, 56, 110], metavar="N")
    parser.add_argument("--modes", nargs="+", default=["default", "whole"], choices=["default", "whole"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        first, steady = measured(options.depths[0], options.modes[0])
        print(f"| {options.depths[0]} | {options.modes[0]} | {first - steady:.1f} s | {1000 * steady:.1f} ms |")
        return
    print("| depth | compiled | the first step takes longer by | a step then |\n|---|---|---|---|")
    for mode in options.modes:
        for depth in options.depths:
            with tempfile.TemporaryDirectory() as cache:
                call = [sys.executable, __file__, "--here", "--depths", str(depth), "--modes", mode]
                environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache}
                done = subprocess.run(call, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            print(done.stdout.strip(), flush=True)


def measured(depth: int, mode: str) -> tuple[float, float]:
    """Seconds of the first step, and the median of some later ones, on digits."""
    import torch

    from benchmarks import loop
    from lightning_modules.training.compiled import compile_in_place

    network, images, labels = loop.build("residual", depth, 0), torch.rand(128, 1, 8, 8), torch.randint(10, (128,))
    if mode == "whole":
        network.compile(dynamic=False)
    else:
        compile_in_place(network, mode)
    seconds = []
    for _ in range(1 + STEADY):
        begun = time.perf_counter()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return seconds[0], statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
