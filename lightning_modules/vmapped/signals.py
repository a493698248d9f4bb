"""Signals that wait until nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"  # Ctrl-C, and what schedulers send before they take a machine away


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Inside, a signal is only remembered; the function yielded lets those that came do what they would have done.

    What is left at the end is done then, unless the body raises. In a thread that is not the first no signal arrives,
    and nothing happens here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    found = {number: signal.getsignal(number) for name in NAMES if (number := getattr(signal, name, None))}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    came: list[int] = []

    def heed() -> None:
        while came:
            number = came.pop(0)
            handlers[number](number, None)

    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield heed
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    heed()
