"""What it costs to share a study: the same runs trained by one process, then by several that join each other.

    python benchmarks/joining.py [--processes 3] [--seeds 8] [--epochs 20]

Prints, for each way, the trainings begun, the steps and the seconds trained in all, and the time on the wall. Training
seconds are times on the wall as well: they agree only where every process has a core of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ablations.records.provenance import processor  # noqa: E402
from ablations.records.record import read_records  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=3, metavar="N", help="how many join (3)")
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="runs of each of two blocks (8)")
    parser.add_argument("--epochs", type=int, default=20, metavar="N", help="of each run (20)")
    options = parser.parse_args()
    versions = f"Python {platform.python_version()}, torch {metadata.version('torch')}"
    print(
        f"{2 * options.seeds} runs of {options.epochs} epochs on digits; {os.cpu_count()} × {processor()}, {versions}"
    )
    print("processes  begun   steps  training s   wall s  load before")
    alone = measure(1, options)
    shared = measure(options.processes, options)
    print(f"training seconds: {shared / alone - 1:+.1%}")


def measure(processes: int, options: argparse.Namespace) -> float:
    """Train the study with so many processes at once; the training seconds of all its runs together."""
    asked = ["block=plain,residual", "depth=8", f"seed=range({options.seeds})", f"recipe.epochs={options.epochs}"]
    asked += ["hydra/launcher=basic", "trainer.threads=1", "tracker=none"]
    load, begun = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        call = [sys.executable, str(ROOT / "run.py"), "-m", f"runs={place}", *asked]
        started = [subprocess.Popen(call, stdout=subprocess.DEVNULL) for _ in range(processes)]
        ended = [process.wait() for process in started]
        if any(ended):
            raise SystemExit("a sweep failed")
        wall = time.perf_counter() - begun
        records = read_records(Path(place))[0].values()
        starts = sum(path.read_text().count("training begins") for path in Path(place).glob("*/run.log"))
    seconds, steps = sum(record["seconds"] for record in records), sum(record["steps"] for record in records)
    print(f"{processes:9}  {starts:5}  {steps:6}  {seconds:10.1f}  {wall:7.1f}  {load:11.1f}", flush=True)
    return seconds


if __name__ == "__main__":
    main()
