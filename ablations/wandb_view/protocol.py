"""Say what a tracker is: `tracker=NAME` may name any class with these methods.

    # trackers/mine.py, beside your blocks; conf/tracker/mine.yaml has `_target_: trackers.mine.Mine`
    class Mine:
        @contextmanager
        def track(self, run, folder, *, group):
            with open(folder / "mine.log", "a", encoding="utf-8") as file:
                yield MyLog(file)      # with the methods of RunLog

`results` may be left out: a sweep calls it at its end where the tracker has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ablations.analysis.results import Record
from ablations.identity.run import Run

Row = Mapping[str, float | None]  # an epoch


class RunLog(Protocol):
    """Receives what is measured of one run."""

    def epochs(self, rows: Iterable[Row]) -> object:
        """Log new rows of the curve, each with its `epoch`."""

    def diagnostics(self, rows: Iterable[Row]) -> object:
        """Log new rows of what was measured inside the network, each with its `epoch`."""

    def record(self, record: Record) -> object:
        """Log the record, when the run has ended."""


class RunTracker(Protocol):
    """Shows runs somewhere. It is made once a process for each run; its constructor says what is missing."""

    def track(self, run: Run | Record, folder: Path, *, group: str | None) -> AbstractContextManager[RunLog]:
        """Track one run while the `with` block lasts.

        Args:
            folder: of the run's record.
            group: the study; None for a single run.
        """
        ...


def results(answer: Any) -> tuple[list[str], list[list[Any]]]:
    """The results table of an answer: its heads, and a row a cell. What a tracker's `results(answer)` can show."""
    from ablations.report.csv_files import results_table

    return results_table(answer.rows)


def require(package: str, tracker: str, install: str) -> None:
    """Raise ValueError unless a package that a tracker needs is installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ValueError(f"tracker={tracker} needs {package}: pip install {install}, or choose tracker=none")
