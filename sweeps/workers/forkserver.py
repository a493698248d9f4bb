"""Workers that start warm: a process imports torch and Lightning while the plan is made; joblib's are its forks.

On two cores a worker that imports them for itself starts seven seconds after the command, one that is forked four.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

from ablations.records.provenance import ROOT

PROGRAMS = "run.py", "skipbench"  # a fork imports the program once more, and another's may not bear that
IMPORTED = [
    "sweeps.workers.parent_death",
    "lightning_modules.inspection.diagnostics",
    "lightning_modules.training.progress",
    "lightning_modules.training.micro_batch",
    "wandb",
    "sweeps.one_run",
]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def start_forkserver(launcher: str) -> None:
    """Begin to import what workers need, in a process of its own, where the launcher can fork them from it."""
    if launcher != "joblib" or not forkable():
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(IMPORTED)
    with environment(ONE_THREAD | {"PYTHONPATH": with_root()}), interrupts_ignored():
        forkserver.ensure_running()


@contextmanager
def imported_ahead(launcher: str) -> Iterator[None]:
    """Import what the report needs while workers work; not beside one in this process, which imports some of it too."""
    if launcher == "basic":
        yield
        return
    modules = "scipy.stats", "statsmodels.regression.linear_model"
    thread = Thread(target=lambda: [import_module(name) for name in modules], daemon=True)
    thread.start()
    yield
    thread.join()  # two threads that import the same may find each other's half-made modules


def fork_warm() -> None:
    """Let joblib fork its processes from the forkserver, where that is possible."""
    try:
        from joblib.externals.loky.backend.context import set_start_method  # which joblib does not document
    except ImportError:  # another version: its workers import for themselves, which takes seconds
        return
    set_start_method("forkserver" if forkable() else "loky", force=True)


def forkable() -> bool:
    """Whether workers can be forks: not on Windows, and not of a program that is not ours."""
    program = getattr(sys.modules["__main__"], "__file__", None) or ""
    return sys.platform != "win32" and os.path.basename(program) in PROGRAMS


def with_root() -> str:
    """PYTHONPATH such that this program is found."""
    known = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return os.pathsep.join(dict.fromkeys([str(ROOT), *known]))


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Start processes with these settings: a process must have one thread to be forked, and workers set their own."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Start processes that Ctrl-C does not end while they import; `WorkerProcess` lets it reach the workers again."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
