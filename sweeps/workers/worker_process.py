"""A worker in the process that a launcher made for it: with its device, and ways to be told to stop."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from ablations.records.lease import SWEEP
from sweeps.cli.import_path import find_as_the_sweep
from sweeps.workers.resources import device_of

LOOK = 1.0  # seconds between two looks for the file that says stop


@dataclass
class WorkerProcess:
    """What a launcher launches; it is pickled into the process that does the work.

    Attributes:
        worker: called with the config of the worker.
        sweep: goes into every lease, so that the sweep knows its own.
        gpus: shared round-robin.
        stop: once this file exists, work ends and leases are given up; None where a signal reaches the worker.
        interruptible: whether Ctrl-C ends the sweep; one that a script has put into the background ignores it.
    """

    worker: Callable[[DictConfig], None]
    sweep: str
    gpus: list[str]
    stop: Path | None
    interruptible: bool = True

    def __call__(self, config: DictConfig) -> None:
        from hydra.core.hydra_config import HydraConfig

        find_as_the_sweep()
        device = device_of(int(Path(HydraConfig.get().sweep.subdir).name), self.gpus)
        if device is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = device  # before anything asks for a GPU in this process
        os.environ[SWEEP] = self.sweep
        if self.interruptible and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # forked from what ignores it
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
        while not over.wait(LOOK):
            if file.exists():
                in_background = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
                _thread.interrupt_main(signal.SIGTERM if in_background else signal.SIGINT)
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
