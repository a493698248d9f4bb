"""Fork joblib's workers from a forkserver that has imported torch and Lightning while the plan is made.

On two cores a forked worker starts four seconds after the command; one that imports them for itself, seven.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ablations.records.provenance import ROOT
from ablations.wandb_view.tracking import IMPORTED_LATE

# A fork imports the program again, which another program may not expect.
PROGRAMS = "run.py", "skipbench", "skipbench.py"
IMPORTED = [
    "sweeps.workers.parent_death",
    "sweeps.workers.libraries",
    "lightning_modules.inspection.diagnostics",
    "lightning_modules.training.progress",
    "lightning_modules.training.micro_batch",
    "wandb",
    IMPORTED_LATE,
    "sweeps.one_run",
]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def start_forkserver(launcher: str, imported: Sequence[str] = IMPORTED) -> None:
    """Start the forkserver, which imports what workers need, if the launcher can fork workers from it."""
    if launcher != "joblib" or not forkable():
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload([*imported])
    with environment(ONE_THREAD | {"PYTHONPATH": python_path()}), interrupts_ignored():
        forkserver.ensure_running()


def fork_warm() -> None:
    """Let joblib fork its processes from the forkserver, where that is possible."""
    try:
        from joblib.externals.loky.backend.context import set_start_method  # which joblib does not document
    except ImportError:  # another version: its workers import for themselves, which takes seconds
        return
    set_start_method("forkserver" if forkable() else "loky", force=True)


def let_workers_end(launcher: str) -> None:
    """Let joblib's idle workers end now, so that the end of this process need not wait for them."""
    if launcher != "joblib":  # where there are none, to ask for them would start a process
        return
    try:
        from joblib.externals.loky import get_reusable_executor
    except ImportError:  # another version: they end with this process
        return
    reuse: Any = True
    get_reusable_executor(reuse=reuse).shutdown(wait=False)


def forkable() -> bool:
    """Whether workers can be forked: not on Windows, and only by this project's own command line."""
    program = getattr(sys.modules["__main__"], "__file__", None) or ""
    return sys.platform != "win32" and os.path.basename(program) in PROGRAMS


def python_path() -> str:
    """PYTHONPATH with this project's folder first, so that workers find it."""
    known = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return os.pathsep.join(dict.fromkeys([str(ROOT), *known]))


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the body. To be forked, the forkserver must have one thread."""
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
    """Ignore Ctrl-C in processes that the body starts, while they import; `WorkerProcess` heeds it again."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
