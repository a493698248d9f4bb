"""Workers through Hydra's configured launcher, and what a person sees while they work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ablations.identity import Run
from ablations.lease import held, release_orphan
from ablations.plan import Cell, Plan
from ablations.records import usable
from ablations.status import Watch
from hydra_plugins.skipbench._arguments import words
from hydra_plugins.skipbench._display import watched
from hydra_plugins.skipbench._worker import Worker

RELAUNCHES = 2
AGAIN = "the same command goes on, with fewer workers by hydra.launcher.n_jobs=1"


def launch(
    plan: Plan,
    missing: list[tuple[Cell, Run]],
    *,
    rest: list[str],
    context: HydraContext,
    main: TaskFunction,
    config: DictConfig,
    console: Console,
) -> None:
    """Train the missing runs with as many workers as the launcher has places, and show how far they are.

    Args:
        missing: of `plan`, the longest first.
        rest: what else was typed, for every run.
    """
    workers = min(worker_count(config), len(missing))
    runs = Path(config.runs)
    extra = {"study.name": plan.name} | threads_each(workers, rest)
    todo = [
        (run.folder, [*cell.overrides, *words(extra | {"seed": run.seed, "hydra.sweep.subdir": run.folder})])
        for cell, run in missing
    ]
    worker = Worker(main, context, config, runs, todo, config.max_consecutive_failures)
    folders = [runs / folder for folder, _ in todo]
    with watched(Watch(plan.as_json(), runs), console):
        while True:
            launch_workers(worker, workers, lambda: folders, rest=rest, context=context, config=config, console=console)
            if not given_up_by_others(folders):
                return


def launch_workers(
    worker: Callable[[DictConfig], None],
    workers: int,
    folders: Callable[[], Iterable[Path]],
    *,
    rest: list[str],
    context: HydraContext,
    config: DictConfig,
    console: Console,
) -> None:
    """Let so many copies of `worker` work until each has nothing left to do; those that are killed are replaced.

    Args:
        worker: pickled into the processes that do the work; takes the work it does from the files.
        folders: what workers hold leases in, asked when they have ended.

    Raises:
        OSError: workers were killed again and again.
    """
    from hydra.core.plugins import Plugins

    launcher = Plugins.instance().instantiate_launcher(config=config, hydra_context=context, task_function=worker)
    jobs = [[*rest, f"hydra.sweep.subdir='.workers/{k}'", "hydra.output_subdir=null"] for k in range(workers)]
    for killed in range(1, RELAUNCHES + 2):
        try:
            for done in launcher.launch(jobs, initial_job_idx=0):
                _ = done.return_value  # raises what stopped a worker
            return
        except BrokenExecutor:  # a worker was killed, and joblib ended the others with it
            if killed > RELAUNCHES:
                raise OSError(f"workers were killed {killed} times, perhaps for want of memory; {AGAIN}") from None
            console.print("[yellow]![/] a worker was killed; new ones go on", highlight=False)
        finally:
            for folder in folders():
                release_orphan(folder)


def threads_each(workers: int, rest: list[str]) -> dict[str, int]:
    """The threads of each worker as an override, unless they were typed."""
    if any(text.startswith("trainer.threads=") for text in rest):
        return {}
    return {"trainer.threads": max(1, (os.cpu_count() or 1) // workers)}


def given_up_by_others(folders: list[Path]) -> bool:
    """Wait while other processes train runs of ours; whether one of them ended without its record."""

    def theirs(folder: Path) -> bool:
        return not usable(folder / "record.json") and held(folder)

    waited = [folder for folder in folders if theirs(folder)]
    while any(theirs(folder) for folder in waited):
        time.sleep(0.5)
    return any(not usable(folder / "record.json") for folder in waited)


def worker_count(config: DictConfig) -> int:
    """How many workers the configured launcher runs at once."""
    jobs = OmegaConf.select(config, "hydra.launcher.n_jobs")
    if jobs is None:
        return 1
    return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)
