"""How long a thousand simulated searches take, for each sampler.

    python benchmarks/simulator.py benchmarks/landscape/landscape.parquet            # 1,000 searches of 50 trials each
    python benchmarks/simulator.py table.parquet --searches 100 --samplers random,tpe

Two processes of one thread share the searches, which differ in their seeds. A line is a sampler: seconds of the clock,
processor seconds of a search, and, of these searches, the mean and standard deviation of the best validation error.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev

import skipbench
from ablations.catalog.choices import CONF, config_files
from ablations.search.table import Table

PROCESSES = 2
SKIPPED = ("gp", "nsgaii", "nsgaiii", "cmaes")  # for hundreds of trials, real axes or several objectives; or with torch

_tables: dict[Path, Table] = {}


def one(path: Path, sampler: str, trials: int, seed: int) -> tuple[float, float]:
    """The best error of a search, and its processor seconds."""
    table = _tables[path] if path in _tables else _tables.setdefault(path, skipbench.table(path))
    began = time.process_time()
    found = skipbench.simulate(table, sampler=sampler, trials=trials, seed=seed)
    return float(found.best.iloc[-1]), time.process_time() - began


def measure(path: Path, sampler: str, *, searches: int, trials: int) -> tuple[float, list[tuple[float, float]]]:
    """The seconds that some searches take together, and what `one` says of each."""
    with get_context("forkserver").Pool(PROCESSES) as pool:
        pool.map(partial(one, path, sampler, 1), range(PROCESSES), chunksize=1)  # reads the table
        began = time.perf_counter()
        found = pool.map(partial(one, path, sampler, trials), range(searches), chunksize=10)
        return time.perf_counter() - began, found


def main() -> None:
    """Measure each sampler and print a line of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--searches", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=50)
    every = ",".join(name for name in config_files(CONF / "sampler") if name not in SKIPPED)
    parser.add_argument("--samplers", default=every)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(
        f"{skipbench.table(asked.table)!r}, {asked.searches} searches of {asked.trials} trials, {PROCESSES} processes"
    )
    for sampler in asked.samplers.split(","):
        seconds, found = measure(asked.table, sampler, searches=asked.searches, trials=asked.trials)
        best, cpu = zip(*found, strict=True)
        spread = f"{fmean(best):.2f} ± {stdev(best):.2f}"
        print(f"{sampler:<10} {seconds:7.1f} s, {1000 * fmean(cpu):6.1f} ms of a processor a search, best {spread}")


if __name__ == "__main__":
    main()
