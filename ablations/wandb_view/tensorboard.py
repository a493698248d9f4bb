"""Show runs in TensorBoard: event files in `runs/tensorboard`, a folder a run and one a results table."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.wandb_view.protocol import Row, require, results


class TensorBoard:
    """Writes scalars: the curve and the diagnostics by epoch, the final metrics at the end.

    Raises:
        ValueError: the package is not installed.
    """

    def __init__(self) -> None:
        require("tensorboard", "tensorboard", "tensorboard")

    @contextmanager
    def track(self, run: Run | Record, folder: Path, *, group: str | None) -> Iterator[EventLog]:
        """Write the events of one run to `runs/tensorboard/<study>/<run's folder>`."""
        writer = _writer(folder.parent / "tensorboard" / (group or "single") / folder.name)
        try:
            yield EventLog(writer)
        finally:
            writer.close()

    def results(self, answer: Any) -> None:
        """Write each number of the results table, a scalar a cell and column."""
        heads, rows = results(answer)
        writer = _writer(answer.runs / "tensorboard" / answer.plan["name"] / "results")
        for step, row in enumerate(rows):
            for head, value in zip(heads, row, strict=True):
                if _is_number(value):
                    writer.add_scalar(f"results/{head}", float(value), step)
        writer.close()

    def shown_by(self, runs: Path) -> str:
        """The command that shows them."""
        program = ["tensorboard"] if shutil.which("tensorboard") else [sys.executable, "-m", "tensorboard.main"]
        return shlex.join([*program, "--logdir", str(runs / "tensorboard")])


class EventLog:
    """The event file of one run."""

    def __init__(self, writer: Any) -> None:
        self.writer, self.last = writer, 0

    def epochs(self, rows: Iterable[Row]) -> None:
        self._write(rows, "")

    def diagnostics(self, rows: Iterable[Row]) -> None:
        self._write(rows, "diagnostics/")

    def record(self, record: Record) -> None:
        for name, value in record["metrics"].items():
            if _is_number(value):
                self.writer.add_scalar(f"final/{name}", float(value), self.last)

    def _write(self, rows: Iterable[Row], prefix: str) -> None:
        for row in rows:
            self.last = max(self.last, int(row["epoch"] or 0))
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self.writer.add_scalar(prefix + name, float(value), int(row["epoch"] or 0))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _writer(folder: Path) -> Any:
    return import_module("tensorboard.summary").Writer(str(folder))
