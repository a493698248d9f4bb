"""What a person sees while workers work: one picture of the whole sweep, or a line now and then without a terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from ablations.monitor.status import Looking, Pace, headline, picture

OFTEN, SELDOM = 0.5, 15.0  # seconds between two looks, with a terminal and without


@contextmanager
def watched(watch: Looking, console: Console) -> Iterator[None]:
    """Show how far a sweep or a search is while the body runs, reading nothing but the files of the runs."""
    stop = threading.Event()
    show = _picture if console.is_terminal else _lines
    thread = threading.Thread(target=show, args=(watch, console, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _picture(watch: Looking, console: Console, stop: threading.Event) -> None:
    pace = Pace()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while not stop.wait(OFTEN):
            status = watch.look()
            live.update(picture(status, pace.left(status.share)), refresh=True)


def _lines(watch: Looking, console: Console, stop: threading.Event) -> None:
    pace = Pace()
    pace.left(watch.look().share)
    while not stop.wait(SELDOM):
        status = watch.look()
        console.print(headline(status, pace.left(status.share)), highlight=False)
