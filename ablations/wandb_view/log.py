"""Log one run to W&B: epochs, diagnostics, the record."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ablations.analysis.results import Record

SUMMED = ("status", "cause", "first_nonfinite", "epochs", "steps", "seconds", "params", "macs")

Row = Mapping[str, float | None]  # an epoch


class Log:
    """One W&B run, or none. The first failure ends it with one warning."""

    def __init__(self, run: Any = None) -> None:
        self._run, self._failed = run, False
        self._reached = 0 if run is None else int(run.summary.get("epoch") or 0)

    @property
    def step(self) -> int:
        """How many rows W&B has already, from an earlier time."""
        return int(getattr(self._run, "starting_step", 0) or 0)

    @property
    def address(self) -> tuple[str, str] | None:
        """Entity and project of a run that is sent; None offline."""
        run = self._run
        return None if run is None or run.offline else (str(run.entity), str(run.project))

    def epochs(self, rows: Iterable[Row]) -> int:
        """Log the epochs that W&B has not got yet, in order; how many they are."""
        left = self._left(rows)
        for row in left:
            self._log({key: value for key, value in row.items() if value is not None})
        return len(left)

    def diagnostics(self, rows: Iterable[Row]) -> None:
        """Log what was measured inside the network: `name.block_01` as `diagnostics/name/block_01`."""
        for row in self._left(rows):
            inside = {f"diagnostics/{name.replace('.', '/')}": row[name] for name in row if name != "epoch"}
            self._log({"epoch": row["epoch"], **{key: value for key, value in inside.items() if value is not None}})

    def summary(self, values: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        self._attempt(lambda run: run.summary.update(dict(values() if callable(values) else values)))

    def record(self, record: Record) -> None:
        """Set the summary from the record; a failed one is marked as failed."""
        self._failed = record["status"] == "failed"
        self.summary({**record["metrics"], **{key: record[key] for key in SUMMED if key in record}})

    def pruned(self) -> None:
        """Mark a trial that was stopped because others are better: it has not failed."""

        def act(run: Any) -> None:
            run.summary.update({"status": "pruned"})
            run.tags = (*(run.tags or ()), "pruned")

        self._attempt(act)

    def media(self, make: Callable[[Any], Mapping[str, Any]]) -> None:
        """Log tables and pictures; `make(wandb)` is called only where there is a run to show them in."""

        def act(run: Any) -> None:
            import wandb

            run.log(dict(make(wandb)))

        self._attempt(act)

    def finish(self, *, failed: bool = False) -> None:
        """Close the run and wait, not for ever, until its data is written or sent."""
        self._attempt(lambda run: run.finish(exit_code=1 if failed or self._failed else 0))
        self._run = None

    def _left(self, rows: Iterable[Row]) -> list[Row]:
        return [row for row in rows if (row["epoch"] or 0) > self._reached]

    def _log(self, values: Mapping[str, Any]) -> None:
        self._attempt(lambda run: run.log(dict(values)))

    def _attempt(self, act: Callable[[Any], Any]) -> None:
        if self._run is None:
            return
        try:
            act(self._run)
        except Exception as error:
            warn(f"W&B stopped, training goes on: {sentence(error)}")
            run, self._run = self._run, None
            try:
                run.finish(exit_code=1)
            except Exception:
                logging.getLogger(__name__).debug("W&B could not be closed", exc_info=True)


@functools.cache
def warn(message: str) -> None:
    """Log a warning, each message once a process."""
    logging.getLogger(__name__).warning(message)


def sentence(error: BaseException) -> str:
    """Write an error in one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
