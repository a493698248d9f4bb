"""The Optuna study of a simulated search: one process, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import optuna

from ablations.question.search_space import Search
from ablations.search.space import Space
from ablations.search.suggestions import Suggestions, known_trial
from ablations.search.trials import Trial


class InMemory(Suggestions):
    """A tuning of a simulated search: its Optuna study, which no other process sees.

    Args:
        study: the name of the study that it is a tuning of, by which Hyperband puts its trials into brackets.
    """

    def __init__(
        self, name: str, search: Search, space: Space, sampler: Callable[..., Any], pruner: Any, *, study: str
    ) -> None:
        storage = optuna.storages.InMemoryStorage()
        super().__init__(name, search, space, sampler, pruner, storage, study_name=f"{study} {name}")
        self.known: list[Trial] = []

    def begin(self, known: Sequence[Trial]) -> None:
        """Tell the sampler, before its first suggestion, what was trained before."""
        self.known = list(known)
        self.study.add_trials([known_trial(self.search, trial) for trial in known])

    def next_trial(self) -> optuna.Trial | None:
        """Make the next suggestion, or let a paused trial go on; None where there is neither now."""
        number = self.next_number()
        return None if number is None else self.trial(number)
