"""Start workers through Hydra's launcher, replace those that are killed, show how far they are."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict
from rich.console import Console

from ablations.analysis.needed import Needed
from ablations.identity.run import Run
from ablations.monitor.status import Watch
from ablations.plan.plan import Cell, Plan
from ablations.records.files import write_text
from ablations.records.layout import RECORD
from ablations.records.lease import held, holder, release_orphan
from ablations.records.record import usable
from ablations.records.recorder import Recorder
from ablations.records.worker_deaths import MAX_DEATHS, count_death, deaths_of, release_orphans
from sweeps.workers.forkserver import fork_warm, python_path
from sweeps.workers.group import group_key, group_size
from sweeps.workers.live_status import watched
from sweeps.workers.resources import OWN_PROCESSES, Resources
from sweeps.workers.worker import Application, PlannedRun, Worker
from sweeps.workers.worker_process import WorkerProcess

PATIENCE = 30.0  # seconds that interrupted workers have to give up their leases
TWO_WEEKS = 20160  # minutes; submitit needs a limit where a laptop has none
AGAIN = "the same command goes on, with fewer workers by workers=1"


def launch(plan: Plan, missing: list[tuple[Cell, Run]], application: Application, console: Console) -> None:
    """Train the missing runs with as many workers as there are resources for, and show how far they are.

    Runs whose worker was killed come last, one at a time: a second death then shows which run causes it. After the
    third the run is recorded as failed.

    Args:
        missing: of `plan`, the longest first; where claims are open, further seeds follow.
    """
    config, runs = application.config, application.runs
    further = [(cell, run) for cell in plan.cells for run in cell.further.values() if run.identity not in cell.accepted]
    resources = Resources.of(config, most=len(missing) + len(further))
    fuse = group_size(config.trainer, runs=len(missing), workers=resources.workers)
    todo = [
        PlannedRun(run, cell.overrides, cell.settings, group_key(run) if fuse > 1 else "")
        for cell, run in (*missing, *sorted(further, key=lambda pair: pair[1].seed))
    ]
    known = {runs / one.run.folder: one.run for one in todo}
    needed = Needed(plan.as_json() if further else None, runs)
    with open_dict(config):
        config.study.name = plan.name
    application = replace(application, threads=resources.threads)

    def folders() -> list[Path]:
        wanted = needed.folders()
        return [folder for folder in known if wanted is None or folder.name in wanted]

    def left(killed_before: bool) -> bool:
        return any(bool(deaths_of(folder)) == killed_before and not recorded(folder) for folder in folders())

    def on_death(folder: Path) -> None:
        if count_death(folder) >= MAX_DEATHS and folder in known:
            Recorder(known[folder], folder).give_up(f"killed {MAX_DEATHS} times")

    with watched(Watch(plan.as_json(), runs), console):
        more = True
        while more:
            for killed_before in (False, True):
                before = sum(map(recorded, known))
                worker = Worker(application, todo, killed_before, fuse, needed)
                workers = 1 if killed_before else resources.workers
                while left(killed_before):
                    launch_workers(worker, workers, lambda: known, application, console, on_death=on_death)
                    if not others_gave_up(folders()):
                        break
            more = not needed.settled and sum(map(recorded, known)) > before  # which may need further seeds


def launch_workers(
    worker: Callable[[DictConfig], None],
    workers: int,
    folders: Callable[[], Iterable[Path]],
    application: Application,
    console: Console,
    *,
    on_death: Callable[[Path], object] = count_death,
) -> None:
    """Run copies of `worker` until each has nothing left to do; replace those that are killed.

    Args:
        worker: pickled into each process; finds its work in the files.
        workers: how many copies.
        folders: returns the folders in which workers hold leases.
        on_death: called with each folder whose worker was killed.

    Raises:
        OSError: workers were killed again and again, and no run ended in between.
    """
    from hydra.core.plugins import Plugins

    config, runs, sweep = application.config, application.runs, uuid.uuid4().hex[:12]
    resources = Resources.of(config, most=workers)
    stop = None if resources.launcher == "basic" else runs / ".workers" / f"stop-{sweep}"
    process = WorkerProcess(worker, sweep, resources.gpus, stop, signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
    configure(config, resources.launcher, workers)
    about: dict[str, Any] = {"hydra_context": application.context, "task_function": process, "config": config}
    launcher = Plugins.instance().instantiate_launcher(**about)
    jobs = [
        [*application.rest, f"hydra.sweep.subdir='.workers/{k}'", "hydra.output_subdir=null"] for k in range(workers)
    ]
    deaths, done = 0, sum(map(recorded, folders()))
    while True:
        try:
            with interrupted_after_workers(stop, sweep, folders):
                for ended in launcher.launch(jobs, initial_job_idx=0):
                    _ = ended.return_value  # raises what stopped a worker
            return
        except Exception as error:
            if not worker_was_killed(error):
                raise
            for folder in release_orphans(list(folders()), sweep):
                on_death(folder)
            before, done = done, sum(map(recorded, folders()))
            deaths = deaths + 1 if done == before else 1
            if deaths >= config.max_consecutive_failures:
                raise OSError(f"workers were killed {deaths} times, perhaps for want of memory; {AGAIN}") from None
            console.print("[yellow]![/] a worker was killed; new ones go on", highlight=False)
        finally:
            for folder in folders():
                release_orphan(folder)


@contextmanager
def interrupted_after_workers(stop: Path | None, sweep: str, folders: Callable[[], Iterable[Path]]) -> Iterator[None]:
    """On Ctrl-C or SIGTERM, let the workers save and give up what they hold; only then interrupt the launcher.

    Some launchers kill their workers when they are interrupted. A second Ctrl-C does not wait.

    Args:
        stop: workers stop once this file exists; None where the only worker is this process.
    """

    def ask_to_stop(number: int, frame: object) -> None:
        signal.signal(number, signal.default_int_handler)
        if stop is not None:
            write_text(stop, "")
            wait_for(sweep, folders())
        raise KeyboardInterrupt

    heeded = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is signal.default_int_handler]
    for one in heeded:
        signal.signal(one, ask_to_stop)
    try:
        yield
    finally:
        for one in heeded:
            signal.signal(one, signal.default_int_handler)


def worker_was_killed(error: Exception) -> bool:
    """Whether joblib, submitit or Ray reports by this error that a worker's process was killed."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"BrokenExecutor", "UncompletedJobError", "RayError"}) and "FailedJobError" not in names


