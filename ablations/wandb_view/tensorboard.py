"""Show runs in TensorBoard: event files in `runs/tensorboard`, a folder a run and one a results table."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.wandb_view.protocol import ScalarLog, require, results


class TensorBoard:
    """Writes scalars: curve and diagnostics by epoch, final metrics at the end; ValueError without the package."""

    def __init__(self) -> None:
        require("tensorboard", "tensorboard", "tensorboard")

    @contextmanager
    def track(self, run: Run | Record, folder: Path, *, group: str | None) -> Iterator[ScalarLog]:
        """Write the events of one run to `runs/tensorboard/<study>/<run's folder>`."""
        writer = _writer(folder.parent / "tensorboard" / (group or "single") / folder.name)
        try:
            yield ScalarLog(writer.add_scalar)
        finally:
            writer.close()

    def results(self, answer: Any) -> None:
        """Write each number of the results table, a scalar a cell and column."""
        heads, rows = results(answer)
        writer = _writer(answer.runs / "tensorboard" / answer.plan["name"] / "results")
        for step, row in enumerate(rows):
            for head, value in zip(heads, row, strict=True):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    writer.add_scalar(f"results/{head}", float(value), step)
        writer.close()

    def shown_by(self, runs: Path) -> str:
        """The command that shows them."""
        program = ["tensorboard"] if shutil.which("tensorboard") else [sys.executable, "-m", "tensorboard.main"]
        return shlex.join([*program, "--logdir", str(runs / "tensorboard")])


def _writer(folder: Path) -> Any:
    return import_module("tensorboard.summary").Writer(str(folder))
