"""Simulate how often verdicts are wrong, and how many seeds they need.

    python benchmarks/verdicts.py [--studies 10000] [--only null|power|failing]

`null`: studies in which every claim sits at the edge of being true; percent of the studies with a false "supported" and
with a false "contradicted". `power`: one claim with a true effect. `failing`: cells that sometimes fail to train, and
skewed ones, judged by `judge` itself; a verdict is false if it is false of the statistic that it says it judges. Prints
Markdown rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ablations.analysis.looking import FIRST, t_looked
from ablations.analysis.statistics import ALPHA
from ablations.analysis.verdicts import CONTRADICTED, SUPPORTED, judge

HORIZON = 30
DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
    "log-normal": lambda rng, shape: rng.lognormal(size=shape) - rng.lognormal(size=shape),
}


def looked(differences: np.ndarray, horizon: int = HORIZON) -> tuple[np.ndarray, np.ndarray]:
    """p of "above zero" and of "below zero", corrected for looks, of the first 3, 4, … horizon numbers (last axis)."""
    n = np.arange(1, horizon + 1)
    mean = differences.cumsum(-1) / n
    variance = np.maximum((differences**2).cumsum(-1) - n * mean**2, 0)
    t = (mean / np.sqrt(np.maximum(variance, 1e-30) / n / np.maximum(n - 1, 1)))[..., FIRST - 1 :]
    return tuple(t_looked(stdtr((n - 1)[FIRST - 1 :], sign * t), horizon) for sign in (-1, 1))  # pyright: ignore[reportReturnType]


def decided(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each claim (last axis) is shown to be above, and below, at ALPHA by Holm's method."""
    p = np.minimum(up, down)
    order = np.argsort(p, axis=-1)
    ordered = np.take_along_axis(p, order, -1)
    steps = np.maximum.accumulate(ordered * np.arange(p.shape[-1], 0, -1), axis=-1) <= ALPHA
    found = np.empty_like(steps)
    np.put_along_axis(found, order, steps, -1)
    return found & (up <= down), found & (down < up)


