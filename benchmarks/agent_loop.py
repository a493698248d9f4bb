"""Simulate loops that try edits which do nothing, and count the loops that keep any.

    python benchmarks/agent_loop.py [--loops 10000] [--edits 500]

Each edit is compared with what is there: three seeds of both, then one more at a time, up to ten, until it is decided.
The next edits are compared with an edit that is kept; its runs are not repeated. With "fresh" the other side is trained
again for each edit. Prints Markdown; benchmarks/RESULTS.md has what was found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import stdtr

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from ablations.analysis.claim_effects import FINEST  # noqa: E402
from ablations.analysis.looking import t_critical  # noqa: E402
from ablations.elsewhere.budget import level_of  # noqa: E402

FIRST, MOST = 3, 10  # seeds
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t with 3 degrees of freedom": lambda rng, shape: rng.standard_t(3, shape),
    "log-normal": lambda rng, shape: rng.lognormal(0, 1, shape),
    "1 of 157 images": lambda rng, shape: rng.binomial(157, 0.97, shape) / 157,
    "one seed in ten fails": lambda rng, shape: rng.standard_normal(shape) - 50 * (rng.random(shape) < 0.1),
}
RULES: dict[str, Callable[[int], float]] = {  # the p that an edit must reach to be kept, one-sided
    "p < 0.05, two-sided, after each seed": lambda number: 0.025,
    "looks allowed for, 5% an edit": lambda number: t_critical(0.05, MOST),
    "with the budget": lambda number: t_critical(level_of(number), MOST),
}


@dataclass
class Loops:
    """What became of many loops: how many edits each has kept, and how many seeds an edit took on average."""

    kept: np.ndarray
    seeds: float


def first_look(plus: np.ndarray, minus: np.ndarray, critical: float) -> tuple[np.ndarray, np.ndarray]:
    """For each loop the number of seeds at which the edit is decided (MOST if never), and whether it is kept.

    Args:
        plus, minus: the metric of both sides, (loops, MOST); larger is better.
    """
    differences, looks = plus - minus, range(FIRST, MOST + 1)
    better, worse = (np.zeros((len(plus), len(looks)), dtype=bool) for _ in range(2))
    for k, n in enumerate(looks):
        mean, sd = differences[:, :n].mean(1), differences[:, :n].std(1, ddof=1)
        likely = np.flatnonzero(stdtr(n - 1, -abs(mean) * n**0.5 / np.maximum(sd, 1e-12)) <= critical)
        sd = np.maximum(sd[likely], units(plus[likely, :n], minus[likely, :n]) / 12**0.5)
        decisive = stdtr(n - 1, -abs(mean[likely]) * n**0.5 / sd) <= critical
        better[likely, k], worse[likely, k] = decisive & (mean[likely] > 0), decisive & (mean[likely] < 0)
    decided = better | worse
    at = np.where(decided.any(1), decided.argmax(1), MOST - FIRST)
    return at + FIRST, better[np.arange(len(at)), at]


def units(plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    """The step in which the metric is counted, as the verdicts take it: the spread is at least that of its rounding."""
    known, differences = np.sort(np.concatenate([plus, minus], axis=1), axis=1), np.sort(plus - minus, axis=1)
    scale = abs(known).max(1)
    equal = np.diff(known, axis=1) <= 1e-9 * scale[:, None]
    tied = equal.any(1) | (np.diff(differences, axis=1) <= 1e-9 * scale[:, None]).any(1)
    step = np.where(equal, np.inf, np.diff(known, axis=1)).min(1, initial=np.inf)
    return np.where(tied & np.isfinite(step), step, np.minimum(scale / FINEST, step))


def loops(
    count: int, edits: int, critical: Callable[[int], float], draw: Draw, *, seed: int = 0, fresh: bool = False
) -> Loops:
    """Run loops of edits that do nothing, all loops side by side."""
    rng = np.random.default_rng(seed)
    there, kept, seeds = draw(rng, (count, MOST)), np.zeros(count, dtype=int), 0
    for number in range(1, edits + 1):
        if fresh:
            there = draw(rng, (count, MOST))
        edit = draw(rng, (count, MOST))
        took, better = first_look(edit, there, critical(number))
        there = np.where(better[:, None], edit, there)
        kept += better
        seeds += int(took.sum())
    return Loops(kept, seeds / count / edits)


def power(number: int, effect: float, *, draws: int = 20_000) -> tuple[float, float]:
    """How often the edit with this number is kept, if its effect is so many sd of a difference; and the mean seeds."""
    rng = np.random.default_rng(0)
    edit = rng.standard_normal((draws, MOST)) + effect
    took, better = first_look(edit, np.zeros_like(edit), t_critical(level_of(number), MOST))
    return float(better.mean()), float(took.mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loops", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=500)
    ask = parser.parse_args()
    print(f"{ask.loops:,} loops of {ask.edits} edits that do nothing, {FIRST} to {MOST} seeds each\n")
    print("| numbers | an edit is kept if | loops that keep any | kept | seeds an edit |\n|---|---|---:|---:|---:|")
    for noise, draw in NOISES.items():
        for rule, critical in RULES.items():
            for fresh in (False, True) if rule == "with the budget" else (False,):
                found = loops(ask.loops, ask.edits, critical, draw, fresh=fresh)
                kept, name = (found.kept > 0).mean(), rule + ", fresh" * fresh
                error = 100 * (kept * (1 - kept) / ask.loops) ** 0.5
                words = f"{100 * kept:.1f}% ± {error:.1f}"
                print(f"| {noise} | {name} | {words} | {found.kept.mean():.2f} | {found.seeds:.1f} |", flush=True)
    print(
        "\n| question | an effect of 1 sd | 2 sd | 3 sd | 4 sd | 6 sd | 10 sd |\n|---:|---:|---:|---:|---:|---:|---:|"
    )
    for number in (1, 10, 100, 500):
        cells = [f"{100 * share:.0f}%, {seeds:.1f}" for share, seeds in (power(number, d) for d in (1, 2, 3, 4, 6, 10))]
        print(f"| {number} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
