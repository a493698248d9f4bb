"""Take the suggestions of a search one after the other, carry them out by training, keep their files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.question.search_space import Search
from ablations.records.recorder import cause_of, disk_full
from ablations.records.worker_deaths import MAX_DEATHS, deaths_of
from ablations.search.carry_out import blank, carry_out
from ablations.search.space import Space
from ablations.search.trials import FREE, Trial, trial_folder, write_trial
from sweeps.compose.fast_compose import FastComposer
from sweeps.preflight import suggestions
from sweeps.workers.trial_trainer import TrialTrainer
from sweeps.workers.worker import LOOK_EVERY


@dataclass
class TrialWorker:
    """Carry out trials in a process of its own, into which the launcher pickles this object.

    Attributes:
        main, context, master: as in `Worker`.
        spaces: tuning → its space.
        fast: finds the runs of points, and knows what was composed by now.
        patience: failed trials in a row after which it stops.
        threads: CPU threads of each training; None: what the scheduler gave it.
    """

    main: Any
    context: Any
    master: DictConfig
    search: Search
    spaces: dict[str, Space]
    fast: FastComposer
    patience: int
    threads: int | None = None
    runs: Path = field(init=False)
    study: str = field(init=False)

    def __post_init__(self) -> None:
        self.runs, self.study = Path(self.master.runs), self.master.study.name

    def __call__(self, _: DictConfig) -> None:
        failures = 0
        self.trainer = TrialTrainer(self.main, self.context, self.master, self.search, self.fast, self.threads)
        for tuning, trial in self.claim_trials():
            outcome = self.carry_out(tuning, trial)
            if outcome["state"] not in FREE:
                failures = failures + 1 if outcome["state"] == "failed" else 0
            if failures == self.patience:
                return

    def claim_trials(self) -> Iterator[tuple[Any, Any]]:
        """Claim the suggestions of all tunings one after the other, those with the lowest numbers first.

        Where none is left to claim, another is queued, for the tuning that has the most trials to go.
        """
        ours = open_tunings(self.master, self.study, self.search, self.spaces)
        while True:
            waiting = [(number, k) for k, one in enumerate(ours) for number in one.unfinished()]
            for number, k in sorted(waiting):
                with ours[k].acquire(number) as trial:
                    if trial is not None:
                        yield ours[k], trial
                        break
            else:
                if any(one.queue_next() for one in sorted(ours, key=lambda one: -one.left())):
                    continue
                if not any(one.undecided() for one in ours):
                    return
                time.sleep(LOOK_EVERY)  # a suggestion that others look at now may use up no trial

    def carry_out(self, tuning: Any, trial: Any) -> Trial:
        """Carry out one suggestion, keep its file up to date, and tell Optuna how it ended."""
        folder = trial_folder(self.runs, self.study, tuning.name, trial.number)
        outcome = blank(tuning, trial.number)
        try:
            if deaths_of(folder) >= MAX_DEATHS:
                outcome |= {"state": "failed", "cause": f"killed {MAX_DEATHS} times", "suggested": dict(trial.params)}
            else:
                for _ in carry_out(tuning, trial, outcome, self.trainer):
                    write_trial(folder, outcome)
        except Exception as error:
            if disk_full(error):
                raise
            outcome |= {"state": "failed", "cause": cause_of(error)}
        finally:
            write_trial(folder, outcome)
        tuning.tell(trial, outcome)
        return outcome


def open_tunings(master: DictConfig, study: str, search: Search, spaces: Mapping[str, Space]) -> list[Any]:
    """Open the Optuna studies of a search, with the sampler and the pruner that the config names."""
    from ablations.search.storage import open_storage
    from ablations.search.tuning import Tuning

    sampler, pruner = suggestions(master)
    runs = Path(master.runs)
    storage = open_storage(master.storage, runs, study)
    return [
        Tuning(storage, runs, study, name, search, space, sampler=sampler, pruner=pruner)
        for name, space in spaces.items()
    ]
