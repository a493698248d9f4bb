"""Compare ways to search, on a table instead of by training: the space, the trials and the objectives of a study.

    python benchmarks/searches.py search_budget tpe+median additive+none additive+halving:factor=4
    python benchmarks/searches.py search_frontier tpe additive --seeds 5000 5200
    python benchmarks/searches.py whole random+median random+halving --trials 150
    python benchmarks/searches.py whole additive additive+none+told --trials 20
    python benchmarks/searches.py search_frontier tpe+none+counted tpe
    python benchmarks/searches.py whole random+median random+halving:factor=15 --seeds 100 120 --trained runs/searches

A way is a sampler, a pruner, whether it is `told` 100 random cells of depth 8 and 14 first, and whether suggestions
that are repeated or cannot be built are `counted` as trials, as they once were; the first way is compared with each
other one, paired by seed. Of the study's axes those are searched that the table has, at the table's values; others have
the value of OTHERS. `whole` searches all of the table. Search k sees the trainings of one of its seeds, the next one
those of the next. The regret is of the network that it chooses by validation: by how many points this errs more on the
test set than the best of its space, as means over the table's seeds. With several objectives it is what the front lacks
of the hypervolume of the best front, in percent; the networks of the front were chosen by validation, and count with
their test error. Means and standard errors; differences with Student's 95% intervals and two-sided p.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import stats

import skipbench
from ablations.catalog.choices import CONF
from ablations.question.search_space import read_search
from ablations.search.simulator import built, node_of
from ablations.search.table import Table
from ablations.search.table_source import mean_over_seeds
from ablations.search.trials import Trial, pareto_front, reached, read_trial

PROCESSES, KNOWN = 2, 100
OTHERS = {"norm": "batch", "activation": "relu", "recipe.lr": 0.1}  # what is chosen where a study says nothing
TOLD = {"depth": (8, 14)}
table = cache(skipbench.table)


def narrowed(study: str, on: Table) -> dict[str, Any]:
    """The search of a study at the values that a table has."""
    if study == "whole":
        return {"space": {axis: list(about.values) for axis, about in on.axes.items()}}
    said = yaml.safe_load((CONF / "study" / f"{study}.yaml").read_text("utf-8"))["study"]
    asked = read_search(said)
    space = {
        axis: [value for value in on.axes[axis].values if options.like(value)]
        for axis, options in asked.space.items()
        if axis in on.axes
    }
    fixed = {axis: value for axis, value in OTHERS.items() if axis not in space}
    search = {key: said["search"][key] for key in ("trials", "objectives", "constraints") if key in said["search"]}
    return {"space": space, "fixed": fixed, **search}


def cells(on: Table, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The points of a space that keep to its constraints, with their sizes and mean test errors."""
    allowed = asked["space"] | {axis: [value] for axis, value in asked.get("fixed", {}).items()}
    limits = read_search({"search": {"constraints": asked.get("constraints", [])}}).constraints
    look_up, found = mean_over_seeds(on, "test_error"), []
    for key, (row, *_) in on.by_key.items():
        point = {axis: value for axis, value in zip(on.axes, key, strict=True) if value is not None}
        inside = all(point[axis] in values for axis, values in allowed.items() if axis in point)
        if inside and all(limit.excess(row[limit.quantity]) <= 0 for limit in limits):
            found.append({**point, "macs": row["macs"], "test_error": look_up(point)})
    return found


def hypervolume(points: Sequence[tuple[float, float]], worst: tuple[float, float]) -> float:
    """The area that is worse than one of the points, and better than the worst; of two objectives."""
    area, edge = 0.0, worst[1]
    for first, second in sorted(points):
        if first < worst[0] and second < edge:
            area, edge = area + (worst[0] - first) * (edge - second), second
    return area


def one(path: Path, study: str, trials: int | None, runs: Path | None, way: str, seed: int) -> tuple[float, float]:
    """The regret of a search, and the epochs that it trained."""
    on = table(path)
    asked = narrowed(study, on)
    asked["trials"] = trials or asked.get("trials", 50)
    there, objectives = cells(on, asked), asked.get("objectives", ["val_error"])
    found, epochs = trained(on, asked, way, seed, runs) if runs else simulated(on, asked, way, seed, there)
    look_up = mean_over_seeds(on, "test_error")
    front = [
        (look_up({**asked.get("fixed", {}), **trial["point"]}), trial["values"][objectives[-1]])
        for trial in pareto_front(found, objectives)
    ]
    if len(objectives) == 1:
        return front[0][0] - min(cell["test_error"] for cell in there), epochs
    all_of_them = [(cell["test_error"], cell["macs"]) for cell in there]
    worst = float(np.median([error for error, _ in all_of_them])), max(macs for _, macs in all_of_them)
    return 100 - 100 * hypervolume(front, worst) / hypervolume(all_of_them, worst), epochs


