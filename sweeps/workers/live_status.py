"""Show how far a sweep or a search is: a picture on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from rich.console import Console
from rich.live import Live

from ablations.monitor.status import Pace, TrialWatch, Watch, headline, picture

LOOK_EVERY = 0.5  # seconds between two looks
LINE_EVERY = 15.0  # seconds between two lines where there is no terminal


@contextmanager
def watched(watch: Watch | TrialWatch, console: Console) -> Iterator[None]:
    """Show how far a sweep or a search is while the body runs, reading nothing but the files of the runs."""
    show = _picture if console.is_terminal else _lines
    with in_thread(partial(show, watch, console)):
        yield


@contextmanager
def in_thread(work: Callable[[threading.Event], object]) -> Iterator[None]:
    """Call `work(stop)` in a thread while the body runs; when it ends, set `stop` and wait for the thread."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _picture(watch: Watch | TrialWatch, console: Console, stop: threading.Event) -> None:
    pace = Pace()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while not stop.wait(LOOK_EVERY):
            status = watch.look()
            live.update(picture(status, pace.left(status)), refresh=True)


def _lines(watch: Watch | TrialWatch, console: Console, stop: threading.Event) -> None:
    pace, printed = Pace(), time.monotonic()
    while not stop.wait(LOOK_EVERY):
        now = time.monotonic()
        if pace.begun and now - printed < LINE_EVERY:
            continue
        status = watch.look()
        left = pace.left(status)
        if now - printed >= LINE_EVERY:
            printed = now
            with suppress(BrokenPipeError):  # whoever reads has gone; the sweep says so itself
                console.print(headline(status, left), highlight=False)
