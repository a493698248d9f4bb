"""The Optuna study of a simulated search: one process, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from ablations.question.search_space import Search
from ablations.search import suggestions
from ablations.search.halving import seen_by_sampler
from ablations.search.space import Space
from ablations.search.trials import Trial


@dataclass
class InMemory:
    """An Optuna study that nobody else sees."""

    name: str
    search: Search
    space: Space
    sampler: Callable[..., Any]
    pruner: Any
    study: optuna.Study = field(init=False)
    known: list[Trial] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.storage = optuna.storages.InMemoryStorage()
        self.study = suggestions.new_study(len(self.search.objectives), storage=self.storage, pruner=self.pruner)

    def begin(self, known: Sequence[Trial]) -> None:
        """Tell the sampler, before its first suggestion, what was trained before."""
        self.known = list(known)
        for trial in known:
            self.study.add_trial(suggestions.known_trial(self.search, trial))

    def next_trial(self) -> optuna.Trial | None:
        """Make the next suggestion, or let a paused trial go on; None where there is neither now."""
        have = len(self.study.get_trials(deepcopy=False))
        number = suggestions.queue_next(self.study, self.search, self.space)
        if number is None:
            return None
        self.study.sampler = suggestions.sampler_for(self.search, self.sampler, number)
        asked = seen_by_sampler(self.study, self.storage)
        if number == have:
            return asked.ask()
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        return optuna.Trial(asked, self.storage.get_trial_id_from_study_id_trial_number(study_id, number))

    def until(self, number: int) -> int | None:
        """The epoch at which a trial pauses; None for its end."""
        return suggestions.until(self.study, number)

    def claim_cell(self, trial: optuna.Trial, cell: str) -> FrozenTrial | None:
        """Let a suggestion have its cell; return the other one that has it, if there is one."""
        return suggestions.claim_cell(self.study, trial, cell)

    def left(self) -> int:
        """How many trials are still to be suggested."""
        return suggestions.to_go(self.study, self.search)
