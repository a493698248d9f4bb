"""Simulate how often the interval over seeds and images holds the truth, and how often an agreement is judged wrongly.

    python benchmarks/crossed.py                        # 2,000 draws a row; some 20 minutes on one core
    python benchmarks/crossed.py --draws 2000 --seeds 3 5 --images 157
    python benchmarks/crossed.py --agreement            # 100,000 draws a row

A draw is a matrix (seeds, images) of errors in points. `normal`: normal effects of seed, image and both. Others: each
run is wrong with probability sigmoid(α + seed + image), with normal effects in log odds and α such that the error has
the given rate. The two cells of a contrast have seed effects of their own; their image effects correlate by 0.7, or
equal each other (`nested`: what the better cell gets wrong, the other mostly does too).

Prints Markdown: the coverage in percent of the 95% interval over new images too, of the same with the degrees of
freedom of Hillis 2007 and nothing else, and of Student's interval over the seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, stdtrit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ablations.analysis.crossed import over_images
from ablations.analysis.published import agreement

# What the scatter comes from: sd of the seed and image effects, in log odds; sd of seed, image and both, in points.
SCATTER = {
    "seeds": ((0.3, 0.5), (1.0, 3.0, 5.0)),
    "images": ((0.05, 5.0), (0.05, 30.0, 5.0)),
    "interaction": ((0.02, 0.5), (0.02, 1.0, 30.0)),
    "mixed": ((0.15, 2.0), (0.4, 4.0, 8.0)),
}
# Error rates of the cells, and the correlation of their image effects.
EFFECTS = {
    "normal": (),
    "one cell, 2%": (0.02,),
    "one cell, 10%": (0.1,),
    "one cell, 30%": (0.3,),
    "2% − 2%": (0.02, 0.02, 0.7),
    "5% − 2%": (0.05, 0.02, 0.7),
    "5% − 2%, nested": (0.05, 0.02, 1.0),
    "30% − 25%": (0.3, 0.25, 0.7),
}
SEEDS, IMAGES = (3, 5, 10, 30), (157, 360, 10_000)
Interval = tuple[float, float]


def matrices(effects: str, scatter: str, seeds: int, images: int, draws: int) -> Iterator[tuple[np.ndarray, float]]:
    """Draw matrices (seeds, images) in points, each with the true mean."""
    rng, ((seed_sd, image_sd), sds) = np.random.default_rng(0), SCATTER[scatter]
    rates = EFFECTS[effects]
    for _ in range(draws):
        if not rates:
            of_seed, of_image = rng.standard_normal((seeds, 1)), rng.standard_normal(images)
            yield sds[0] * of_seed + sds[1] * of_image + sds[2] * rng.standard_normal((seeds, images)), 0.0
            continue
        shared, wrong = rng.standard_normal(images), []
        same = rates[2] if len(rates) > 2 else 0.0
        for rate in rates[:2]:
            of_image = np.sqrt(same) * shared + np.sqrt(1 - same) * rng.standard_normal(images)
            of_seed = seed_sd * rng.standard_normal((seeds, 1)) + _intercept(rate, np.hypot(seed_sd, image_sd))
            odds = (of_seed + image_sd * of_image).astype(np.float32)
            wrong.append(100.0 * (rng.random(odds.shape, dtype=np.float32) < expit(odds)))
        if len(wrong) == 1:
            yield wrong[0], 100 * rates[0]
        else:
            yield wrong[0] - wrong[1], 100 * (rates[0] - rates[1])


@lru_cache
def _intercept(rate: float, sd: float) -> float:
    """α such that the mean of sigmoid(α + sd · Z) is `rate`, by Gauss and Hermite's quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(201)
    weights = weights / weights.sum()
    return float(brentq(lambda a: weights @ expit(a + sd * points) - rate, -60.0, 20.0))


