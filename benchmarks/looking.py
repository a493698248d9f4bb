"""Simulate how often a t test that is repeated after every seed rejects a true null hypothesis at some look.

    python benchmarks/looking.py                      # 10,000,000 paths; writes ablations/analysis/looking.csv

A path is a sequence of independent normal numbers with mean zero. Its one-sided p value is computed after 3, 4, …
numbers. A row of the table is a p value, a column a horizon H, an entry the share of the paths whose p value is at or
below the row's at one look or more from 3 to H. It depends on nothing else: t has no unit. The table is what
`looking.py` inverts.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.special import stdtr

TABLE = Path(__file__).parents[1] / "ablations" / "analysis" / "looking.csv"
FIRST = 3
HORIZONS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)
P_VALUES = np.logspace(-6, np.log10(0.5), 81)
CHUNK = 20_000


def shares(paths: int, seed: int = 0) -> np.ndarray:
    """The share of paths with p ≤ P_VALUES[i] at some look up to HORIZONS[j], as an array [i, j]."""
    rng, last = np.random.default_rng(seed), HORIZONS[-1]
    n = np.arange(1, last + 1)
    counts, done = np.zeros((len(P_VALUES), len(HORIZONS))), 0
    while done < paths:
        x = rng.standard_normal((CHUNK, last))
        mean, square = x.cumsum(1) / n, (x * x).cumsum(1)
        sd = np.sqrt((square - n * mean**2)[:, FIRST - 1 :] / (n - 1)[FIRST - 1 :])
        t = mean[:, FIRST - 1 :] * np.sqrt(n[FIRST - 1 :]) / sd
        least = np.minimum.accumulate(stdtr((n - 1)[FIRST - 1 :], -t), axis=1)
        for j, horizon in enumerate(HORIZONS):
            counts[:, j] += np.searchsorted(np.sort(least[:, horizon - FIRST]), P_VALUES, side="right")
        done += CHUNK
    return counts / done


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--paths", type=int, default=10_000_000)
    paths = parser.parse_args().paths
    table = shares(paths)
    with open(TABLE, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["p", *HORIZONS])
        writer.writerows(
            [f"{p:.6g}", *(f"{share:.4g}" for share in row)] for p, row in zip(P_VALUES, table, strict=True)
        )
    print(f"written: {TABLE.name}, from {paths:,} paths")


if __name__ == "__main__":
    main()
