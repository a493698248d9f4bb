"""Compose the cells of a search's suggestions, and train their runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.plan.staleness import made_of_other_data
from ablations.question.search_space import Search
from ablations.question.study import Point
from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE, RECORD
from ablations.records.lease import claim
from ablations.records.record import Record, read_record, usable
from ablations.records.recorder import Paused, Stopped
from ablations.search.carry_out import Candidate, Watch
from sweeps.compose.active_options import active_point
from sweeps.compose.fast_compose import FastComposer
from sweeps.data import data_digest
from sweeps.preflight import check_nodes
from sweeps.spaces import as_infeasible
from sweeps.workers.worker import Application, PlannedRun, memory_freed


class TrialTrainer:
    """The `Source` of a search that trains, in this process. The arguments are those of the worker."""

    def __init__(self, application: Application, search: Search, fast: FastComposer) -> None:
        self.application, self.search, self.fast = application, search, fast
        self.data_dir = Path(application.config.data_dir)

    def candidate(self, point: Point) -> Candidate:
        """Compose the cell of a point, and build its network to see its size; Infeasible where it cannot be built."""
        with as_infeasible():
            bare = active_point(point, self.fast)
            run, settings = self.fast(bare)
            size = check_nodes(run.config, self.data_dir, run.start)
        seeded = [run.with_seed(seed) for seed in self.search.seeds]
        runs = [{"seed": r.seed, "identity": r.identity, "label": r.label, "folder": r.folder} for r in seeded]
        planned = [PlannedRun(one, self.fast.composer.overrides(bare), settings) for one in seeded]
        label = run.label.rpartition("-s")[0]
        return Candidate(run.cell, label, size.epochs, size.params, size.macs, runs, planned)

    def measure(
        self, candidate: Candidate, k: int, watch: Watch | None, after: int, until: int | None
    ) -> Iterator[float]:
        """Return the record of a run: read it, or train the run, or wait for the process that is training it."""
        yield from ()  # nobody waits for the time that a training takes
        planned: PlannedRun = candidate.planned[k]
        folder = self.application.runs / planned.run.folder
        while True:
            if self.is_trained(planned, folder):
                if watch is not None and (folder / CURVE).exists():
                    watch(read_epochs(folder / CURVE), prune=False)
                return read_record(folder / RECORD)
            with claim(folder) as ours:
                if ours and not self.is_trained(planned, folder):
                    return self.train(planned, folder, watch, until)
            time.sleep(0.5)

    def train(self, planned: PlannedRun, folder: Path, watch: Watch | None, until: int | None) -> Record:
        """Train a run and return its record; Stopped where the watch has ended it, Paused after the epoch `until`."""

        def main(config: DictConfig) -> Any:
            try:
                return self.application.main(config, run=planned.run, until=until, watch=watch)
            except Stopped as error:  # which leaves no record
                return type(error)

        with memory_freed():
            done = self.application.train(planned, main)
        if done in (Stopped, Paused):
            raise done
        return read_record(folder / RECORD)

    def is_trained(self, planned: PlannedRun, folder: Path) -> bool:
        """Whether the run has a record of the data that is there now."""
        path, digest_now = folder / RECORD, partial(data_digest, folder=self.data_dir)
        return usable(path) and not made_of_other_data(planned.run, read_record(path), digest_now)
