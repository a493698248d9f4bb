"""What mattered in a search: how much each axis of its space decides whether a trial is among the best (PED-ANOVA).

Watanabe, Bansal and Hutter 2023: the variance, over the values of an axis, of how much denser the best trials are there
than all trials. It says where good trials lie, not what an axis does to a given network: that is what `effects` is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from ablations.question.search_space import Search, read_search
from ablations.search.trials import Trial, read_trials
from ablations.search.tuning import optuna_distribution

if TYPE_CHECKING:
    from rich.console import Console

BEST = 0.25  # the share of the trials that counts as the best: of the few a search has, a tenth would be one or two
FEWEST = 8  # trials; below that a quarter is one
TOO_FEW_TRIALS = f"(needs {FEWEST} complete trials that differ)"


@dataclass(frozen=True)
class Importance:
    """Of one tuning: its complete trials, and the share of each axis, the largest first; none if they cannot tell."""

    tuning: str
    trials: int
    shares: dict[str, float]


def importance(study: optuna.Study) -> dict[str, float]:
    """The share of each axis of a finished Optuna study, the largest first; they add up to 1.

    Several objectives: what decides whether a trial is near the front.

    Raises:
        ValueError: fewer than FEWEST trials are complete.
    """
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < FEWEST:
        raise ValueError(f"importance needs {FEWEST} complete trials; there are {len(complete)}")
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def search_importance(plan: Mapping[str, Any], runs: Path) -> list[Importance]:
    """For each tuning of a study that searched, from the files its trials left.

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


def print_importance(found: Sequence[Importance], objectives: Sequence[str], console: Console) -> None:
    """A line a tuning and axis."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("tuning", "trials", "axis", "importance"):
        table.add_column(head, justify="right" if head in ("trials", "importance") else "left", no_wrap=True)
    for one in found:
        first = [one.tuning, str(one.trials)]
        for axis, share in one.shares.items() or [(TOO_FEW_TRIALS, None)]:
            table.add_row(*first, axis, "" if share is None else f"{share:.0%}")
            first = ["", ""]
    console.print(table)
    console.print(Text(importance_caption(objectives), style="dim"))


def importance_caption(objectives: Sequence[str]) -> str:
    """What is written below the shares."""
    return f"Share in deciding which trials are the best quarter by {' and '.join(objectives)} (PED-ANOVA)."


def _study(search: Search, trials: Sequence[Trial]) -> optuna.Study:
    """The trials as an Optuna study in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it tells of every study it makes
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
