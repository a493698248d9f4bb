"""Decide what a search tries next: what uses up one of its trials, what repeats another, when it ends early.

A suggestion is an Optuna trial. It uses up one of the search's trials if its cell is trained and was not before. All of
this works on any Optuna study, one in memory too: it needs no files, no Hydra and no training.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ablations.question.search_space import Search, is_curve
from ablations.question.study import StudyError
from ablations.search.halving import Halving, go_on
from ablations.search.space import Space, optuna_distribution
from ablations.search.trials import FREE, Trial, commonest_cause, uses_trial

PRUNED = ("pruned", "infeasible")  # states that Optuna is told as pruned
REPEATS = 5  # among suggestions in a row that use up no trial; then a point is drawn that was not tried
IN_VAIN = 200  # suggestions in a row that use up no trial; then the search ends
DRAWS = 100  # random points that are looked at before all points are


def new_study(objectives: int, **where: Any) -> optuna.Study:
    """Create an Optuna study that minimises: in memory, or where further arguments of `optuna.create_study` say."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna logs every study that is created
    directions = [optuna.study.StudyDirection.MINIMIZE] * objectives
    return optuna.create_study(directions=directions, **where)


def check_sampler(search: Search, sampler: Callable[..., Any]) -> None:
    """Check that a sampler can search a space: let it suggest three points, with made-up results.

    Raises:
        StudyError: it cannot, because of several objectives, an infinite space, a missing package, a wrong option.
    """
    if not callable(sampler):
        raise StudyError(f"sampler={sampler!r} is neither the name of one nor what makes one of Optuna's from a seed")
    study = new_study(len(search.objectives))
    try:
        for k in range(3):
            study.sampler = seeded(sampler, k)
            trial = study.ask({axis: optuna_distribution(options) for axis, options in search.space.items()})
            study.tell(trial, [float(k)] * len(search.objectives))
    except Exception as error:  # whatever the sampler raises, of its options too
        kind = f"{type(error).__name__}: " if isinstance(error, TypeError | AttributeError) else ""
        raise StudyError(f"this sampler cannot search this space: {kind}{str(error).partition(chr(10))[0]}") from error


def check_pruner(search: Search, pruner: Any) -> None:
    """Check that a pruner can end the trials of a search.

    Raises:
        StudyError: it is none, or does not count what this search reports.
    """
    if not isinstance(pruner, BasePruner):
        raise StudyError(f"pruner={pruner!r} is neither the name of one nor one of Optuna's; `none` ends no trial")
    if isinstance(pruner, NopPruner):
        return
    if len(search.objectives) > 1:
        raise StudyError("several objectives cannot be pruned; leave pruner=none, or keep one of search.objectives")
    if isinstance(pruner, Halving) and not (search.prune_by == "epochs" and is_curve(search.objectives[0])):
        raise StudyError("this pruner counts epochs: leave search.prune_by, and minimise a metric of every epoch")
    if isinstance(pruner, WilcoxonPruner) and search.prune_by != "seeds":
        raise StudyError("this pruner compares seeds: write prune_by: seeds under search, and several seeds")


def sampler_for(search: Search, sampler: Callable[..., Any], number: int) -> BaseSampler:
    """Create the sampler of one suggestion, seeded by its number: so it does not matter which worker asks."""
    return seeded(sampler, _seed(search, number))


def seeded(sampler: Callable[..., Any], seed: int) -> BaseSampler:
    """Create the sampler with a seed, unless its config already gives one (as for Sobol's sequence)."""
    with as_chosen():
        return sampler() if "seed" in getattr(sampler, "keywords", {}) else sampler(seed=seed)


