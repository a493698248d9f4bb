"""The error for data sets that cannot be used."""

from __future__ import annotations


class DataError(OSError):
    """A data set is absent, damaged or not what its config says; the message is one sentence that says what to do."""
