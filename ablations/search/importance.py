"""Measure how much each axis of a search decides which trials are the best (PED-ANOVA).

For each axis, the density of the best trials over its values is compared with the density of all trials; the importance
is the variance of their ratio. It says where the good trials are, not what the axis does to a given network.

    Watanabe, Bansal and Hutter 2023, "PED-ANOVA".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from ablations.question.search_space import Search, read_search
from ablations.search.trials import Trial, read_trials
from ablations.search.tuning import optuna_distribution

BEST = 0.25  # the fraction of the trials that counts as the best; a tenth would be only one or two trials
FEWEST = 8  # trials; of fewer, a quarter is a single one
TOO_FEW_TRIALS = f"(needs {FEWEST} complete trials that differ)"


@dataclass(frozen=True)
class Importance:
    """The importances in one tuning.

    Attributes:
        trials: how many are complete.
        shares: axis → importance, the largest first; empty if the trials are too few or all equal.
    """

    tuning: str
    trials: int
    shares: dict[str, float]


def importance(study: optuna.Study) -> dict[str, float]:
    """The importance of each axis of an Optuna study, the largest first; they add up to 1.

    With several objectives, the best trials are those nearest to the Pareto front.

    Raises:
        ValueError: fewer than FEWEST trials are complete.
    """
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < FEWEST:
        raise ValueError(f"importance needs {FEWEST} complete trials; there are {len(complete)}")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def search_importance(plan: Mapping[str, Any], runs: Path) -> list[Importance]:
    """The importances in each tuning of a study, read from the files of its trials.

    Raises:
        ValueError: the study does not search.
    """
    if not plan["study"].get("tunings"):
        raise ValueError(f"{plan['name']} does not search: it has no space")
    search, found = read_search(plan["study"]), []
    for tuning in plan["study"]["tunings"]:
        trials, _ = read_trials(runs, plan["name"], [tuning["name"]])
        complete = [trial for trial in trials if trial["state"] == "complete" and trial["values"]]
        differ = len({str(trial["values"]) for trial in complete}) > 1
        shares = importance(_study(search, complete)) if len(complete) >= FEWEST and differ else {}
        found.append(Importance(tuning["name"], len(complete), shares))
    return found


def importance_caption(objectives: Sequence[str]) -> str:
    """The sentence that explains the importances, shown below them."""
    return f"How much each axis decides which trials are the best quarter by {' and '.join(objectives)} (PED-ANOVA)."


def _study(search: Search, trials: Sequence[Trial]) -> optuna.Study:
    """An Optuna study in memory that holds the trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna logs every study that is created
    study = optuna.create_study(directions=[optuna.study.StudyDirection.MINIMIZE for _ in search.objectives])
    for trial in trials:
        suggested: Mapping[str, Any] = trial["suggested"]
        study.add_trial(
            optuna.create_trial(
                values=[trial["values"][name] for name in search.objectives],
                params=dict(suggested),
                distributions={axis: optuna_distribution(search.space[axis]) for axis in suggested},
            )
        )
    return study
