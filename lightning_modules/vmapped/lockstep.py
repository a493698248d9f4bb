"""Several trainings in one process, never two at a time: each goes on until it asks for something, and then waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from lightning_modules.training.float32 import set_aside_switches
from lightning_modules.vmapped.signals import held_back

Body = Callable[["Member"], object]
Own = Callable[[], Callable[[], object]]
LOOK = 0.2  # seconds between two looks whether a signal has come


class Halted(BaseException):
    """Ends a training that waits for an answer, as Ctrl-C would; it leaves no record."""


class Member:
    """One of several bodies that run in turn, each in a thread of its own, never two at once.

    Args:
        body: called with this turn.

    Attributes:
        request: what it asks for and waits for; None while it runs, and when it has ended.
        answer: what it will be told.
        free: whether it waits no more, but goes on to its end.
        seconds: its share of the time up to its last request.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.own: Own | None = None
        self.request: Any = None
        self.answer: Any = None
        self.error: BaseException | None = None
        self.alive, self.running, self.halted, self.free = True, False, False, False
        self.seconds = self.begun = 0.0
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def ask(self, request: Any) -> Any:
        """Called by the body: the answer, once the others have come as far; None at once where it is free.

        Raises:
            Halted: there will be none.
        """
        if self.halted:
            raise Halted
        if self.free:
            return None
        self.request, restored = request, set_aside(self.own)
        self.back.release()
        self.go.acquire()
        restored()
        self.request = None
        if self.halted:
            raise Halted
        return self.answer

    def clock(self) -> float:
        """Called by the body: seconds that went by for this body, without those in which others had their turn."""
        return self.seconds + time.perf_counter() - self.begun

    def resume(self, heed: Callable[[], None] = lambda: None) -> None:
        """Let the body run until it asks or ends, looking for signals; what it raised, if it ended so."""
        self.begun, self.running = time.perf_counter(), True
        if self.thread.ident is None:
            self.thread.start()
        else:
            self.go.release()
        self._wait(heed)
        if self.error is not None and not self.halted:
            raise self.error

    def halt(self) -> None:
        """End the body where it waits, or where it will next ask."""
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


def in_turn(turns: Sequence[Member], answer: Callable[[list[Member]], object], own: Own | None = None) -> None:
    """Run all bodies to their end; whenever each that is left has asked, `answer` gives each its answer.

    What is one a process but must be each body's own (random numbers, the default type, what `own` names) is set aside
    while others have their turn. So a body runs as if it were alone. A signal is heeded where no answer is half given:
    an interruption in the midst of one would leave the networks with each other's tensors.

    Args:
        own: called before others have their turn; what it returns is called when the body goes on.

    Raises:
        KeyboardInterrupt: and whatever else ends a body or `answer`, after the others have been ended too.
    """
    outside = set_aside(own)
    for turn in turns:
        turn.own = own
    with held_back() as heed:
        try:
            while left := [turn for turn in turns if turn.alive]:
                for turn in left:
                    turn.resume(heed)
                    outside()
                heed()
                if asking := [turn for turn in left if turn.alive]:
                    answer(asking)
        except BaseException:
            for turn in turns:
                turn.halt()
            outside()
            raise


def set_aside(own: Own | None) -> Callable[[], None]:
    """What gives this process again the state it has now."""
    dtype, rng = torch.get_default_dtype(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
    products = set_aside_switches()
    others = own() if own else None

    def restored() -> None:
        products()
        torch.set_default_dtype(dtype)
        torch.set_rng_state(rng)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)
        if others is not None:
            others()

    return restored
