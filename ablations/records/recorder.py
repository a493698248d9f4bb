"""Writes what a run leaves behind: the curve while it trains, the record at the end."""

from __future__ import annotations

import csv
import errno
import io
import json
import logging
import math
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ablations.identity.run import Run
from ablations.records.files import SCHEMA, OtherSchema, RecordError, aside, write_json, write_text
from ablations.records.layout import CHECKPOINT, CONFIG, CURVE, DAMAGES, DIAGNOSTICS, RECORD, TRACEBACK
from ablations.records.lease import NAME as LEASE
from ablations.records.provenance import provenance
from ablations.records.record import Record, read_record
from ablations.records.worker_deaths import forget

FULL = (errno.ENOSPC, errno.EDQUOT)
NOTHING: dict[str, Any] = {"epochs": 0, "steps": 0, "seconds": 0.0, "images_per_second": 0.0, "device": None}


class Stopped(Exception):
    """Whoever watches a run's curve wants no more of it: the training ends without a record."""


class Outcome(Protocol):
    """What a training came to, as `lightning_modules.training.fit.Outcome` has it."""

    @property
    def metrics(self) -> dict[str, float]: ...
    @property
    def epochs(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def diverged(self) -> bool: ...
    @property
    def device(self) -> str: ...
    @property
    def lesions(self) -> Sequence[dict[str, Any]]: ...


class Recorder:
    """The recording side of one run: `begin`, then `curve` after every epoch, then `finish` or `fail`."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder = run, folder
        self.sizes: dict[str, Any] = {"params": None, "macs": None, "note": ""}
        self.started = _now()

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last finished epoch is kept while the run is unfinished."""
        return self.folder / CHECKPOINT

    def begin(self, *, params: int, macs: int, note: str) -> None:
        """Make the folder, note what is known before the training, set aside a record that does not answer this run."""
        self.sizes = {"params": params, "macs": macs, "note": note}
        path = self.folder / RECORD
        if path.exists() and known(self.folder, self.run) is None:
            _warn(f"{path} is damaged or another run's: kept as {aside(path, 'damaged').name}, and the run trained")
        logging.getLogger(__name__).info("training begins in process %d of %s", os.getpid(), socket.gethostname())
        for name in (DIAGNOSTICS, DAMAGES):  # of a training before this, maybe without any
            (self.folder / name).unlink(missing_ok=True)
        write_text(self.folder / CONFIG, _yaml({**self.run.config, "seed": self.run.seed}))

    def resume(self, damage: Callable[[Path], str | None]) -> Path:
        """Where to go on from: the checkpoint, set aside first if `damage` finds something wrong with it."""
        path = self.checkpoint
        if path.exists() and (reason := damage(path)):
            _warn(f"{path} {reason}; it is kept as {aside(path, 'damaged').name}, and the run begins anew")
        return path

    def curve(self, rows: Sequence[dict[str, float]]) -> None:
        """Write the epochs so far."""
        self._table(CURVE, rows)

    def diagnostics(self, rows: Sequence[dict[str, float]]) -> None:
        """Write what was measured inside the network in the epochs so far."""
        self._table(DIAGNOSTICS, rows)

    def _table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / name, text.getvalue())

    def finish(
        self,
        done: Outcome,
        *,
        batch_size: int,
        data_digest: str,
        micro_batch: int | None = None,
        first_nonfinite: str | None = None,
    ) -> Record:
        """Write the record of a training that came to its end, or to a loss that is not finite: then with the layer."""
        if done.lesions:
            self._table(DAMAGES, done.lesions)
        return self._write(
            status="diverged" if done.diverged else "finished",
            cause="nan" if done.diverged else None,
            metrics={name: finite(value) for name, value in done.metrics.items()},
            epochs=done.epochs,
            steps=done.steps,
            seconds=done.seconds,
            images_per_second=done.steps * batch_size / done.seconds,
            device=done.device,
            data_digest=data_digest,
            **({} if micro_batch is None else {"micro_batch": micro_batch}),
            **({"first_nonfinite": first_nonfinite} if done.diverged and first_nonfinite else {}),
        )

    def fail(self, error: BaseException) -> Record:
        """Write the record of a training that ended in an exception, and the traceback beside it.

        Raises:
            OSError: `error` itself where a disk is full, which says nothing about the run.
        """
        if isinstance(error, OSError) and error.errno in FULL:
            raise error
        write_text(self.folder / TRACEBACK, "".join(traceback.format_exception(error)))
        cause = "oom" if out_of_memory(error) else f"error: {error}"
        return self._write(status="failed", cause=cause, metrics={}, **NOTHING)

    def give_up(self, cause: str) -> Record:
        """Write the record of a run that could not be trained to an end, without having been there."""
        return self._write(status="failed", cause=cause, metrics={}, **NOTHING)

    def _write(
        self, *, status: str, cause: str | None, metrics: dict[str, Any], device: str | None, **rest: Any
    ) -> Record:
        run = self.run
        record = {
            "schema": SCHEMA,
            "identity": run.identity,
            "cell": run.cell,
            "label": run.label,
            "folder": self.folder.name,
            "status": status,
            "axes": run.axes,
            "seed": run.seed,
            "metrics": metrics,
            **self.sizes,
            **rest,
            "cause": cause,
            "config": run.config,
            "code": run.code,
            "provenance": provenance(device=device, started=self.started, finished=_now()),
        }
        write_json(self.folder / RECORD, record)
        self.checkpoint.unlink(missing_ok=True)
        forget(self.folder)
        return record


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory ran out, in the words of torch on a GPU or on a CPU."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def known(folder: Path, run: Run) -> Record | None:
    """The record this run already has in its folder; None where there is none, or a damaged one.

    Raises:
        OtherSchema: there is one of another version of this package.
    """
    path = folder / RECORD
    try:
        record = read_record(path) if path.exists() else None
    except OtherSchema:
        raise
    except RecordError:
        return None
    return record if record and record["identity"] == run.identity else None


def objective(record: Record) -> float | None:
    """What a search minimises: the validation error in percent; None where there is none."""
    return record["metrics"].get("val_error")


@contextmanager
def unbegun_removed(folder: Path) -> Iterator[None]:
    """If the body ends without a run begun, remove the folder that was made for it, unless it holds anything else."""
    try:
        yield
    finally:
        if not any((folder / name).exists() for name in (CONFIG, RECORD, CURVE, CHECKPOINT, LEASE)):
            with suppress(OSError):
                _remove_what_hydra_made(folder)


def _remove_what_hydra_made(folder: Path) -> None:
    """Raises OSError where something is left: somebody else's, which stays."""
    for name in ("config", "hydra", "overrides"):
        (folder / ".hydra" / f"{name}.yaml").unlink(missing_ok=True)
    for log in folder.glob("*.log"):
        if not log.stat().st_size:
            log.unlink()
    for place in (folder / ".hydra", folder):
        if place.exists():
            place.rmdir()


def finite(value: float) -> float | None:
    """A number JSON can hold; null for what is not finite."""
    return value if math.isfinite(value) else None


def _warn(sentence: str) -> None:
    logging.getLogger(__name__).warning(sentence)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True)
