"""Share one Optuna study among workers: queue its suggestions, lend each to one of them, claim what they train.

What must happen once happens under the lease of the tuning's folder, so the number of trials is exact however many
workers there are. A worker takes a suggestion by the lease of the suggestion's folder. If a worker dies, the next one
continues with the values suggested so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ablations.question.search_space import Search
from ablations.records.layout import CHECKPOINT, RECORD
from ablations.records.lease import claim, held
from ablations.records.record import read_record, usable
from ablations.search import suggestions
from ablations.search.halving import Halving, paused, seen_by_sampler
from ablations.search.space import Space
from ablations.search.storage import exclusive
from ablations.search.trials import (
    Trial,
    read_trials,
    trial_folder,
    uses_trial,
    write_trial,
    write_warm_start,
)


class Tuning:
    """One Optuna study, opened by one process.

    Args:
        name: of the tuning, unique in its study.
        space: what is searched.
        sampler: called as `sampler(seed=…)`, or as `sampler()` if the config gives its seed.
        pruner: Optuna's, asked after every report; or `Halving`, asked which trial goes on.
    """

    def __init__(
        self,
        storage: optuna.storages.BaseStorage,
        runs: Path,
        study: str,
        name: str,
        search: Search,
        space: Space,
        *,
        sampler: Callable[..., Any],
        pruner: Any,
    ) -> None:
        self.name, self.search, self.space, self.runs, self.study_name = name, search, space, runs, study
        self.sampler, self.storage = sampler, storage
        self.study = suggestions.new_study(
            len(search.objectives),
            storage=storage,
            study_name=f"{study} {name}",
            sampler=optuna.samplers.RandomSampler(),
            pruner=pruner,
            load_if_exists=True,
        )

    def begin(self, known: Sequence[Trial] = ()) -> None:
        """Tell a sampler that has suggested nothing yet what was trained before: once, when the search begins.

        If Optuna's storage was lost, the trials that left files are told again. What was under way is queued.
        """
        with self._exclusive():
            have = len(self.study.get_trials(deepcopy=False))
            files, _ = read_trials(self.runs, self.study_name, [self.name])
            if not have and not files:
                write_warm_start(self.runs, self.study_name, self.name, known)
                files = list(known)
            by_number = {trial["number"]: trial for trial in files}
            for number in range(have, max(by_number, default=-1) + 1):
                trial = by_number.get(number, {"state": "running", "suggested": {}})
                if trial["state"] == "running":
                    self.study.enqueue_trial(trial["suggested"])
                else:
                    self.study.add_trial(suggestions.known_trial(self.search, trial))

    def queue_next(self) -> bool:
        """Let a paused trial go on, or queue one suggestion more; return False if there is neither."""
        if self.left() == 0 and not self.goes_on():
            return False
        with self._exclusive():
            return suggestions.queue_next(self.study, self.search, self.space) is not None

    def left(self) -> int:
        """How many trials are still to be queued; none where the search ends early."""
        return 0 if self.why_ended() else max(0, suggestions.to_go(self.study, self.search))

    def goes_on(self) -> bool:
        """Whether a paused trial can go on now."""
        over = suggestions.is_over(self.study, self.search, self.space)
        return suggestions.next_step(self.study, over=over) is not None

    def why_ended(self) -> str | None:
        """Why the search ends before its last trial; None while it does not."""
        return suggestions.why_ended(self.study, self.search, self.space)

    def retry(self, status: str) -> list[Trial]:
        """Queue the trials that ended with a status once more, with the same values; return these trials.

        Args:
            status: failed, or diverged (one of the trial's runs did).
        """
        with self._exclusive():
            known, _ = read_trials(self.runs, self.study_name, [self.name])
            left = [trial for trial in known if uses_trial(trial) and trial["number"] not in self._retried]
            again = [trial for trial in left if self._ended(trial) == status]
            suggested = {trial.number: trial.params for trial in self.study.get_trials(deepcopy=False)}
            for trial in again:
                self.study.enqueue_trial(suggested[trial["number"]])
            self.study.set_user_attr("retried", [*self._retried, *(trial["number"] for trial in again)])
        return again

    def _ended(self, trial: Trial) -> str:
        paths = (self.runs / run["folder"] / RECORD for run in trial["runs"])
        diverged = any(usable(path) and read_record(path)["status"] == "diverged" for path in paths)
        return "diverged" if diverged else trial["state"]

    @property
    def _retried(self) -> list[int]:
        return self.study.user_attrs.get("retried", [])

    def claim_cell(self, trial: optuna.Trial, cell: str) -> FrozenTrial | None:
        """Let a suggestion have its cell; return the other one that has it, if there is one."""
        with self._exclusive():
            return suggestions.claim_cell(self.study, trial, cell)

    def unfinished(self) -> list[int]:
        """The numbers of the suggestions that are waiting or running and not paused, in ascending order."""
        return [trial.number for trial in self._open()]

    def undecided(self) -> bool:
        """Whether another process may find out that there is more to do.

        Its suggestion uses up no trial; or its trial pauses, and then another one can go on.
        """
        pauses = isinstance(self.study.pruner, Halving)
        numbers = [trial.number for trial in self._open() if pauses or "cell" not in trial.user_attrs]
        return any(held(trial_folder(self.runs, self.study_name, self.name, number)) for number in numbers)

    def _open(self) -> list[FrozenTrial]:
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        left_out = paused(self.study)
        return [trial for trial in found if trial.number not in left_out]

    @contextmanager
    def acquire(self, number: int) -> Iterator[optuna.Trial | None]:
        """Reserve a suggestion for this process; None if another process has it, or has ended or paused it."""
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
        with claim(trial_folder(self.runs, self.study_name, self.name, number)) as ours:
            state = self.storage.get_trial(trial_id).state
            if not ours or state.is_finished() or number in paused(self.study):
                yield None
                return
            if state == TrialState.WAITING:
                self.storage.set_trial_state_values(trial_id, state=TrialState.RUNNING)
            self.study.sampler = suggestions.sampler_for(self.search, self.sampler, number)
            yield optuna.Trial(seen_by_sampler(self.study, self.storage), trial_id)

    def until(self, number: int) -> int | None:
        """The epoch at which a trial pauses; None for its end."""
        return suggestions.until(self.study, number)

    def tell(self, trial: optuna.Trial, outcome: Trial) -> None:
        """Tell Optuna how a suggestion ended."""
        suggestions.tell(self.study, self.search, trial, outcome)

    def end_paused(self) -> None:
        """Tell Optuna that the paused trials are pruned, and remove their checkpoints: if the search is over."""
        with self._exclusive():
            if self.unfinished() or self.left() or self.goes_on():
                return
            known, _ = read_trials(self.runs, self.study_name, [self.name])
            for trial in known:
                if trial["state"] == "paused":
                    for run in trial["runs"]:
                        if not held(self.runs / run["folder"]):
                            (self.runs / run["folder"] / CHECKPOINT).unlink(missing_ok=True)
                    folder = trial_folder(self.runs, self.study_name, self.name, trial["number"])
                    write_trial(folder, {**trial, "state": "pruned"})
            for number in paused(self.study):
                self.study.tell(number, state=TrialState.PRUNED)

    def _exclusive(self) -> AbstractContextManager[None]:
        return exclusive(trial_folder(self.runs, self.study_name, self.name, 0).parent)