def configure(config: DictConfig, launcher: str, workers: int) -> None:
    """Set the launcher's number of workers, and let a scheduler end and start them again at any time."""
    settings = config.hydra.launcher
    with open_dict(config):
        if launcher == "joblib":
            settings.n_jobs = max(2, workers)  # with 1, joblib would train in this process, which must survive
            fork_warm()
        elif launcher == "submitit_local":
            settings.timeout_min = max(settings.timeout_min, TWO_WEEKS)
        elif launcher == "submitit_slurm":
            settings.array_parallelism = workers
            settings.max_num_timeout = settings.max_num_timeout or 1000
            settings.additional_parameters = {"requeue": True} | dict(settings.additional_parameters)
    if launcher in OWN_PROCESSES:  # which must find this project
        os.environ["PYTHONPATH"] = python_path()


def wait_for(sweep: str, folders: Iterable[Path]) -> None:
    """Wait, not for ever, until the workers of a sweep have given up what they held."""
    left, until = list(folders), time.monotonic() + PATIENCE
    while left and time.monotonic() < until:
        left = [folder for folder in left if holder(folder).get("sweep") == sweep]
        time.sleep(0.2)


def recorded(folder: Path) -> bool:
    """Whether the run of this folder has a record that can be read."""
    return usable(folder / RECORD)


def others_gave_up(folders: Iterable[Path], settled: Callable[[Path], bool] = recorded) -> bool:
    """Wait while other processes hold some of these folders; return whether one ended without settling its folder."""
    waited = [folder for folder in folders if not settled(folder) and held(folder)]
    while any(not settled(folder) and held(folder) for folder in waited):
        time.sleep(0.5)
    return any(not settled(folder) for folder in waited)
