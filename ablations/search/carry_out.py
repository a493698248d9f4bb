"""Carry out one suggestion of a search: choose a point, look at its cell, measure its seeds, ask the pruner meanwhile.

A training and a simulation share this code. They differ in their `Source`: where the values come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any, Protocol

import optuna
from optuna.trial import FrozenTrial

from ablations.question.search_space import Search, is_curve
from ablations.question.study import Point
from ablations.records.record import Record
from ablations.records.recorder import Paused, Stopped
from ablations.search.objectives import clipped, objective_value
from ablations.search.space import Infeasible
from ablations.search.suggestions import Suggestions, repeated
from ablations.search.trials import Trial

Row = dict[str, float]
Watch = Callable[..., None]


class TrialFailed(Exception):
    """A trial has no value; the message names the run and the cause."""


class Uncovered(ValueError):
    """A table lacks what a search asks for; the message names it."""


class Repeated(Exception):
    """A suggestion of a cell that another one, `same`, has trained, or is training."""

    def __init__(self, same: FrozenTrial) -> None:
        super().__init__()
        self.same = same


@dataclass(frozen=True)
class Candidate:
    """The cell of a suggestion, before it is trained.

    Attributes:
        label: of its runs, without the seed.
        epochs: how long a run is.
        params, macs: None where a table does not say them.
        runs: seed, identity, label and folder of the run of each seed of the search.
        planned: what the source wants to see again when it measures them.
    """

    cell: str
    label: str
    epochs: int
    params: int | None
    macs: int | None
    runs: Sequence[dict[str, Any]]
    planned: Any = None


class Source(Protocol):
    """Where the cells and the values of a search come from."""

    def candidate(self, point: Point) -> Candidate:
        """Return the cell of a point; raise Infeasible where it cannot be built."""
        ...

    def measure(
        self, candidate: Candidate, k: int, watch: Watch | None, after: int, until: int | None
    ) -> Iterator[float]:
        """Yield the seconds that pass until the k-th run has a record, and return the record.

        Args:
            after: the epoch at which it has paused before; 0 where it has not.
            until: the epoch after which it pauses, raising Paused, to go on from there another time; None for its end.
            watch: is handed the new epochs, and may end the run by raising Stopped; `prune=False` of those that are
                long over.
        """
        ...


def new_outcome(tuning: Suggestions, number: int) -> Trial:
    """The outcome of a suggestion of which nothing is known yet."""
    return {
        **{"tuning": tuning.name, "number": number, "state": "running", "point": dict(tuning.space.fixed)},
        **{"suggested": {}, "cell": None, "label": None, "runs": [], "values": {}, "constraints": {}},
    }


def carry_out(tuning: Suggestions, trial: optuna.Trial, outcome: Trial, source: Source) -> Iterator[float]:
    """Carry out a suggestion and write into `outcome` what became of it; Optuna is not told yet.

    Yields:
        the seconds that pass; the first time, when it is known what will be measured, 0.
    """
    try:
        candidate = _choose(tuning, trial, outcome, source)
        outcome["suggested"] = dict(trial.params)
        yield 0.0
        until = tuning.until(trial.number)
        values = yield from _measure(tuning.search, trial, outcome, candidate, source, until)
        outcome |= {"state": "complete", "values": {name: fmean(some) for name, some in values.items()}}
    except Paused:
        outcome |= {"state": "paused", "paused": tuning.until(trial.number)}
    except Stopped:
        outcome["state"] = "pruned"
    except Repeated as error:
        outcome |= repeated(tuning.search, error.same)
    except Infeasible as error:
        outcome |= {"state": "infeasible", "cause": str(error)}
        if not outcome["constraints"]:
            _constrain(trial, "can be built", 1.0)
    except TrialFailed as error:
        outcome |= {"state": "failed", "cause": str(error)}
    finally:
        outcome |= {"suggested": dict(trial.params), "reported": sorted(_reports(trial).items())}


def _choose(tuning: Suggestions, trial: optuna.Trial, outcome: Trial, source: Source) -> Candidate:
    """Let Optuna choose a value for each axis that is active given those before it; look at the cell.

    Raises:
        Infeasible: what was chosen cannot be built, or breaks a constraint.
        Repeated: it is the cell of another suggestion.
    """
    tuning.space.choose(trial, outcome["point"])
    found = source.candidate(outcome["point"])
    outcome |= {key: getattr(found, key) for key in ("cell", "label", "epochs", "params", "macs")}
    for constraint in tuning.search.constraints:
        size = getattr(found, constraint.quantity)
        if size is None:
            raise Uncovered(f"the table does not say the {constraint.quantity} of {found.label}")
        excess = outcome["constraints"][str(constraint)] = constraint.excess(size)
        _constrain(trial, str(constraint), excess)
    broken = [f"not {name}" for name, excess in outcome["constraints"].items() if excess > 0]
    if broken:
        raise Infeasible(", ".join(broken))
    same = tuning.claim_cell(trial, found.cell)
    if same is not None:
        raise Repeated(same)
    outcome["runs"] = list(found.runs)
    return found


def _measure(
    search: Search, trial: optuna.Trial, outcome: Trial, candidate: Candidate, source: Source, until: int | None
) -> Any:
    """Return the objectives of every seed; yield the seconds that this takes.

    Args:
        until: the epoch at which the first seed pauses, where its recipe is longer; None for its end.

    Raises:
        Paused: it did.
        Stopped: the pruner ends this trial.
        TrialFailed: a run failed, or diverged where that counts as failed.
    """
    first = search.objectives[0]
    values: dict[str, list[float]] = {name: [] for name in search.objectives}
    by_seed = len(search.objectives) == 1 and search.prune_by == "seeds"
    by_epoch = len(search.objectives) == 1 and search.prune_by == "epochs" and is_curve(first)
    until = until if until and until < candidate.epochs else None
    known = _reports(trial) if by_epoch else {}
    after = max(known, default=0)
    for k, run in enumerate(candidate.runs):
        watch = partial(_report, trial, known, first, until) if by_epoch and k == 0 else None
        record: Record = yield from source.measure(candidate, k, watch, *((after, until) if k == 0 else (0, None)))
        if record["status"] == "failed":
            raise TrialFailed(f"{record['label']}: {record['cause']}")
        if record["status"] == "diverged" and search.diverged == "failed":
            raise TrialFailed(f"{record['label']} diverged")
        for name in values:
            values[name].append(objective_value(record, name))
        outcome.setdefault("seed_values", {})[str(run["seed"])] = values[first][-1]
        if by_seed:
            trial.report(values[first][-1], step=k)
            if trial.should_prune():
                raise Stopped
    return values


def _report(
    trial: optuna.Trial, known: dict[int, float], name: str, until: int | None, rows: list[Row], *, prune: bool = True
) -> None:
    """Report to the pruner the epochs that are new to it; raise Stopped if it ends the trial.

    Args:
        known: by epoch what was reported before; what is new is added.
        until: the last that is reported while the run trains; another search may have trained it further.
        prune: whether the run trains, and can be ended.
    """
    for row in rows:
        epoch = int(row["epoch"])
        if epoch not in known and (epoch <= until if until and prune else True):
            known[epoch] = clipped(name, row)
            trial.report(known[epoch], step=epoch)
    if prune and trial.should_prune():
        raise Stopped


def _constrain(trial: optuna.Trial, name: str, excess: float) -> None:
    """Set a constraint, unless it is known: of a trial that goes on."""
    if name not in trial.constraints:
        trial.set_constraint(name, excess)


def _reports(trial: optuna.Trial) -> dict[int, float]:
    return dict(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
