"""Hold signals back until nothing is left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NAMES = "SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"  # Ctrl-C, and what schedulers send before they take a machine away


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Hold signals back while the body runs; yield a function that delivers those that came.

    Those that are left are delivered at the end, unless the body raises. Python delivers signals to the main thread
    only: in another thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    found = {number: signal.getsignal(number) for name in NAMES if (number := getattr(signal, name, None))}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    came: list[int] = []

    def deliver() -> None:
        while came:
            number = came.pop(0)
            handlers[number](number, None)

    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield deliver
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    deliver()
