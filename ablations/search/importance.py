"""Measure how much each axis of a search decides which trials are the best (PED-ANOVA).

For each axis, the density of the best trials over its values is compared with the density of all trials; the importance
is the variance of their ratio. It says where the good trials are, not what the axis does to a given network.

Even on pure noise one axis easily has most of the sum of the importances. So the values are permuted over the trials,
and an axis counts only if its importance is above the floor: what the largest importance of any axis stays below in a
fraction FLOOR of the permutations.

    Watanabe, Bansal and Hutter 2023, "PED-ANOVA".
    Altmann et al. 2010, "Permutation importance: a corrected feature importance measure".
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from ablations.question.search_space import read_search
from ablations.search.suggestions import known_trial, new_study
from ablations.search.trials import read_trials

BEST = 0.25  # the fraction of the trials that counts as the best; a tenth would be only one or two trials
FEWEST = 8  # trials; of fewer, a quarter is a single one
PERMUTATIONS = 200
FLOOR = 0.98  # not 0.95: TPE's later trials follow the early lucky ones, and of 20 on pure noise 11% would name an axis
TOO_FEW_TRIALS = f"(needs {FEWEST} complete trials that differ)"


@dataclass(frozen=True)
class Importance:
    """The importances in one tuning.

    Attributes:
        trials: how many are complete.
        shares: axis → share of the sum of importances, the largest first; empty if the trials are too few or all equal.
        floor: the share that noise reaches; at most 1.
    """

    tuning: str
    trials: int
    shares: dict[str, float]
    floor: float = 1.0

    @property
    def named(self) -> list[str]:
        """The axes whose importance is above what noise gives."""
        return [axis for axis, share in self.shares.items() if share > self.floor]


def importance(study: optuna.Study) -> tuple[dict[str, float], float]:
    """The importance of each axis of an Optuna study, the largest first, and the floor; both as shares of their sum.

    With several objectives, the best trials are those nearest to the Pareto front.

    Raises:
        ValueError: fewer than FEWEST trials are complete.
    """
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < FEWEST:
        raise ValueError(f"importance needs {FEWEST} complete trials; there are {len(complete)}")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST)
    draw = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that low values are the best ones, and that few trials had an axis
        found = evaluator.evaluate(study)
        total = sum(found.values())
        if not total:  # or no axis was asked for
            return {}, 1.0
        largest = [
            max(_permuted(evaluator, study, complete, draw.permutation(len(complete)).tolist()).values())
            for _ in range(PERMUTATIONS)
        ]
    floor = float(np.quantile(largest, FLOOR, method="higher"))
    return {axis: value / total for axis, value in found.items()}, min(1.0, floor / total)


def search_importance(plan: Mapping[str, Any], runs: Path) -> list[Importance]:
    """The importances in each tuning of a study, from the files of its trials; ValueError where it does not search."""
    if not plan["study"].get("tunings"):
        raise ValueError(f"{plan['name']} does not search: it has no space")
    search, found = read_search(plan["study"]), []
    for tuning in plan["study"]["tunings"]:
        trials, _ = read_trials(runs, plan["name"], [tuning["name"]])
        complete = [trial for trial in trials if trial["state"] == "complete" and trial["values"]]
        differ = len({str(trial["values"]) for trial in complete}) > 1
        shares, floor = {}, 1.0
        if len(complete) >= FEWEST and differ:
            study = new_study(len(search.objectives))
            study.add_trials([known_trial(search, trial) for trial in complete])
            shares, floor = importance(study)
        found.append(Importance(tuning["name"], len(complete), shares, floor))
    return found


def importance_lines(one: Importance) -> list[list[str]]:
    """A line for each axis: its name and its importance, or that noise gives as much."""
    if not one.shares:
        return [[TOO_FEW_TRIALS, ""]]
    below = f"below what noise gives ({one.floor:.0%})"
    return [[axis, f"{share:.0%}" if axis in one.named else below] for axis, share in one.shares.items()]


def importance_caption(objectives: Sequence[str]) -> str:
    """The sentences that explain the importances, shown below them."""
    return (
        f"How much each axis decides which trials are the best quarter by {' and '.join(objectives)} (PED-ANOVA). "
        f"What noise gives: where the largest stays in {FLOOR:.0%} of {PERMUTATIONS} permutations of the values."
    )


def _permuted(
    evaluator: optuna.importance.PedAnovaImportanceEvaluator,
    study: optuna.Study,
    trials: Sequence[optuna.trial.FrozenTrial],
    order: Sequence[int],
) -> dict[str, float]:
    """The importances if the trials had each other's values, in this order."""
    if len(study.directions) == 1:  # three times as fast as another study
        values = {trial.number: trials[k].values[0] for trial, k in zip(trials, order, strict=True)}
        return evaluator.evaluate(study, target=lambda trial: values[trial.number])
    other = optuna.create_study(directions=study.directions)
    for trial, k in zip(trials, order, strict=True):
        other.add_trial(
            optuna.create_trial(values=trials[k].values, params=trial.params, distributions=trial.distributions)
        )
    return evaluator.evaluate(other)
