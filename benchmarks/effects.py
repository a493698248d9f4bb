"""Simulate studies without any effect: how often `python -m ablations effects` and the importances name one.

    python benchmarks/effects.py [--draws N] [--searches N]

Prints a line for each case, grid and number of seeds: the share of studies in which a term has p ≤ 0.05 (the worst of
the terms), and in which any term of the table has after Holm's correction. Then, for searches of pure noise, the share
in which an axis is above the floor. The cells have equal means; "fails in 1 of 5 seeds" is tested at its mean, so where
no seed of a cell failed no test can know: these studies are counted apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ablations.analysis.anova import projected_f
from ablations.analysis.anova_terms import project

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]  # (draws, cells, seeds) → values
GRIDS = ((3, 3), (2, 5), (2, 2, 2), (3, 3, 2))
FAILS = "one cell fails in 1 of 5 seeds, and did"


class Rates(NamedTuple):
    """Of studies without an effect, the share with a false one."""

    single: float  # the worst of the terms, p ≤ 0.05
    table: float  # any term, p ≤ 0.05 after Holm's correction
    draws: int


def normal(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draw.standard_normal(shape)


def noisy(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = draw.standard_normal(shape)
    values[:, 0] *= 100
    return values


def graded(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draw.standard_normal(shape) * 2.0 ** np.arange(shape[1])[None, :, None]


def luck(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return draw.standard_normal(shape) + 3 * draw.standard_normal((shape[0], 1, shape[2]))


def skewed(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.exp(draw.standard_normal(shape))


def failing(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values, fails = draw.standard_normal(shape), draw.random((shape[0], shape[2])) < 0.2
    values[:, 0] += 50.0 * fails - 10
    return values


def seen_failing(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """As `failing`, without the studies in which no seed failed."""
    values = failing(draw, (3 * shape[0], *shape[1:]))
    return values[(values[:, 0] > 20).any(axis=1)][: shape[0]]


CASES: dict[str, Draw] = {
    "normal": normal,
    "one cell scatters 100 times as much": noisy,
    "each cell scatters twice as much as the last": graded,
    "seeds share luck": luck,
    "log-normal": skewed,
    FAILS: seen_failing,
}


def false_rates(case: Draw, grid: Sequence[int], seeds: int, *, draws: int) -> Rates:
    """Simulate studies of a grid, all from the same random seed."""
    names = [f"axis{k}" for k in range(len(grid))]
    cells = [dict(zip(names, map(str, levels), strict=True)) for levels in product(*map(range, grid))]
    values = case(np.random.default_rng(0), (draws, len(cells), seeds))
    means = values.mean(axis=2)
    centred = values - means[:, :, None]
    covariances = np.einsum("rcs,rds->rcd", centred, centred) / (seeds - 1) / seeds
    terms = [term for term in project(names, cells) if term.df]
    found = np.array([projected_f(term.projector, means, covariances, seeds)[1] for term in terms])
    table = found.min(axis=0) * len(found) <= 0.05
    return Rates(float((found <= 0.05).mean(axis=1).max()), float(table.mean()), values.shape[0])


def noise_named(sampler: Callable[[int], Any], trials: int, *, searches: int) -> float:
    """The share of searches of pure noise in which an axis is named."""
    import optuna

    from ablations.search.importance import importance

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {
        "recipe.lr": optuna.distributions.FloatDistribution(0.001, 1, log=True),
        "width": optuna.distributions.FloatDistribution(0.5, 2),
        "norm": optuna.distributions.CategoricalDistribution(["batch", "none"]),
        "depth": optuna.distributions.CategoricalDistribution([8, 20, 56]),
    }
    named = 0
    for seed in range(searches):
        draw = np.random.default_rng(seed)
        study = optuna.create_study(sampler=sampler(seed))
        for _ in range(trials):
            study.tell(study.ask(space), float(draw.standard_normal()))
        shares, floor = importance(study)
        named += any(share > floor for share in shares.values())
    return named / searches


def main() -> None:
    import optuna

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--draws", type=int, default=20_000)
    options.add_argument("--searches", type=int, default=200)
    asked = options.parse_args()
    print("| studies without an effect | grid | seeds | one term, % | table, % | n |\n|---|---|---|---|---|---|")
    for name, case in {**CASES, "one cell fails in 1 of 5 seeds": failing}.items():
        for grid, seeds in product(GRIDS, (3, 5, 10)):
            rates = false_rates(case, grid, seeds, draws=asked.draws)
            shown = f"{100 * rates.single:.1f} | {100 * rates.table:.1f} | {rates.draws:,}"
            print(f"| {name} | {'×'.join(map(str, grid))} | {seeds} | {shown} |", flush=True)
    print("\n| searches of pure noise | trials | an axis is named, % | n |\n|---|---|---|---|")
    for name, sampler in (("random", optuna.samplers.RandomSampler), ("TPE", optuna.samplers.TPESampler)):
        for trials in (20, 60):
            rate = noise_named(lambda seed, one=sampler: one(seed=seed), trials, searches=asked.searches)
            print(f"| {name} | {trials} | {100 * rate:.1f} | {asked.searches} |", flush=True)


if __name__ == "__main__":
    main()
