"""Say what a tracker is: `tracker=NAME` may name any class with these methods.

    # trackers/mine.py, beside your blocks; conf/tracker/mine.yaml has `_target_: trackers.mine.Mine`
    class Mine:
        @contextmanager
        def track(self, run, folder, *, group):
            with open(folder / "mine.log", "a", encoding="utf-8") as file:
                yield MyLog(file)      # with the methods of RunLog

Two methods may be left out: a sweep calls `results(answer)` at its end, and what `shown_by(runs)` returns is printed at
the end of a run or a sweep, as the command that shows what was tracked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.wandb_view.log import Row, sentence, warn


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


@contextmanager
def tracked(tracker: RunTracker, run: Run, folder: Path, *, group: str | None) -> Iterator[RunLog]:
    """Track a run; the first error of a tracker ends that with one warning, and the training goes on."""
    log = Forgiving()
    context: AbstractContextManager[Any] = nullcontext()
    try:
        context = tracker.track(run, folder, group=group)
        log.log = context.__enter__()
    except Exception as error:
        context = nullcontext()
        log.stop(error)
    ended = None
    try:
        yield log
    except BaseException as error:
        ended = error
        raise
    finally:
        try:
            context.__exit__(type(ended) if ended else None, ended, ended and ended.__traceback__)
        except Exception as error:
            if error is not ended:
                log.stop(error)


class Forgiving:
    """Tells a log what there is to log, until it raises."""

    log: RunLog | None = None

    def epochs(self, rows: Iterable[Row]) -> None:
        self._tell("epochs", rows)

    def diagnostics(self, rows: Iterable[Row]) -> None:
        self._tell("diagnostics", rows)

    def record(self, record: Record) -> None:
        self._tell("record", record)

    def stop(self, error: Exception) -> None:
        self.log = None
        warn(f"the tracker stopped, training goes on: {type(error).__name__}: {sentence(error)}")

    def _tell(self, method: str, what: Any) -> None:
        try:
            if self.log is not None:
                getattr(self.log, method)(what)
        except Exception as error:
            self.stop(error)


class ScalarLog:
    """Logs each number of a run by itself, as TensorBoard and MLflow take them.

    Args:
        add: called with a name, a number and an epoch.
    """

    def __init__(self, add: Callable[[str, float, int], object]) -> None:
        self.add, self.last = add, 0

    def epochs(self, rows: Iterable[Row]) -> None:
        self._log(rows, "")

    def diagnostics(self, rows: Iterable[Row]) -> None:
        self._log(rows, "diagnostics/")

    def record(self, record: Record) -> None:
        self._log([{"epoch": self.last, **record["metrics"]}], "final/")

    def _log(self, rows: Iterable[Row], prefix: str) -> None:
        for row in rows:
            self.last = max(self.last, int(row["epoch"] or 0))
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self.add(prefix + name, float(value), int(row["epoch"] or 0))


def results(answer: Any) -> tuple[list[str], list[list[Any]]]:
    """The results table of an answer: its heads, and a row a cell. What a tracker's `results(answer)` can show."""
    from ablations.report.csv_files import results_table

    return results_table(answer.rows)


def require(package: str, tracker: str, install: str) -> None:
    """Raise ValueError unless a package that a tracker needs is installed."""
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ValueError(f"tracker={tracker} needs {package}: pip install {install}, or choose tracker=none")
