"""Limit how often something is done, so that it takes at most a share of the wall time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Throttle:
    """Rate limiter: after a call that took t seconds, the next one is due t / `share` seconds later."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.next = 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed."""
        return time.monotonic() >= self.next

    @contextmanager
    def done(self) -> Iterator[None]:
        """Measure how long the body takes."""
        begun = time.monotonic()
        yield
        ended = time.monotonic()
        self.next = ended + (ended - begun) / self.share
