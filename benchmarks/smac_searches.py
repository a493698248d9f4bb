"""Search a table with SMAC 3 (random forests), which is none of Skipbench's dependencies: `pip install smac` first.

    python benchmarks/smac_searches.py benchmarks/landscape/landscape.csv.gz --seeds 7000 7040

Search k sees the trainings of one of the table's seeds, the next one those of the next, as in `study=samplers`. Printed
is the regret after 20 and after 50 trials: by how many points of test error, as means over the table's seeds, the
network with the least validation error so far errs more than the best.
"""

from __future__ import annotations

import argparse
import math
import os
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy import stats

import skipbench
from ablations.search.contest import means_of
from ablations.search.table import Table
from ablations.search.table_source import mean_over_seeds

AFTER = 20, 50


def space_of(table: Table, seed: int) -> Any:
    """The axes of a table, numbers in their order, each where those that it depends on make it active."""
    made = import_module("ConfigSpace")
    axes = {
        axis: made.OrdinalHyperparameter(axis.replace(".", "-"), sorted(about.values))
        if about.kind != "categorical"
        else made.Categorical(axis.replace(".", "-"), list(about.values))
        for axis, about in table.axes.items()
    }
    space = made.ConfigurationSpace(seed=seed)
    space.add(*axes.values())
    for axis, about in table.axes.items():
        if about.depends_on:
            (other,) = about.depends_on
            space.add(made.InCondition(axes[axis], axes[other], [value for (value,) in about.active_for]))
    return space


def regrets(path: Path, seed: int) -> list[float]:
    """The regret of one search after each of AFTER."""
    smac, table = import_module("smac"), skipbench.table(path)
    last = table.frame.loc[table.frame.epoch == table.frame.epoch.max()]
    mine = last.loc[last.seed == table.seed_in_turn(seed)].to_dict("records")
    found = {tuple(row[axis] if row[axis] == row[axis] else None for axis in table.axes): row for row in mine}
    tried: list[dict[str, Any]] = []

    def trained(config: Any, seed: int = 0) -> float:
        row = found.get(tuple(dict(config).get(axis.replace(".", "-")) for axis in table.axes))
        tried.append(row or {"val_error": 100.0})  # it diverged before its last epoch
        return tried[-1]["val_error"]

    with TemporaryDirectory() as folder:
        asked = {"deterministic": True, "n_trials": AFTER[-1], "seed": seed, "output_directory": Path(folder)}
        scenario = smac.Scenario(space_of(table, seed), **asked)
        smac.HyperparameterOptimizationFacade(scenario, trained, overwrite=True, logging_level=False).optimize()
    look_up, least = mean_over_seeds(table, "test_error"), min(means_of(table, "test_error"))
    best = [min(tried[:k], key=lambda row: row["val_error"]) for k in AFTER]
    means = [look_up({axis: row[axis] for axis in table.axes}) for row in best]
    return [math.inf if mean is None else mean - least for mean in means]


def main() -> None:
    """Carry out the searches, and print the mean regrets with their standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, default=(7000, 7040))
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with get_context("forkserver").Pool(2) as pool:
        found = np.array(pool.map(partial(regrets, asked.table), range(*asked.seeds), chunksize=1))
    for k, column in zip(AFTER, found.T, strict=True):
        print(f"after {k} trials: {column.mean():.2f} ± {stats.sem(column):.2f}, n {len(column)}")


if __name__ == "__main__":
    main()
