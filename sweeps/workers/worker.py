"""Claim the next run, train it, take the next one, until every run has a record or is another process's.

In a study that adds seeds until its claims are decided, the worker judges the claims again after each run.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from ablations.analysis.needed import Needed
from ablations.identity.run import Run
from ablations.records.layout import RECORD
from ablations.records.lease import claim, held
from ablations.records.record import read_record, usable
from ablations.records.recorder import Recorder
from ablations.records.worker_deaths import deaths_of
from lightning_modules.training.malloc import release_freed_memory
from sweeps.compose.compose import config_of
from sweeps.workers.group import GroupTrainer

LOOK_EVERY = 0.2  # seconds between two looks for runs that others have ended


class PlannedRun(NamedTuple):
    """A run that a worker may train, and the words and settings that make it.

    Attributes:
        settings: what its choices set beside its network, data and recipe.
        group: a key that is equal for runs that can be trained as one program.
    """

    run: Run
    overrides: list[str]
    settings: dict[str, Any]
    group: str = ""


@dataclass(frozen=True)
class Application:
    """What is called to train a run of a sweep, and what it is called with.

    Attributes:
        main: the task function of the application, called once a run inside a Hydra job of its own.
        context: Hydra's context, for composing and for callbacks.
        config: of the sweep.
        rest: the overrides typed that are no axes, for every worker.
        threads: CPU threads of each training; None: what the scheduler gave it.
    """

    main: Any
    context: Any
    config: DictConfig
    rest: Sequence[str] = ()
    threads: int | None = None

    @property
    def runs(self) -> Path:
        """Where records lie."""
        return Path(self.config.runs)

    def train(self, planned: PlannedRun, main: Any) -> Any:
        """Call `main` for one run, with a Hydra folder and a log of its own; return what it returns.

        Whatever goes wrong becomes the record of that run, so that the worker can go on.

        Raises:
            OSError: the disk is full.
        """
        from hydra.core.utils import run_job

        run, overrides, settings, _ = planned
        folders: Any = {"job_dir_key": "hydra.sweep.dir", "job_subdir_key": "hydra.sweep.subdir"}
        try:
            config = config_of(self.config, run, settings=settings, overrides=overrides, threads=self.threads)
            return run_job(main, config, hydra_context=self.context, **folders).return_value  # or raises what it raised
        except Exception as error:  # a scheduler that takes the machine away ends the process by SystemExit
            return Recorder(run, self.runs / run.folder).fail(error)


@dataclass
class Worker:
    """Train runs in a process of its own, into which the launcher pickles this object.

    Attributes:
        todo: what is left to train, the longest first.
        killed_before: whether it takes only the runs whose worker was killed before, each alone, or only the others.
        fuse: how many runs of a group it trains as one program.
        needed: says which of `todo` are needed by now.
        done: folders that are known to have a record.
    """

    application: Application
    todo: list[PlannedRun]
    killed_before: bool = False
    fuse: int = 1
    needed: Needed = field(default_factory=Needed)
    done: set[str] = field(default_factory=set)

    def __call__(self, _: DictConfig) -> None:
        failures = idle = 0
        config = self.application.config
        groups = GroupTrainer(self.train, faster=config.trainer.get("fuse") == "auto")
        while failures < config.max_consecutive_failures:  # which will have one cause
            with ExitStack() as leases:
                taken = self.next_runs(leases, groups)
                if not taken:
                    # What others train now may need further seeds; who has ended just now did so between two looks.
                    idle = 0 if any(held(self.record_of(one).parent) for one in self.left()) else idle + 1
                    if self.needed.settled or idle > 1:
                        return
                    time.sleep(LOOK_EVERY)
                    continue
                idle = 0
                with memory_freed():
                    if len(taken) > 1:
                        groups.train(taken[0].group, taken)
                    else:
                        self.train(taken[0])
                for one in taken:
                    failures = failures + 1 if read_record(self.record_of(one))["status"] == "failed" else 0

    def left(self) -> list[PlannedRun]:
        """The runs that are needed and have no record, in their order."""
        wanted = self.needed.folders()
        found = [one for one in self.todo if wanted is None or one.run.folder in wanted]
        found = [one for one in found if one.run.folder not in self.done]
        self.done |= {one.run.folder for one in found if usable(self.record_of(one))}
        return [one for one in found if one.run.folder not in self.done]

    def next_runs(self, leases: ExitStack, groups: GroupTrainer) -> list[PlannedRun]:
        """Claim the first run that is free, and with it others of its group; none if none is free."""
        left = self.left()
        for k in range(len(left)):
            if taken := self.claim_runs(left[k:], leases, groups):
                return taken
        return []

    def train(self, planned: PlannedRun, **how: Any) -> Any:
        """Train one run; `how` goes to the application."""
        return self.application.train(planned, partial(self.application.main, run=planned.run, **how))

    def record_of(self, planned: PlannedRun) -> Path:
        return self.application.runs / planned.run.folder / RECORD

    def claim_runs(self, left: list[PlannedRun], leases: ExitStack, groups: GroupTrainer) -> list[PlannedRun]:
        """Claim the first run and others of its group, as many as are trained together; none if it is not free."""
        taken: list[PlannedRun] = []
        group = left[0].group
        wanted = 1 if self.killed_before or groups.one_by_one(group) else self.fuse
        for planned in left:
            path = self.record_of(planned)
            if planned.group == group and not usable(path) and bool(deaths_of(path.parent)) == self.killed_before:
                lease = ExitStack()
                if lease.enter_context(claim(path.parent)) and not usable(path):
                    leases.enter_context(lease)
                    taken.append(planned)
                else:
                    lease.close()
            if not taken or len(taken) == wanted:
                break
        return taken


@contextmanager
def memory_freed() -> Iterator[None]:
    """Free the memory of the body's objects, which refer to each other, as a trainer and its network do.

    Objects from before are frozen: the collector would take 0.2 s to look through all of torch each time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        release_freed_memory()
