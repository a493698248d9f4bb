"""What is done so seldom that it takes no more than a share of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Throttle:
    """Is due at first, and again once `share` of the time since it was last done is what it took then."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.next = 0.0

    @property
    def due(self) -> bool:
        """Whether it may be done now."""
        return time.monotonic() >= self.next

    @contextmanager
    def done(self) -> Iterator[None]:
        """Take the time of the body."""
        begun = time.monotonic()
        yield
        ended = time.monotonic()
        self.next = ended + (ended - begun) / self.share
