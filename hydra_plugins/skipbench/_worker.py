"""A worker: claims the next run, trains it, takes the next, until nothing is left that no one else is training."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from ablations.attempts import killed
from ablations.lease import claim
from ablations.records import read_record, usable
from hydra_plugins.skipbench._compose import Composer


@dataclass
class Worker:
    """What a launcher launches; it is pickled into the process that does the work.

    Attributes:
        main: the task function of the application, called once a run inside a Hydra job of its own.
        context: Hydra's context, for composing and for callbacks.
        master: the config of the sweep.
        runs: where records lie.
        todo: folder and overrides of each run, the longest first.
        patience: after so many failed runs in a row it stops; they will have a cause in common.
        suspects: whether it takes the runs under which a worker was killed before, or all others.
    """

    main: Any
    context: Any
    master: DictConfig
    runs: Path
    todo: list[tuple[str, list[str]]]
    patience: int
    suspects: bool = False

    def __call__(self, _: DictConfig) -> None:
        failures, composer = 0, Composer(self.context.config_loader, self.master)
        for folder, overrides in self.todo:
            path = self.runs / folder / "record.json"
            if usable(path) or failures == self.patience or bool(killed(path.parent)) != self.suspects:
                continue
            with claim(path.parent) as ours:
                if ours and not usable(path):
                    with left_clean():
                        train_run(self.main, self.context, self.master, overrides, composer)
                    failures = failures + 1 if read_record(path)["status"] == "failed" else 0


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
