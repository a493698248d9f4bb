"""Train the runs of a trial, seed by seed, and ask the pruner on the way; return the trial's objectives."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.plan.staleness import made_of_other_data
from ablations.question.search_space import Search, is_curve
from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE, RECORD
from ablations.records.lease import claim
from ablations.records.record import Record, read_record, usable
from ablations.records.recorder import Stopped
from ablations.search.objectives import clipped, objective_value
from ablations.search.trials import Trial
from sweeps.preflight import data_digest
from sweeps.workers.worker import PlannedRun, memory_freed, train_run


class TrialFailed(Exception):
    """A trial has no value; the message names the run and the cause."""


@dataclass
class TrialTrainer:
    """Train the runs of trials in this process. The attributes are those of the worker."""

    main: Any
    context: Any
    master: DictConfig
    search: Search
    threads: int | None

    def objectives(self, trial: Any, outcome: Trial, planned: list[PlannedRun]) -> dict[str, list[float]]:
        """Return the objectives of every seed; train each seed that has no record.

        Raises:
            Stopped: the pruner ends this trial.
            TrialFailed: a run failed, or diverged where that counts as failed.
        """
        first = self.search.objectives[0]
        values: dict[str, list[float]] = {name: [] for name in self.search.objectives}
        by_seed = len(self.search.objectives) == 1 and self.search.prune_by == "seeds"
        by_epoch = len(self.search.objectives) == 1 and self.search.prune_by == "epochs" and is_curve(first)
        for k, one in enumerate(planned):
            watch = partial(report_epochs, trial, first) if by_epoch and k == 0 else None
            record = self.record(one, watch)
            if record["status"] == "failed":
                raise TrialFailed(f"{record['label']}: {record['cause']}")
            if record["status"] == "diverged" and self.search.diverged == "failed":
                raise TrialFailed(f"{record['label']} diverged")
            for name in values:
                values[name].append(objective_value(record, name))
            outcome.setdefault("seed_values", {})[str(one.run.seed)] = values[first][-1]
            if by_seed:
                trial.report(values[first][-1], step=k)
                if trial.should_prune():
                    raise Stopped
        return values

    def record(self, planned: PlannedRun, watch: Any) -> Record:
        """Return the record of a run: read it, or train the run, or wait for the process that is training it."""
        folder = Path(self.master.runs) / planned.run.folder
        while True:
            if self.is_trained(planned, folder):
                if watch is not None and (folder / CURVE).exists():
                    watch(read_epochs(folder / CURVE), prune=False)
                return read_record(folder / RECORD)
            with claim(folder) as ours:
                if ours and not self.is_trained(planned, folder):
                    with memory_freed():
                        stopped = partial(main_or_stopped, partial(self.main, run=planned.run), watch)
                        if train_run(stopped, self.context, planned, self.master, self.threads) == "stopped":
                            raise Stopped
                    return read_record(folder / RECORD)
            time.sleep(0.5)

    def is_trained(self, planned: PlannedRun, folder: Path) -> bool:
        """Whether the run has a record of the data that is there now."""
        if not usable(folder / RECORD):
            return False
        data_dir = Path(self.master.data_dir)
        return not made_of_other_data(
            planned.run, read_record(folder / RECORD), lambda source: data_digest(source, data_dir)
        )


def main_or_stopped(main: Any, watch: Any, config: DictConfig) -> Any:
    """Call `main` for a run; return "stopped" if the pruner ends it, which then leaves no record."""
    try:
        return main(config, watch=watch)
    except Stopped:
        return "stopped"


def report_epochs(trial: Any, name: str, rows: list[dict[str, float]], *, prune: bool = True) -> None:
    """Report to the pruner the epochs that are new to it.

    Raises:
        Stopped: it ends the trial.
    """
    known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    for row in rows:
        if int(row["epoch"]) not in known:
            trial.report(clipped(name, row), step=int(row["epoch"]))
    if prune and trial.should_prune():
        raise Stopped
