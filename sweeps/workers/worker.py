"""A worker: claims the next run, trains it, takes the next, until nothing is left that no one else is training."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from ablations.identity.run import Run
from ablations.records.layout import RECORD
from ablations.records.lease import claim
from ablations.records.record import read_record, usable
from ablations.records.worker_deaths import killed
from lightning_modules.training.malloc import give_back
from sweeps.compose.compose import config_of
from sweeps.workers.group import Groups


class PlannedRun(NamedTuple):
    """A run that a worker may train: what it is, the words and settings that make it, and what it is trained with.

    Attributes:
        settings: what its choices set beside its network, data and recipe.
        kind: equal for runs that can be trained as one program.
    """

    run: Run
    overrides: list[str]
    settings: dict[str, Any]
    kind: str = ""

    def config(self, master: DictConfig, threads: int | None) -> DictConfig:
        """The configuration of the run; `master` is that of its sweep."""
        return config_of(master, self.run, settings=self.settings, overrides=self.overrides, threads=threads)


@dataclass
class Worker:
    """What a launcher launches; it is pickled into the process that does the work.

    Attributes:
        main: the task function of the application, called once a run inside a Hydra job of its own.
        context: Hydra's context, for composing and for callbacks.
        master: the config of the sweep.
        runs: where records lie.
        todo: what is left to train, the longest first.
        patience: after so many failed runs in a row it stops; they will have a cause in common.
        suspects: whether it takes the runs under which a worker was killed before, or all others.
        fuse: so many runs of one kind it trains as one program; but each suspect alone.
        threads: CPU threads of each training; None: what the scheduler gave it.
    """

    main: Any
    context: Any
    master: DictConfig
    runs: Path
    todo: list[PlannedRun]
    patience: int
    suspects: bool = False
    fuse: int = 1
    threads: int | None = None

    def __call__(self, _: DictConfig) -> None:
        failures = 0
        groups = Groups(self.train, faster=self.master.trainer.get("fuse") == "auto")
        for k, planned in enumerate(self.todo):
            with ExitStack() as leases:
                taken = self.claimed(k, leases, groups) if failures < self.patience else []
                if not taken:
                    continue
                with left_clean():
                    if len(taken) > 1:
                        groups.together(planned.kind, taken)
                    else:
                        self.train(taken[0])
                for one in taken:
                    failures = failures + 1 if read_record(self.record_of(one))["status"] == "failed" else 0

    def train(self, planned: PlannedRun, **how: Any) -> Any:
        """Train one run; `how` goes to the application."""
        config = planned.config(self.master, self.threads)
        return train_run(partial(self.main, run=planned.run, **how), self.context, config)

    def record_of(self, planned: PlannedRun) -> Path:
        return self.runs / planned.run.folder / RECORD

    def claimed(self, k: int, leases: ExitStack, groups: Groups) -> list[PlannedRun]:
        """The k-th run and others of its kind, as many as are trained together; none if the k-th is not ours."""
        taken: list[PlannedRun] = []
        kind = self.todo[k].kind
        wanted = 1 if self.suspects or groups.separate(kind) else self.fuse
        for planned in self.todo[k:]:
            path = self.record_of(planned)
            if planned.kind == kind and not usable(path) and bool(killed(path.parent)) == self.suspects:
                lease = ExitStack()
                if lease.enter_context(claim(path.parent)) and not usable(path):
                    leases.enter_context(lease)
                    taken.append(planned)
                else:
                    lease.close()
            if not taken or len(taken) == wanted:
                break
        return taken


def train_run(main: Any, context: Any, config: DictConfig) -> Any:
    """Run the application for one run: a Hydra job with a folder, a `.hydra/` and a log of its own. What it returns."""
    from hydra.core.utils import run_job

    done = run_job(
        task_function=main,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )
    return done.return_value  # or raises what the run raised: training errors are records, not exceptions


@contextmanager
def left_clean() -> Iterator[None]:
    """Free what the body made and no longer needs; a trainer and its network refer to each other, and wait for this.

    What was there before is set aside meanwhile: to look through all of torch each time would take 0.2 s.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        give_back()
