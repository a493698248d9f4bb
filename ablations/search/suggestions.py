"""Decide what a search tries next: what uses up one of its trials, what repeats another, when it ends early.

A suggestion is an Optuna trial. It uses up one of the search's trials if its cell is trained and was not before. All of
this works on any Optuna study, one in memory too: it needs no files, no Hydra and no training.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice, takewhile
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ablations.question.search_space import Search, is_curve
from ablations.question.study import StudyError
from ablations.search.halving import Halving, go_on, seen_by_sampler
from ablations.search.space import Space, optuna_distribution
from ablations.search.trials import UNCOUNTED, Trial, commonest_cause, uses_trial

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
    """Let a sampler suggest three points, with made-up results; raise StudyError if it cannot search this space."""
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
    """Raise StudyError for what is no pruner, or does not count what this search reports."""
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


def seeded(sampler: Callable[..., Any], seed: int) -> BaseSampler:
    """Create the sampler with a seed, unless its config already gives one (as for Sobol's sequence)."""
    with without_experimental_warning():
        return sampler() if "seed" in getattr(sampler, "keywords", {}) else sampler(seed=seed)


@contextmanager
def without_experimental_warning() -> Iterator[None]:
    """Make a sampler or a pruner without Optuna's warning that it is experimental: it was chosen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class Suggestions:
    """One Optuna study, and the rules by which its search goes on.

    Args:
        name: of the tuning, unique in its study.
        space: what is searched.
        sampler: called as `sampler(seed=…)`, or as `sampler()` if the config gives its seed.
        pruner: Optuna's, asked after every report; or `Halving`, asked which trial goes on.
        where: further arguments of `optuna.create_study`.
    """

    def __init__(
        self,
        name: str,
        search: Search,
        space: Space,
        sampler: Callable[..., Any],
        pruner: BasePruner,
        storage: BaseStorage,
        **where: Any,
    ) -> None:
        self.name, self.search, self.space, self.sampler, self.storage = name, search, space, sampler, storage
        where |= {"storage": storage, "pruner": pruner, "sampler": optuna.samplers.RandomSampler()}  # until the first
        self.study = new_study(len(search.objectives), **where)
        self.halving = pruner if isinstance(pruner, Halving) else None

    @property
    def trials(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)

    @property
    def retried(self) -> list[int]:
        """The numbers of the trials that were queued once more."""
        return self.study.user_attrs.get("retried", [])

    def to_go(self) -> int:
        """How many trials the search has left, without those that are under way."""
        retried = self.retried
        return self.search.trials - sum(uses_trial(one.user_attrs) for one in self.trials if one.number not in retried)

    def next_number(self) -> int | None:
        """Let a paused trial go on, or queue one suggestion more; return its number, or None if there is neither.

        There is none if the search has no trial left or ends early. Where the sampler repeats itself, the suggestion is
        a random point that was not tried.
        """
        over = self.is_over()
        if step := self.next_step(over=over):
            go_on(self.study, *step)
            return step[0]
        if over:
            return None
        repeats = sum(about["state"] == "repeated" for about in self._in_vain())
        self.study.enqueue_trial((self.untried() or {}) if repeats >= REPEATS else {})
        return len(self.trials) - 1

    def next_step(self, *, over: bool) -> tuple[int, int] | None:
        """The paused trial that goes on next, and the epoch at which it pauses again; `over` as `is_over` says."""
        return self.halving.next_step(self.study, over=over) if self.halving else None

    def until(self, number: int) -> int | None:
        """The epoch at which a trial pauses next; None for its end."""
        return self.halving.until(self.study, number) if self.halving else None

    def trial(self, number: int) -> optuna.Trial:
        """Begin a suggestion. Its number seeds the sampler, so that it does not matter which worker asks."""
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
        if self.storage.get_trial(trial_id).state == TrialState.WAITING:
            self.storage.set_trial_state_values(trial_id, state=TrialState.RUNNING)
        self.study.sampler = seeded(self.sampler, self._seed(number))
        return optuna.Trial(seen_by_sampler(self.study, self.storage), trial_id)

    def is_over(self) -> bool:
        """Whether no suggestion is left to be made, as far as is known now."""
        return self.to_go() <= 0 or self.why_ended() is not None

    def why_ended(self) -> str | None:
        """Why the search ends before its last trial; None while it does not."""
        vain = self._in_vain()
        if not vain or self.to_go() <= 0:
            return None
        if self.untried() is None:
            tried = {_key(trial.params) for trial in self.trials if trial.params}
            return f"all {len(tried)} points were tried" if len(tried) > 1 else "its only point was tried"
        cause = commonest_cause(trial.user_attrs for trial in self.trials)
        because = f"; most often: {cause}" if cause else ""
        return f"{len(vain)} suggestions in a row used up no trial{because}" if len(vain) >= IN_VAIN else None

    def untried(self) -> dict[str, Any] | None:
        """A random point that was not suggested yet, as Optuna's parameters; None if there is none."""
        trials = self.trials
        tried, seed = {_key(trial.params) for trial in trials}, self._seed(len(trials))
        drawn = islice(self.space.random_points(self.study, seed), DRAWS)
        every = self.space.all_points(self.study, seed)  # if all that were drawn were tried, there are not many more
        return next((point for point in chain(drawn, every) if _key(point) not in tried), None)

    def claim_cell(self, trial: optuna.Trial, cell: str) -> FrozenTrial | None:
        """Let a suggestion have its cell; return the other one that has trained it, or is training it, if there is."""
        others = {trial.number, *self.retried}
        for one in self.trials:
            about = one.user_attrs
            if about.get("cell") == cell and about.get("state") not in UNCOUNTED and one.number not in others:
                return one
        trial.set_user_attr("cell", cell)
        return None

    def tell(self, trial: optuna.Trial, outcome: Trial) -> None:
        """Tell Optuna how a suggestion ended: with its values, or pruned, infeasible or failed; or that it paused."""
        for key, value in attributes(outcome).items():
            trial.set_user_attr(key, value)
        state, values = _told(self.search, outcome)
        if state != TrialState.RUNNING:
            self.study.tell(trial, values, state=state)

    def _in_vain(self) -> list[dict[str, Any]]:
        """The user attributes of the last suggestions, if they used up no trial; without what is under way."""
        ended = (one for one in reversed(self.trials) if one.state.is_finished() or one.intermediate_values)
        return list(takewhile(lambda about: about.get("state") in UNCOUNTED, (one.user_attrs for one in ended)))

    def _seed(self, number: int) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.search.seed} {number}".encode()).digest()[:4])


