"""Take the suggestions of a search one after the other, carry them out by training, keep their files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.question.search_space import Search
from ablations.records.recorder import cause_of, disk_full
from ablations.records.worker_deaths import MAX_DEATHS, deaths_of
from ablations.search.carry_out import carry_out, new_outcome
from ablations.search.space import Space
from ablations.search.storage import open_storage
from ablations.search.suggestions import without_experimental_warning
from ablations.search.trials import UNCOUNTED, Trial, trial_folder, write_trial
from ablations.search.tuning import Tuning
from sweeps.compose.fast_compose import FastComposer
from sweeps.instantiate import instantiate
from sweeps.workers.trial_trainer import TrialTrainer
from sweeps.workers.worker import LOOK_EVERY, Application


@dataclass
class TrialWorker:
    """Carry out trials in a process of its own, into which the launcher pickles this object.

    Attributes:
        spaces: tuning → its space.
        fast: finds the runs of points, and knows what was composed by now.
    """

    application: Application
    study: str
    search: Search
    spaces: dict[str, Space]
    fast: FastComposer

    def __call__(self, _: DictConfig) -> None:
        failures = 0
        trainer = TrialTrainer(self.application, self.search, self.fast)
        for tuning, trial in self.claim_trials():
            outcome = self.carry_out(tuning, trial, trainer)
            if outcome["state"] not in UNCOUNTED:
                failures = failures + 1 if outcome["state"] == "failed" else 0
            if failures == self.application.config.max_consecutive_failures:
                return

    def claim_trials(self) -> Iterator[tuple[Tuning, Any]]:
        """Claim the suggestions of all tunings one after the other, those with the lowest numbers first.

        Where none is left to claim, another is queued, for the tuning that has the most trials to go.
        """
        ours = open_tunings(self.application.config, self.study, self.search, self.spaces)
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

    def carry_out(self, tuning: Tuning, trial: Any, trainer: TrialTrainer) -> Trial:
        """Carry out one suggestion, keep its file up to date, and tell Optuna how it ended."""
        folder = trial_folder(tuning.runs, self.study, tuning.name, trial.number)
        outcome = new_outcome(tuning, trial.number)
        try:
            if deaths_of(folder) >= MAX_DEATHS:
                outcome |= {"state": "failed", "cause": f"killed {MAX_DEATHS} times", "suggested": dict(trial.params)}
            else:
                for _ in carry_out(tuning, trial, outcome, trainer):
                    write_trial(folder, outcome)
        except Exception as error:
            if disk_full(error):
                raise
            outcome |= {"state": "failed", "cause": cause_of(error)}
        finally:
            write_trial(folder, outcome)
        tuning.tell(trial, outcome)
        return outcome


def open_tunings(config: DictConfig, study: str, search: Search, spaces: Mapping[str, Space]) -> list[Tuning]:
    """Open the Optuna studies of a search, with the sampler and the pruner that the config names."""
    sampler, pruner = sampler_and_pruner(config)
    runs = Path(config.runs)
    storage = open_storage(config.storage, runs, study)
    return [
        Tuning(storage, runs, study, name, search, space, sampler=sampler, pruner=pruner)
        for name, space in spaces.items()
    ]


def sampler_and_pruner(config: DictConfig) -> tuple[Any, Any]:
    """Build the sampler, to be called with a seed, and the pruner of a search."""
    try:
        with without_experimental_warning():
            return instantiate(config.sampler), instantiate(config.pruner)
    except ImportError as error:
        raise ValueError(f"sampler: {error}") from error
