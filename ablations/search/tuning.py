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
from ablations.search.halving import paused
from ablations.search.space import Space
from ablations.search.storage import exclusive
from ablations.search.suggestions import Suggestions, known_trial
from ablations.search.trials import Trial, read_trials, trial_folder, uses_trial, write_trial, write_warm_start


class Tuning(Suggestions):
    """A tuning of a search that trains: its Optuna study, shared with other processes through files."""

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
        self.runs, self.study_name = runs, study
        where = {"study_name": f"{study} {name}", "load_if_exists": True}
        super().__init__(name, search, space, sampler, pruner, storage, **where)

    def begin(self, known: Sequence[Trial] = ()) -> None:
        """Tell a sampler that has suggested nothing yet what was trained before: once, when the search begins.

        If Optuna's storage was lost, the trials that left files are told again. What was under way is queued.
        """
        with self._exclusive():
            have = len(self.trials)
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
                    self.study.add_trial(known_trial(self.search, trial))

    def queue_next(self) -> bool:
        """Let a paused trial go on, or queue one suggestion more; return False if there is neither."""
        if self.left() == 0 and not self.goes_on():
            return False
        with self._exclusive():
            return self.next_number() is not None

    def left(self) -> int:
        """How many trials are still to be queued; none where the search ends early."""
        return 0 if self.why_ended() else max(0, self.to_go())

    def goes_on(self) -> bool:
        """Whether a paused trial can go on now."""
        return self.next_step(over=self.is_over()) is not None

    def retry(self, status: str) -> list[Trial]:
        """Queue the trials that ended with a status once more, with the same values; return these trials.

        Args:
            status: failed, or diverged (one of the trial's runs did).
        """
        with self._exclusive():
            known, _ = read_trials(self.runs, self.study_name, [self.name])
            left = [trial for trial in known if uses_trial(trial) and trial["number"] not in self.retried]
            again = [trial for trial in left if self._ended(trial) == status]
            suggested = {trial.number: trial.params for trial in self.trials}
            for trial in again:
                self.study.enqueue_trial(suggested[trial["number"]])
            self.study.set_user_attr("retried", [*self.retried, *(trial["number"] for trial in again)])
        return again

    def _ended(self, trial: Trial) -> str:
        paths = (self.runs / run["folder"] / RECORD for run in trial["runs"])
        diverged = any(usable(path) and read_record(path)["status"] == "diverged" for path in paths)
        return "diverged" if diverged else trial["state"]

    def claim_cell(self, trial: optuna.Trial, cell: str) -> FrozenTrial | None:
        with self._exclusive():
            return super().claim_cell(trial, cell)

    def unfinished(self) -> list[int]:
        """The numbers of the suggestions that are waiting or running and not paused, in ascending order."""
        return [trial.number for trial in self._open()]

    def undecided(self) -> bool:
        """Whether another process may find out that there is more to do.

        Its suggestion uses up no trial; or its trial pauses, and then another one can go on.
        """
        numbers = [trial.number for trial in self._open() if self.halving or "cell" not in trial.user_attrs]
        return any(held(self._folder(number)) for number in numbers)

    def _open(self) -> list[FrozenTrial]:
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        left_out = paused(self.study)
        return [trial for trial in found if trial.number not in left_out]

    @contextmanager
    def acquire(self, number: int) -> Iterator[optuna.Trial | None]:
        """Reserve a suggestion for this process; None if another process has it, or has ended or paused it."""
        with claim(self._folder(number)) as ours:
            ended = self.trials[number].state.is_finished()
            yield self.trial(number) if ours and not ended and number not in paused(self.study) else None

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
                    write_trial(self._folder(trial["number"]), {**trial, "state": "pruned"})
            for number in paused(self.study):
                self.study.tell(number, state=TrialState.PRUNED)

    def _folder(self, number: int) -> Path:
        return trial_folder(self.runs, self.study_name, self.name, number)

    def _exclusive(self) -> AbstractContextManager[None]:
        return exclusive(self._folder(0).parent)
