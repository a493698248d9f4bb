"""Workers through Hydra's configured launcher, and what a person sees while they work."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict
from rich.console import Console

from ablations.identity.run import Run
from ablations.monitor.status import Watch
from ablations.plan.plan import Cell, Plan
from ablations.records.files import write_text
from ablations.records.layout import RECORD
from ablations.records.lease import held, holder, release_orphan
from ablations.records.record import usable
from ablations.records.recorder import Recorder
from ablations.records.worker_deaths import MOST, count_killed, killed, orphans
from sweeps.workers.forkserver import fork_warm, imported_ahead, with_root
from sweeps.workers.group import kind, most
from sweeps.workers.live_status import watched
from sweeps.workers.resources import OWN_PROCESSES, Resources
from sweeps.workers.worker import PlannedRun, Worker
from sweeps.workers.worker_process import WorkerProcess

PATIENCE = 30.0  # seconds that workers have to give up what they hold
WEEKS = 20160  # minutes: a laptop has no limit, and submitit must be given one
AGAIN = "the same command goes on, with fewer workers by workers=1"


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

    A run under which a worker was killed is left to the end, where one worker trains such runs alone, so that the next
    death tells whose fault it is. After the third the run's record says so.

    Args:
        missing: of `plan`, the longest first.
        rest: what else was typed, for every run.
    """
    runs = Path(config.runs)
    places = Resources.of(config, most=len(missing))
    fuse = most(config.trainer, runs=len(missing), workers=places.workers)
    todo = [PlannedRun(run, cell.overrides, cell.settings, kind(run) if fuse > 1 else "") for cell, run in missing]
    known = {runs / run.folder: run for _, run in missing}
    folders = list(known)
    with open_dict(config):
        config.study.name = plan.name
    about = {"rest": rest, "context": context, "config": config, "console": console}

    def died(folder: Path) -> None:
        if count_killed(folder) >= MOST and folder in known:
            Recorder(known[folder], folder).give_up(f"killed {MOST} times")

    with imported_ahead(places.launcher), watched(Watch(plan.as_json(), runs), console):
        for suspects in (False, True):
            patience, threads = config.max_consecutive_failures, places.threads
            worker = Worker(main, context, config, runs, todo, patience, suspects, fuse, threads)
            while any(bool(killed(folder)) == suspects and not recorded(folder) for folder in folders):
                launch_workers(worker, 1 if suspects else places.workers, lambda: folders, **about, died=died)
                if not given_up_by_others(folders):
                    break


def launch_workers(
    worker: Callable[[DictConfig], None],
    workers: int,
    folders: Callable[[], Iterable[Path]],
    *,
    rest: list[str],
    context: HydraContext,
    config: DictConfig,
    console: Console,
    died: Callable[[Path], object] = count_killed,
) -> None:
    """Let so many copies of `worker` work until each has nothing left to do; those that are killed are replaced.

    Args:
        worker: pickled into the processes that do the work; takes the work it does from the files.
        folders: what workers hold leases in, asked when they have ended.
        died: told each folder whose worker was killed.

    Raises:
        OSError: workers were killed again and again, and not one run ended meanwhile.
    """
    from hydra.core.plugins import Plugins

    runs, sweep = Path(config.runs), uuid.uuid4().hex[:12]
    places = Resources.of(config, most=workers)
    stop = runs / ".workers" / f"stop-{sweep}" if places.launcher not in ("basic", "joblib") else None
    hired = WorkerProcess(worker, sweep, places.gpus, stop, signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
    prepare(config, places.launcher, workers)
    launcher = Plugins.instance().instantiate_launcher(config=config, hydra_context=context, task_function=hired)
    jobs = [[*rest, f"hydra.sweep.subdir='.workers/{k}'", "hydra.output_subdir=null"] for k in range(workers)]
    deaths, done = 0, sum(map(recorded, folders()))
    while True:
        try:
            for ended in launcher.launch(jobs, initial_job_idx=0):
                _ = ended.return_value  # raises what stopped a worker
            return
        except KeyboardInterrupt:
            if stop is not None:
                write_text(stop, "")
                wait_for(sweep, folders())
            raise
        except Exception as error:
            if not lost(error):
                raise
            for folder in orphans(list(folders()), sweep):
                died(folder)
            before, done = done, sum(map(recorded, folders()))
            deaths = deaths + 1 if done == before else 1
            if deaths >= config.max_consecutive_failures:
                raise OSError(f"workers were killed {deaths} times, perhaps for want of memory; {AGAIN}") from None
            console.print("[yellow]![/] a worker was killed; new ones go on", highlight=False)
        finally:
            for folder in folders():
                release_orphan(folder)


def lost(error: Exception) -> bool:
    """Whether a launcher says that a worker's process ended without a word: joblib's way, submitit's, Ray's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"BrokenExecutor", "UncompletedJobError", "RayError"}) and "FailedJobError" not in names


def prepare(config: DictConfig, launcher: str, workers: int) -> None:
    """Tell the launcher how many workers there are, and that they may be ended and started again at any time."""
    settings = config.hydra.launcher
    with open_dict(config):
        if launcher == "joblib":
            settings.n_jobs = max(2, workers)  # with 1, joblib would train in this process, which must survive
            fork_warm()
        elif launcher == "submitit_local":
            settings.timeout_min = max(settings.timeout_min, WEEKS)
        elif launcher == "submitit_slurm":
            settings.array_parallelism = workers
            settings.max_num_timeout = settings.max_num_timeout or 1000
            settings.additional_parameters = {"requeue": True} | dict(settings.additional_parameters)
    if launcher in OWN_PROCESSES:  # which must find this program
        os.environ["PYTHONPATH"] = with_root()


def wait_for(sweep: str, folders: Iterable[Path]) -> None:
    """Wait, not for ever, until the workers of a sweep have given up what they held."""
    left, until = list(folders), time.monotonic() + PATIENCE
    while left and time.monotonic() < until:
        left = [folder for folder in left if holder(folder).get("sweep") == sweep]
        time.sleep(0.2)


def recorded(folder: Path) -> bool:
    """Whether the run of this folder has a record that can be read."""
    return usable(folder / RECORD)


def given_up_by_others(folders: Iterable[Path], settled: Callable[[Path], bool] = recorded) -> bool:
    """Wait while other processes hold folders of ours; whether one of them ended with its folder not settled."""
    waited = [folder for folder in folders if not settled(folder) and held(folder)]
    while any(not settled(folder) and held(folder) for folder in waited):
        time.sleep(0.5)
    return any(not settled(folder) for folder in waited)
