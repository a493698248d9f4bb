"""A whole sweep, from the shell to the finished table, beside the loop one writes by hand for the same runs.

    python benchmarks/sweep.py [twelve | headline] [--times 3]

`twelve`: plain and residual at depth 8 and 20, three seeds, 10 epochs on digits; the loop trains them one after the
other in one process with two threads. `headline`: the 27 runs of the headline study; the loop trains two at a time, one
thread each. Ours is `python run.py -m` with all that a study has on: records, curves, diagnostics, W&B offline, the
table, the verdicts and the page. Both are started by a shell, alternately, and timed from start to end; ours also until
its table stands there, after which W&B's copy of it is made.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOP = {"twelve": ["--threads", "2", "--workers", "1"], "headline": ["--threads", "1", "--workers", "2"]}
OURS = {"twelve": ["block=plain,residual", "depth=8,20", "seed=range(3)"], "headline": []}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", default="twelve", choices=LOOP)
    parser.add_argument("--times", type=int, default=3, metavar="N", help="how often each, alternately (3)")
    options = parser.parse_args()
    print("loop: shell to end    its runs alone    ours: to its table    to its end    table / loop    load before")
    rows = [row(options.runs) for _ in range(options.times)]
    whole, inside, table, end = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"median of {options.times}: loop {whole:.1f} s ({inside:.1f} s without imports), ours {table:.1f} s", end="")
    print(f" to its table and {end:.1f} s to its end")
    print(f"table / loop from the shell: {table / whole:.2f}; (table − 8 s) / loop's runs: {(table - 8) / inside:.2f}")


def row(runs: str) -> tuple[float, float, float, float]:
    """Seconds of the loop, of its runs without the imports, and of the sweep to its table and to its end."""
    load = os.getloadavg()[0]
    whole, _, printed = timed(str(ROOT / "benchmarks" / "loop.py"), runs, *LOOP[runs])
    found = re.search(r"thread\(s\), \d+ at a time: ([\d.]+) s", printed)
    if found is None:
        raise SystemExit(f"the loop printed no seconds: {printed}")
    with tempfile.TemporaryDirectory() as place:
        end, table, _ = timed(str(ROOT / "run.py"), "-m", *OURS[runs], f"runs={place}", "tracker=offline")
    columns = f"{whole:18.1f} {float(found[1]):17.1f} {table:21.1f} {end:13.1f} {table / whole:15.2f} {load:14.1f}"
    print(columns, flush=True)
    return whole, float(found[1]), table, end


def timed(*call: str) -> tuple[float, float, str]:
    """Wall seconds of a Python program to its end and to the line below its table, and what it printed."""
    began, table, lines = time.perf_counter(), 0.0, []
    with subprocess.Popen([sys.executable, *call], stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as process:
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("Mean ±"):
                table = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(call)} ended with {process.returncode}")
    return time.perf_counter() - began, table, "".join(lines)


if __name__ == "__main__":
    main()