def repeated(search: Search, same: FrozenTrial) -> Trial:
    """The outcome of a suggestion whose cell another one has: the values of that one, if it has any yet."""
    values = same.values if same.state == TrialState.COMPLETE else ()
    return {"state": "repeated", "same_as": same.number, "values": dict(zip(search.objectives, values, strict=False))}


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
    """The user attributes of a trial, which optuna-dashboard shows. The state comes first: see `claim_cell`."""
    kept = ("state", "label", "cell", "params", "macs", "seed_values", "same_as", "cause", "warm_start", "paused")
    return {key: outcome[key] for key in kept if outcome.get(key) is not None}


def _told(search: Search, outcome: Trial) -> tuple[TrialState, list[float] | None]:
    """What Optuna is told. Samplers repeat themselves less if they are told of it, as measured with TPE."""
    if outcome["values"]:
        return TrialState.COMPLETE, [outcome["values"][name] for name in search.objectives]
    if outcome["state"] == "paused":
        return TrialState.RUNNING, None
    return TrialState.PRUNED if outcome["state"] in PRUNED else TrialState.FAIL, None


def _key(params: Mapping[str, Any]) -> str:
    """What tells points apart: stepped real numbers differ in their last digits, depending on who computed them."""
    return repr(sorted((axis, f"{value:.9g}" if isinstance(value, float) else value) for axis, value in params.items()))