def simulated(
    on: Table, asked: Mapping[str, Any], way: str, seed: int, there: Sequence[Mapping[str, Any]]
) -> tuple[list[Trial], float]:
    """The trials of a search on the table, and the epochs that they were trained."""
    sampler, *more = way.split("+")
    told = [point for point in there if all(point[axis] in values for axis, values in TOLD.items())]
    found = skipbench.simulate(
        on,
        **asked,
        sampler=made("sampler", sampler),
        pruner=made("pruner", more[0] if more else "none"),
        seed=seed,
        seeds=[on.seed_in_turn(seed)],
        known=random.Random(seed).sample(told, KNOWN) if "told" in more else (),
    )
    if "counted" in more:
        found = found.head(asked["trials"])
    epochs = float(found.trained.iloc[-1])
    return [
        {
            **{key: row[key] for key in ("state", "cell")},
            "values": {name: row[name] for name in asked.get("objectives", ["val_error"])},
            "point": {axis: row[axis] for axis in on.axes if axis in asked["space"]},
        }
        for row in found.to_dict("records")
    ], epochs


def trained(on: Table, asked: Mapping[str, Any], way: str, seed: int, runs: Path) -> tuple[list[Trial], float]:
    """The trials of a search that trains, with a seed that the table has not, and the epochs that they were trained."""
    sampler, pruner, *_ = *way.split("+"), "none"
    pruner, *options = pruner.split(":")
    folder = runs / re.sub("[^a-z0-9]+", "-", way) / str(seed)
    search = {"trials": asked["trials"], "seeds": [seed], "seed": seed, "replicate": {"top": 1, "seeds": [seed + 1]}}
    fixed = {axis: on.about["fixed"][axis] for axis in ("data", "recipe")} | asked.get("fixed", {})
    said = {"name": "search", "question": "What is best?", "space": asked["space"], "search": search, "fixed": fixed}
    (folder / "conf/study").mkdir(parents=True, exist_ok=True)
    (folder / "conf/study/search.yaml").write_text("# @package _global_\n" + yaml.safe_dump({"study": said}), "utf-8")
    words = ["--config-dir", str(folder / "conf"), "-m", "study=search", f"sampler={sampler}", f"pruner={pruner}"]
    words += [f"pruner.{option}" for option in options] + [f"runs={folder / 'runs'}"]
    words += ["tracker=none", "keep=nothing", "diagnostics=false", "hydra/launcher=basic"]
    subprocess.run([sys.executable, "run.py", *words], cwd=CONF.parent, check=True, stdout=subprocess.DEVNULL)
    found = [read_trial(path) for path in sorted((folder / "runs").glob(".studies/search/trials/*/*/trial.json"))]
    return found, float(sum(map(reached, found)))


def made(group: str, words: str) -> Any:
    """Build what a file of `conf/` describes, with other options: `halving:factor=2`."""
    name, *options = words.split(":")
    return built(node_of(group, name) | {key: yaml.safe_load(value) for key, value in (o.split("=") for o in options)})


def main() -> None:
    """Compare the ways and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("ways", nargs="+")
    parser.add_argument("--table", type=Path, default=CONF.parent / "benchmarks/landscape/landscape.csv.gz")
    parser.add_argument("--seeds", type=int, nargs=2, default=(5000, 5200))
    parser.add_argument("--trials", type=int)
    parser.add_argument("--trained", type=Path, metavar="FOLDER", help="train in this folder, instead of simulating")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| way | n | regret | epochs | regret less that of the first | p | epochs, of the first |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with get_context("forkserver").Pool(PROCESSES) as pool:
        found = {}
        for way in asked.ways:
            search = partial(one, asked.table, asked.study, asked.trials, asked.trained, way)
            found[way] = np.array(pool.map(search, range(*asked.seeds), chunksize=5)).T
            print(line(way, found[way], found[asked.ways[0]]), flush=True)


def line(way: str, own: np.ndarray, first: np.ndarray) -> str:
    """A row of the table that is printed; `own` and `first` have regrets and epochs."""
    regrets, epochs = (f"{values.mean():.2f} ± {stats.sem(values):.2f}" for values in own)
    about = f"| {way} | {own.shape[1]} | {regrets} | {epochs} |"
    if own is first:
        return f"{about} | | |"
    test = stats.ttest_rel(own[0], first[0])
    low, high = test.confidence_interval()
    less = f"{(own[0] - first[0]).mean():+.2f} [{low:+.2f}, {high:+.2f}]"
    return f"{about} {less} | {test.pvalue:.1g} | {own[1].mean() / first[1].mean():.0%} |"


if __name__ == "__main__":
    main()
