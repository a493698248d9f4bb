"""Run several trainings in one process in lockstep: each runs in a thread until it asks for a step, and then waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from lightning_modules.training.float32 import snapshot_switches
from lightning_modules.vmapped.signals import held_back

Body = Callable[["Member"], object]
Snapshot = Callable[[], Callable[[], object]]
LOOK = 0.2  # seconds between two looks whether a signal has come


class Halted(BaseException):
    """Raised inside a training that waits, to end it as Ctrl-C would; it leaves no record."""


class Member:
    """One training of a group. Each has a thread of its own, and only one of them runs at a time.

    Args:
        body: the training; called with this member.

    Attributes:
        request: what the training asks for; None while it runs, and when it has ended.
        answer: what `ask` will return to it.
        free: whether it waits no more, but runs to its end.
        seconds: its share of the time up to its last request.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.snapshot: Snapshot | None = None
        self.request: Any = None
        self.answer: Any = None
        self.error: BaseException | None = None
        self.alive, self.running, self.halted, self.free = True, False, False, False
        self.seconds = self.begun = 0.0
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def ask(self, request: Any) -> Any:
        """Called by the training thread: wait for the others, return the shared result; None means compute alone.

        Raises:
            Halted: the group was ended.
        """
        if self.halted:
            raise Halted
        if self.free:
            return None
        self.request, restore = request, snapshot_state(self.snapshot)
        self.back.release()
        self.go.acquire()
        restore()
        self.request = None
        if self.halted:
            raise Halted
        return self.answer

    def clock(self) -> float:
        """Called by the training: its seconds so far, without those in which others ran."""
        return self.seconds + time.perf_counter() - self.begun

    def resume(self, heed: Callable[[], None] = lambda: None) -> None:
        """Let the training run until it asks or ends, and call `heed` meanwhile; raise what the training raised."""
        self.begun, self.running = time.perf_counter(), True
        if self.thread.ident is None:
            self.thread.start()
        else:
            self.go.release()
        self._wait(heed)
        if self.error is not None and not self.halted:
            raise self.error

    def halt(self) -> None:
        """End the training where it waits, or where it next asks."""
        self.halted = True
        if self.running:
            self._wait()
        while self.alive and self.thread.ident is not None:
            self.resume()
        self.alive = False

    def _wait(self, heed: Callable[[], None] = lambda: None) -> None:
        while not self.back.acquire(timeout=LOOK):
            heed()
        self.running = False
        self.seconds += time.perf_counter() - self.begun

    def _run(self) -> None:
        try:
            self.body(self)
        except Halted:
            pass
        except BaseException as error:
            self.error = error
        self.alive = False
        self.back.release()


def run_in_lockstep(
    members: Sequence[Member], answer: Callable[[list[Member]], object], snapshot: Snapshot | None = None
) -> None:
    """Run all members to their end; whenever each that still runs has asked, `answer` gives each its answer.

    State of the process that each training must have for itself (random generators, the default type, TF32, what
    `snapshot` saves) is saved and restored when another member runs, so each runs as if it were alone. A signal is
    handled only between answers: an interruption inside one would leave the networks with each other's tensors.

    Args:
        snapshot: called before others run; what it returns is called when the member goes on.

    Raises:
        KeyboardInterrupt: and whatever else ends a member or `answer`, after the other members have been ended.
    """
    outside = snapshot_state(snapshot)
    for member in members:
        member.snapshot = snapshot
    with held_back() as heed:
        try:
            while left := [member for member in members if member.alive]:
                for member in left:
                    member.resume(heed)
                    outside()
                heed()
                if asking := [member for member in left if member.alive]:
                    answer(asking)
        except BaseException:
            for member in members:
                member.halt()
            outside()
            raise


def snapshot_state(snapshot: Snapshot | None) -> Callable[[], None]:
    """Snapshot the random state, the default type and TF32's switches; return a function that restores them."""
    dtype, rng = torch.get_default_dtype(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    restore_products = snapshot_switches()
    restore_others = snapshot() if snapshot else None

    def restore() -> None:
        torch.set_default_dtype(dtype)
        torch.set_rng_state(rng)
        restore_products()
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)
        if restore_others is not None:
            restore_others()

    return restore