def coverage(effects: str, scatter: str, seeds: int, images: int, draws: int) -> dict[str, float]:
    """The share of draws whose interval holds the truth, for each interval; none at all counts as a miss."""
    held = {"over new images too": 0, "Hillis": 0, "seeds only": 0}
    for y, truth in matrices(effects, scatter, seeds, images, draws):
        found = over_images(y, single=effects.startswith("one cell")).interval
        for name, interval in zip(held, (found, hillis(y), seeds_only(y)), strict=True):
            held[name] += interval is not None and interval[0] - 1e-9 <= truth <= interval[1] + 1e-9
    return {name: count / draws for name, count in held.items()}


def seeds_only(y: np.ndarray) -> Interval:
    """Student's interval over the seeds' means."""
    means = y.mean(1)
    half = stdtrit(len(y) - 1, 0.975) * means.std(ddof=1) / np.sqrt(len(y))
    return means.mean() - half, means.mean() + half


def hillis(y: np.ndarray) -> Interval | None:
    """The interval with the degrees of freedom of Hillis 2007."""
    (seeds, images), mean = y.shape, y.mean()
    seed, image = y.mean(1) - mean, y.mean(0) - mean
    of_seeds = images * (seed**2).sum() / (seeds - 1)
    of_images = seeds * (image**2).sum() / (images - 1)
    rest = ((y - mean - seed[:, None] - image) ** 2).sum() / ((seeds - 1) * (images - 1))
    total = of_seeds + max(of_images - rest, 0.0)
    if not of_seeds:
        return None
    half = stdtrit(total**2 / (of_seeds**2 / (seeds - 1)), 0.975) * np.sqrt(total / y.size)
    return mean - half, mean + half


def false_agreements(
    seeds: int, runs: int, *, known: bool, ratio: float = 1.0, draws: int = 100_000
) -> tuple[float, float]:
    """How often "within 1 of published" is supported, and contradicted, where the true difference is 1.

    Args:
        seeds, runs: how many runs of ours, and of the published number.
        known: whether the published standard deviation is; of one run, as the true one.
        ratio: that standard deviation in units of ours, which is 0.2: small, so that one edge of the margin counts.
    """
    rng, sd, counts = np.random.default_rng(0), 0.2, np.zeros(2)
    ours = 1.0 + sd * rng.standard_normal((draws, seeds))
    theirs = ratio * sd * rng.standard_normal((draws, runs))
    spreads: Any = theirs.std(1, ddof=1) if runs > 1 else np.full(draws, ratio * sd)
    for values, published, spread in zip(ours.tolist(), theirs.mean(1).tolist(), spreads.tolist(), strict=True):
        found = agreement(values, published, spread if known else None, runs)
        counts += max(found.p(-1, above=True), found.p(1, above=False)) < 0.05, found.p(1, above=True) < 0.05
    return float(counts[0] / draws), float(counts[1] / draws)


def print_agreements(draws: int) -> None:
    """Print a row for each number of runs, and each spread of the published ones."""
    print("| our runs | published runs | published sd | its ratio to ours | supported at the edge | contradicted |")
    print("|---|---|---|---|---|---|")
    for seeds, runs, (known, ratio) in product((3, 5, 10), (1, 5), ((True, 0.25), (True, 1), (True, 4), (False, 1))):
        supported, contradicted = false_agreements(seeds, runs, known=known, ratio=ratio, draws=draws)
        word = "known" if known else "unknown"
        print(f"| {seeds} | {runs} | {word} | {ratio:g} | {supported:.2%} | {contradicted:.2%} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES)
    parser.add_argument("--agreement", action="store_true")
    options = parser.parse_args()
    if options.agreement:
        print_agreements(options.draws or 100_000)
        return
    print("| seeds | images | effects | scatter from | over new images too | Hillis | seeds only |")
    print("|---|---|---|---|---|---|---|")
    for seeds, images, effects, scatter in product(options.seeds, options.images, EFFECTS, SCATTER):
        found = coverage(effects, scatter, seeds, images, options.draws or 2000)
        shares = " | ".join(f"{100 * share:.1f}" for share in found.values())
        print(f"| {seeds} | {images} | {effects} | {scatter} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
