"""Decide which paused trials go on: successive halving that pauses a training and later goes on from its checkpoint.

Every trial is trained up to a rung, an epoch, and pauses there. The best of a rung go on to the next one, and so on to
the end of the recipe. What goes on follows from what the trials reported and from what went on before. All of this
works on any Optuna study, as in `suggestions`: a paused trial is running, and its attribute `paused` is the epoch.

Source: Li et al. 2018, A System for Massively Parallel Hyperparameter Tuning, arXiv 1810.05934, algorithm 2.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Container
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

UNTIL = "until"  # attribute of the study: number of each trial that went on → its next rung


class Halving(BasePruner):
    """Promotion-type asynchronous successive halving; with several brackets, asynchronous Hyperband.

    While there are new trials to begin, the best ⌊n / factor⌋ of the n trials that reached a rung go on. Once there are
    none, and nothing is under way below a rung, the best ⌈n / factor⌉ go on.

    Args:
        min_epochs: the first rung; each further one is `factor` times as far.
        factor: of the trials at a rung, one in so many goes on.
        brackets: the trials are dealt to so many; the k-th begins at `min_epochs` · factorᵏ and is halved by itself.

    Raises:
        ValueError: an argument is no whole number, or too small.
    """

    def __init__(self, min_epochs: int = 1, factor: int = 3, brackets: int = 1) -> None:
        self.min_epochs, self.factor, self.brackets = min_epochs, factor, brackets
        for name, least in (("min_epochs", 1), ("factor", 2), ("brackets", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"pruner.{name}={value} must be a whole number ≥ {least}")

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Never: a trial that does not go on is paused until the search ends."""
        return False

    def until(self, study: optuna.Study, number: int) -> int:
        """The epoch at which a trial pauses next; it may lie behind the end of the recipe."""
        return study.user_attrs.get(UNTIL, {}).get(str(number), self._first(number))

    def next_step(self, study: optuna.Study, *, over: bool) -> tuple[int, int] | None:
        """The number of the paused trial that goes on next, and its next rung; None where none does.

        Args:
            over: whether there are no new trials to begin.
        """
        trials, waiting = study.get_trials(deepcopy=False), paused(study)
        rungs = self._rungs(trials)
        for rung in sorted(rungs, reverse=True):
            if step := self._best(rung, rungs[rung][: len(rungs[rung]) // self.factor], waiting):
                return step
        if not over:
            return None
        under_way = [one.number for one in trials if not one.state.is_finished() and one.number not in waiting]
        coming = [(self.until(study, number), number % self.brackets) for number in under_way]
        for rung in sorted(rungs):  # the lowest first: who comes up from it competes above
            settled = not any(epoch <= rung[0] and bracket == rung[1] for epoch, bracket in coming)
            most = -(-len(rungs[rung]) // self.factor) if settled else 0
            if step := self._best(rung, rungs[rung][:most], waiting):
                return step
        return None

    def _rungs(self, trials: list[FrozenTrial]) -> dict[tuple[int, int], list[tuple[float, int]]]:
        """Epoch and bracket of every rung that was reached → value there and number of each trial, the best first."""
        found: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        for trial in trials:
            epoch, last = self._first(trial.number), max(trial.intermediate_values, default=0)
            while epoch <= last:
                if epoch in trial.intermediate_values:
                    value = trial.intermediate_values[epoch], trial.number
                    found[epoch, trial.number % self.brackets].append(value)
                epoch *= self.factor
        return {rung: sorted(values) for rung, values in found.items()}

    def _best(
        self, rung: tuple[int, int], best: list[tuple[float, int]], waiting: dict[int, int]
    ) -> tuple[int, int] | None:
        """The first of the best that is paused at a rung, with its next rung."""
        here = (number for _, number in best if waiting.get(number) == rung[0])
        return next(((number, rung[0] * self.factor) for number in here), None)

    def _first(self, number: int) -> int:
        return self.min_epochs * self.factor ** (number % self.brackets)


def go_on(study: optuna.Study, number: int, until: int) -> None:
    """Let a paused trial go on to a rung."""
    study.set_user_attr(UNTIL, {**study.user_attrs.get(UNTIL, {}), str(number): until})


def paused(study: optuna.Study) -> dict[int, int]:
    """The numbers of the trials that are paused, and at which epoch."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    at = {trial.number: trial.user_attrs["paused"] for trial in running if "paused" in trial.user_attrs}
    gone_on = study.user_attrs.get(UNTIL, {}) if at else {}
    return {number: epoch for number, epoch in at.items() if epoch >= gone_on.get(str(number), 0)}


def seen_by_sampler(study: optuna.Study, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """A study as its sampler is to see it; `study` itself where trials do not pause."""
    if not isinstance(study.pruner, Halving):
        return study
    seen: Any = SeenBySampler(storage)
    return optuna.load_study(study_name=study.study_name, storage=seen, sampler=study.sampler, pruner=study.pruner)


class SeenBySampler:
    """An Optuna storage in which a trial that has reported is pruned: of running trials, samplers learn nothing."""

    def __init__(self, storage: optuna.storages.BaseStorage) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = [_as_pruned(trial) for trial in self._storage.get_all_trials(study_id, deepcopy)]
        return [trial for trial in trials if states is None or trial.state in states]


def _as_pruned(trial: FrozenTrial) -> FrozenTrial:
    if trial.state != TrialState.RUNNING or not trial.intermediate_values:
        return trial
    seen = copy.copy(trial)
    seen.state, seen.value = TrialState.PRUNED, trial.intermediate_values[max(trial.intermediate_values)]
    return seen
