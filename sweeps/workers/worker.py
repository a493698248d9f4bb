"""A worker: claims the next run, trains it, takes the next, until nothing is left that no one else is training."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.records.layout import RECORD
from ablations.records.lease import claim
from ablations.records.record import read_record, usable
from ablations.records.worker_deaths import killed
from lightning_modules.training.malloc import give_back
from sweeps.compose.compose import Composer
from sweeps.workers.group import Groups


@dataclass
class Worker:
    """What a launcher launches; it is pickled into the process that does the work.

    Attributes:
        main: the task function of the application, called once a run inside a Hydra job of its own.
        context: Hydra's context, for composing and for callbacks.
        master: the config of the sweep.
        runs: where records lie.
        todo: folder, overrides and kind of each run, the longest first.
        patience: after so many failed runs in a row it stops; they will have a cause in common.
        suspects: whether it takes the runs under which a worker was killed before, or all others.
        fuse: so many runs of one kind it trains as one program; but each suspect alone.
    """

    main: Any
    context: Any
    master: DictConfig
    runs: Path
    todo: list[tuple[str, list[str], str]]
    patience: int
    suspects: bool = False
    fuse: int = 1

    def __call__(self, _: DictConfig) -> None:
        failures, composer = 0, Composer(self.context.config_loader, self.master)

        def train(main: Any, overrides: list[str]) -> Any:
            return train_run(main, self.context, self.master, overrides, composer)

        groups = Groups(train, self.main, faster=self.master.trainer.get("fuse") == "auto")
        for k, todo in enumerate(self.todo):
            with ExitStack() as leases:
                taken = self.claimed(k, leases, groups) if failures < self.patience else []
                if not taken:
                    continue
                with left_clean():
                    if len(taken) > 1:
                        groups.together(todo[2], [run[1] for run in taken])
                    else:
                        train(self.main, taken[0][1])
                for run in taken:
                    failures = failures + 1 if read_record(run[0])["status"] == "failed" else 0

    def claimed(self, k: int, leases: ExitStack, groups: Groups) -> list[tuple[Path, list[str]]]:
        """The k-th run and others of its kind, as many as are trained together; none if the k-th is not ours."""
        taken: list[tuple[Path, list[str]]] = []
        kind = self.todo[k][2]
        wanted = 1 if self.suspects or groups.separate(kind) else self.fuse
        for folder, overrides, other in self.todo[k:]:
            path = self.runs / folder / RECORD
            if other == kind and not usable(path) and bool(killed(path.parent)) == self.suspects:
                lease = ExitStack()
                if lease.enter_context(claim(path.parent)) and not usable(path):
                    leases.enter_context(lease)
                    taken.append((path, overrides))
                else:
                    lease.close()
            if not taken or len(taken) == wanted:
                break
        return taken


def train_run(
    main: Any, context: Any, master: DictConfig, overrides: list[str], composer: Composer | None = None
) -> Any:
    """Run the application for one run: a Hydra job with a folder, a `.hydra/` and a log of its own. What it returns.

    Args:
        composer: of `master`; one that is kept composes runs that share their choices only once.
    """
    from hydra.core.utils import run_job

    compose = composer or Composer(context.config_loader, master)
    done = run_job(
        task_function=main,
        config=compose(overrides),
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