@contextmanager
def as_chosen() -> Iterator[None]:
    """Make a sampler or a pruner without Optuna's warning that it is experimental: it was chosen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def to_go(study: optuna.Study, search: Search) -> int:
    """How many trials the search has left, without those that are under way."""
    retried = study.user_attrs.get("retried", [])
    trials = study.get_trials(deepcopy=False)
    return search.trials - sum(uses_trial(trial.user_attrs) for trial in trials if trial.number not in retried)


def queue_next(study: optuna.Study, search: Search, space: Space) -> int | None:
    """Let a paused trial go on, or queue one suggestion more; return its number, or None if there is neither.

    There is none if the search has no trial left or ends early. Where the sampler repeats itself, the suggestion is a
    random point that was not tried.
    """
    over = is_over(study, search, space)
    if step := next_step(study, over=over):
        go_on(study, *step)
        return step[0]
    if over:
        return None
    repeats = sum(about["state"] == "repeated" for about in _in_vain(study))
    study.enqueue_trial((untried(study, search, space) or {}) if repeats >= REPEATS else {})
    return len(study.get_trials(deepcopy=False)) - 1


def next_step(study: optuna.Study, *, over: bool) -> tuple[int, int] | None:
    """The number of the paused trial that goes on next, and the epoch at which it pauses again; None if none does.

    Args:
        over: as `is_over` says.
    """
    return study.pruner.next_step(study, over=over) if isinstance(study.pruner, Halving) else None


def until(study: optuna.Study, number: int) -> int | None:
    """The epoch at which a trial pauses next; None for its end."""
    return study.pruner.until(study, number) if isinstance(study.pruner, Halving) else None


def is_over(study: optuna.Study, search: Search, space: Space) -> bool:
    """Whether no suggestion is left to be made, as far as is known now."""
    return to_go(study, search) <= 0 or why_ended(study, search, space) is not None


def why_ended(study: optuna.Study, search: Search, space: Space) -> str | None:
    """Say why a search ends before its last trial; None while it does not."""
    vain = _in_vain(study)
    if not vain or to_go(study, search) <= 0:
        return None
    cause = commonest_cause(trial.user_attrs for trial in study.get_trials(deepcopy=False))
    because = f"; most often: {cause}" if cause else ""
    if untried(study, search, space) is None:
        tried = {_key(trial.params) for trial in study.get_trials(deepcopy=False) if trial.params}
        return f"all {len(tried)} points were tried" if len(tried) > 1 else "its only point was tried"
    return f"{len(vain)} suggestions in a row used up no trial{because}" if len(vain) >= IN_VAIN else None


def untried(study: optuna.Study, search: Search, space: Space) -> dict[str, Any] | None:
    """A random point that was not suggested yet, as Optuna's parameters; None if there is none."""
    trials = study.get_trials(deepcopy=False)
    tried, seed = {_key(trial.params) for trial in trials}, _seed(search, len(trials))
    drawn = islice(space.random_points(study, seed), DRAWS)
    for point in chain(drawn, space.all_points(study, seed)):  # if all of so many were tried, there are not many more
        if _key(point) not in tried:
            return point
    return None


def find_same(study: optuna.Study, number: int, cell: str) -> FrozenTrial | None:
    """Find another suggestion that has trained a cell, or is training it."""
    others = {number, *study.user_attrs.get("retried", [])}
    for trial in study.get_trials(deepcopy=False):
        about = trial.user_attrs
        if about.get("cell") == cell and about.get("state") not in FREE and trial.number not in others:
            return trial
    return None


def repeated(search: Search, same: FrozenTrial) -> Trial:
    """The outcome of a suggestion whose cell another one has: the values of that one, if it has any yet."""
    values = same.values if same.state == TrialState.COMPLETE else ()
    return {"state": "repeated", "same_as": same.number, "values": dict(zip(search.objectives, values, strict=False))}


def claim_cell(study: optuna.Study, trial: optuna.Trial, cell: str) -> FrozenTrial | None:
    """Let a suggestion have its cell; return the other one that has it, if there is one."""
    same = find_same(study, trial.number, cell)
    if same is None:
        trial.set_user_attr("cell", cell)
    return same


def tell(study: optuna.Study, search: Search, trial: optuna.Trial, outcome: Trial) -> None:
    """Tell Optuna how a suggestion ended: with its values, or that it was pruned, infeasible or failed; or paused."""
    for key, value in attributes(outcome).items():
        trial.set_user_attr(key, value)
    state, values = _told(search, outcome)
    if state != TrialState.RUNNING:
        study.tell(trial, values, state=state)


def known_trial(search: Search, trial: Trial) -> FrozenTrial:
    """Make a trial of Optuna's that has ended or is paused, for `Study.add_trial`."""
    state, values = _told(search, trial)
    return optuna.trial.create_trial(
        state=state,
        values=values,
        params=trial["suggested"],
        distributions={axis: optuna_distribution(search.space[axis]) for axis in trial["suggested"]},
        intermediate_values=dict(trial.get("reported", ())),
        user_attrs=attributes(trial),
        constraints=trial["constraints"] or None,
    )


def attributes(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The user attributes of a trial, which optuna-dashboard shows. The state comes first: see `find_same`."""
    kept = ("state", "label", "cell", "params", "macs", "seed_values", "same_as", "cause", "warm_start", "paused")
    return {key: outcome[key] for key in kept if outcome.get(key) is not None}


def _told(search: Search, outcome: Trial) -> tuple[TrialState, list[float] | None]:
    """What Optuna is told. Samplers repeat themselves less if they are told of it, as measured with TPE."""
    if outcome["values"]:
        return TrialState.COMPLETE, [outcome["values"][name] for name in search.objectives]
    if outcome["state"] == "paused":
        return TrialState.RUNNING, None
    return TrialState.PRUNED if outcome["state"] in PRUNED else TrialState.FAIL, None


def _in_vain(study: optuna.Study) -> list[dict[str, Any]]:
    """The user attributes of the last suggestions, as far as they used up no trial; what is under way is left out."""
    found = []
    for trial in reversed(study.get_trials(deepcopy=False)):
        if trial.state.is_finished() or trial.intermediate_values:
            if trial.user_attrs.get("state") not in FREE:
                break
            found.append(trial.user_attrs)
    return found


def _key(params: Mapping[str, Any]) -> str:
    """What tells points apart: stepped real numbers differ in their last digits, depending on who computed them."""
    return repr(sorted((axis, f"{value:.9g}" if isinstance(value, float) else value) for axis, value in params.items()))


def _seed(search: Search, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{search.seed} {number}".encode()).digest()[:4])