def at(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The p values [study, claim] at n[study, claim] seeds."""
    return np.take_along_axis(p, (n - FIRST)[..., None], -1)[..., 0]


def advice(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A seed more to every open claim, until all are decided: what is shown in the end, and the seeds."""
    n = np.full(up.shape[:2], FIRST)
    while True:
        shown = decided(at(up, n), at(down, n))
        more = ~(shown[0] | shown[1]) & (n < HORIZON)
        if not more.any():
            return *shown, n
        n = n + more


def all_claims(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A seed more to all claims, until all are decided."""
    n = np.full(up.shape[:2], FIRST)
    while True:
        shown = decided(at(up, n), at(down, n))
        more = ~(shown[0] | shown[1]).all(-1, keepdims=True) & (n < HORIZON)
        if not more.any():
            return *shown, n
        n = n + more


def nicest(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All claims at 3, 4, … 30 seeds: whether a claim is shown at any of these moments."""
    ever = [one.any(1) for one in decided(np.moveaxis(up, -1, 1), np.moveaxis(down, -1, 1))]
    return ever[0], ever[1], np.full(up.shape[:2], HORIZON)


def one_cell(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three seeds of all claims but the first, which gets more: whether it is shown at any moment."""
    moments = []
    for p in (up, down):
        moments.append(np.repeat(p[:, None, :, 0], p.shape[-1], axis=1))
        moments[-1][:, :, 0] = p[:, 0]
    above, below = decided(*moments)
    return above.any(1), below.any(1), np.full(up.shape[:2], HORIZON)


LOOKS = {
    "the tool's advice": advice,
    "one more seed until decided": all_claims,
    "the nicest moment": nicest,
    "seeds for one claim only": one_cell,
}


def null_rows(studies: int) -> Iterator[str]:
    yield "| differences | claims | " + " | ".join(LOOKS) + " |"
    yield "|---|---:|" + "---:|" * len(LOOKS)
    for name, draw in DRAWS.items():
        for claims in (1, 4, 10):
            rng = np.random.default_rng(claims)
            up, down = looked(draw(rng, (studies, claims, HORIZON)))
            rates = []
            for looks in LOOKS.values():
                supported, contradicted, _ = looks(up, down)
                rates.append(f"{100 * supported.any(-1).mean():.1f} / {100 * contradicted.any(-1).mean():.1f}")
            yield f"| {name} | {claims} | {' | '.join(rates)} |"


def power_rows(studies: int) -> Iterator[str]:
    yield "| effect | decided rightly | wrongly | seeds |"
    yield "|---|---:|---:|---:|"
    for effect in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0):
        rng = np.random.default_rng(7)
        up, down = looked(rng.standard_normal((studies, 1, HORIZON)) + effect)
        supported, contradicted, n = advice(up, down)
        rates = f"{100 * supported.mean():.1f}% | {100 * contradicted.mean():.1f}%"
        yield f"| {effect:g} sd | {rates} | {n.mean():.1f} |"


def study_of(cells: dict[str, np.ndarray], expect: str, *, looking: bool, shape: str = "contrast") -> Any:
    """A plan with one claim on `train_error`, and its records: one number a seed of each cell, in percent."""
    claim: dict[str, Any] = {"says": "simulated", "metric": "train_error", "expect": expect}
    claim[shape] = {"plus": {"arm": "plus"}, "minus": {"arm": "minus"}} if shape == "contrast" else {"arm": "plus"}
    records, planned = {}, []
    for name, values in cells.items():
        runs = [
            {"seed": s, "identity": f"{name}{s}", "label": f"{name}-s{s}", "folder": name} for s in range(len(values))
        ]
        about = {"cell": name, "axes": {"arm": name}, "status": "finished"}
        for run, value in zip(runs, values, strict=True):
            records[run["identity"]] = {**about, **run, "metrics": {"train_error": float(value)}}
        planned.append({"cell": name, "axes": {"arm": name}, "points": [{"arm": name}], "runs": runs, "further": []})
    n = len(next(iter(cells.values())))
    seeds = {"from": 3, "most": HORIZON} if looking else list(range(n))
    study = {"seeds": seeds, "claims": [claim], "grid": {"arm": list(cells)}}
    return {"name": "simulated", "study": study, "swept": ["arm"], "cells": planned, "command": ""}, records


BEYOND = "a log-normal cell against a steady one, equal means"  # what no test of a mean can know from a few seeds
Arms = Callable[[np.random.Generator, int], dict[str, np.ndarray]]
Truth = dict[str, float]  # the statistic that a verdict says it judges → its true value


def _failing(rng: np.random.Generator, n: int, centre: float, share: float) -> np.ndarray:
    """Errors near `centre`, of which a share fails to train and stays near chance."""
    fails = rng.random(n) < share
    return np.clip(np.where(fails, rng.normal(88, 1, n), rng.normal(centre, 1, n)), 0, 100)


# Training errors of 48 seeds: python run.py -m block=residual depth=20 norm=none 'seed=range(48)'
# fmt: off
REAL = np.array([
    89.9219, 3.35938, 12.4219, 1.64062, 1.875, 4.21875, 39.2969, 78.9062, 2.57812, 54.0625, 7.10938, 0.703125,
    83.9844, 67.2656, 1.79688, 2.89062, 90.0781, 0.234375, 3.67188, 1.32812, 6.79688, 2.5, 18.8281, 89.8438,
    5.23438, 89.8438, 39.5312, 39.2188, 89.9219, 5.85938, 42.9688, 28.0469, 7.8125, 5.54688, 90.7812, 0.703125,
    89.9219, 3.04688, 10.7031, 5.39062, 30.7812, 31.25, 4.21875, 10.8594, 1.40625, 0.859375, 28.2031, 2.8125,
])
# fmt: on


def failing_settings() -> Iterator[tuple[str, str, Arms, Truth, str]]:
    """Name, shape, what is drawn, the truth about each statistic, and what is expected."""
    betting, like_these, median = "mean, by betting", "mean of seeds like these", "median, by signs"
    overall = 0.8 * 5 + 0.2 * 88
    yield (
        "one arm fails in 20%, equal means",
        "contrast",
        lambda rng, n: {"plus": _failing(rng, n, 5, 0.2), "minus": rng.normal(overall, 1, n)},
        {betting: 0.0, like_these: 5 - overall},
        "> 0",
    )
    yield (
        "one arm fails in 20%, else equal",
        "contrast",
        lambda rng, n: {"plus": _failing(rng, n, 5, 0.2), "minus": rng.normal(5, 1, n)},
        {betting: overall - 5, like_these: 0.0},
        "> 0",
    )
    yield (
        "both arms fail in 20%",
        "contrast",
        lambda rng, n: {"plus": _failing(rng, n, 5, 0.2), "minus": _failing(rng, n, 5, 0.2)},
        {betting: 0.0, like_these: 0.0},
        "> 0",
    )
    yield (
        "a real cell (48 seeds) against a steady one, equal means",
        "contrast",
        lambda rng, n: {"plus": rng.choice(REAL, n), "minus": rng.normal(REAL.mean(), 0.5, n)},
        {betting: 0.0, like_these: REAL[REAL < 25].mean() - REAL.mean()},
        "> 0",
    )
    yield (
        "the real cell against itself",
        "contrast",
        lambda rng, n: {"plus": rng.choice(REAL, n), "minus": rng.choice(REAL, n)},
        {betting: 0.0, like_these: 0.0},
        "> 0",
    )
    yield (
        BEYOND,
        "contrast",
        lambda rng, n: {"plus": rng.lognormal(size=n), "minus": rng.normal(np.exp(0.5), 0.05, n)},
        {betting: 0.0, like_these: 0.0},
        "> 0",
    )
    for name, bound in (("median", np.median(REAL)), ("mean", REAL.mean())):
        yield (
            f"a bound on the real cell, at its {name}",
            "cell",
            lambda rng, n: {"plus": rng.choice(REAL, n)},
            {median: float(np.median(REAL))},
            f"< {bound}",
        )
    for name, bound in (("median", 1.0), ("mean", float(np.exp(0.5)))):
        yield (
            f"a bound on a log-normal cell, at its {name}",
            "cell",
            lambda rng, n: {"plus": rng.lognormal(size=n)},
            {median: 1.0},
            f"< {bound}",
        )


def failing_rows(studies: int) -> Iterator[str]:
    yield "| setting | n | false supported | false contradicted | decided | judged |"
    yield "|---|---|---:|---:|---:|---|"
    for name, shape, arms, truth, expect in failing_settings():
        for n in (3, 5, 10, 0):
            rng = np.random.default_rng(n)
            wrong, judged, settled = {SUPPORTED: 0, CONTRADICTED: 0}, set(), 0
            for _ in range(studies if n else studies // 10):
                verdict = _until_decided(arms(rng, n or HORIZON), expect, shape, looking=not n)
                if verdict.outcome not in wrong:
                    continue
                settled += 1
                judged.add(verdict.effect.judged)
                true = truth[verdict.effect.judged]
                bound = float(expect.split()[1])
                above = true > bound if expect[0] == ">" else true < bound
                strictly_outside = true < bound if expect[0] == ">" else true > bound
                wrong[SUPPORTED] += verdict.outcome == SUPPORTED and not above
                wrong[CONTRADICTED] += verdict.outcome == CONTRADICTED and not strictly_outside
            many = studies if n else studies // 10
            rates = " | ".join(f"{100 * count / many:.1f}" for count in (*wrong.values(), settled))
            yield f"| {name} | {n or 'until decided'} | {rates} | {'; '.join(sorted(judged))} |"


def _until_decided(cells: dict[str, np.ndarray], expect: str, shape: str, *, looking: bool) -> Any:
    """The verdict on all seeds; with `looking` on the first that decide."""
    for n in range(FIRST, HORIZON + 1) if looking else (len(cells["plus"]),):
        some = {name: values[:n] for name, values in cells.items()}
        (verdict,) = judge(*study_of(some, expect, looking=looking, shape=shape))
        if verdict.outcome in (SUPPORTED, CONTRADICTED):
            break
    return verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000, metavar="N")
    parser.add_argument("--only", choices=("null", "power", "failing"))
    options = parser.parse_args()
    for name, rows in (("null", null_rows), ("power", power_rows), ("failing", failing_rows)):
        if options.only in (None, name):
            print(f"\n{name}, {options.studies:,} studies\n")
            for row in rows(options.studies):
                print(row, flush=True)


if __name__ == "__main__":
    main()
