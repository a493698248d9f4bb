"""Run a worker in the process that a launcher made: pin a device, handle requests to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ablations.records.lease import SWEEP
from sweeps.cli.import_path import extend_sys_path
from sweeps.workers.resources import device_of

LOOK_EVERY = 1.0  # seconds between two looks for the file that says stop


@dataclass
class WorkerProcess:
    """Call a worker in a process of its own, into which the launcher pickles this object.

    Attributes:
        worker: called with the config of the worker.
        sweep: an id that goes into every lease, so that the sweep finds its own.
        gpus: this machine's GPUs, which the workers share round-robin.
        stop: a file; once it exists, the worker gives up its leases and ends. None where a signal reaches the worker.
        interruptible: whether Ctrl-C ends the sweep; a sweep that a script has put into the background ignores it.
    """

    worker: Callable[[DictConfig], None]
    sweep: str
    gpus: list[str]
    stop: Path | None
    interruptible: bool = True

    def __call__(self, config: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig

        extend_sys_path()
        device = device_of(int(Path(HydraConfig.get().sweep.subdir).name), self.gpus)
        if device is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = device  # before anything asks for a GPU in this process
        os.environ[SWEEP] = self.sweep
        if self.interruptible and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # the forkserver ignores it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if "SUBMITIT_EXECUTOR" in os.environ:  # submitit would ignore it, and be killed half a minute later
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        if self.stop is None or not self.stop.exists():
            with stopped_by(self.stop):
                self.worker(config)


@contextmanager
def stopped_by(file: Path | None) -> Iterator[None]:
    """End the body, as Ctrl-C would, once `file` exists."""
    if file is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY):
            if file.exists():
                in_background = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
                signal.raise_signal(signal.SIGTERM if in_background else signal.SIGINT)
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if not file.exists():
            raise
    finally:
        over.set()
        thread.join()
