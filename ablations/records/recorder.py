"""Write the files of one run: the curve while it trains, the record when it ends."""

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
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablations.identity.run import Run
from ablations.records.confusion import by_class
from ablations.records.epochs import read_epochs
from ablations.records.files import SCHEMA, aside, write_bytes, write_json, write_text
from ablations.records.layout import CHECKPOINT, CONFIG, CURVE, DAMAGES, DIAGNOSTICS, MADE, RECORD, TRACEBACK, WEIGHTS
from ablations.records.predictions import write_predictions
from ablations.records.provenance import provenance
from ablations.records.record import Record
from ablations.records.run_folder import known
from ablations.records.sources import keep_sources
from ablations.records.task_metrics import judged_by
from ablations.records.worker_deaths import forget

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of a disk, a quota, or the size that a file may have


class Stopped(Exception):
    """Raised by a watcher of the curve, for example the pruner, to end a training; no record is written."""


class Paused(Stopped):
    """Raised where a training is to go on another time, from its checkpoint."""


class Recorder:
    """Writes the files of one run: call `begin`, `resume`, `curve` with new epochs, and `finish` or `fail`."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder = run, folder
        self.sizes: dict[str, Any] = {"params": None, "macs": None, "note": ""}
        self.data_digest: str | None = None
        self.measured: dict[str, float] = {}  # of the network, before and after its training
        self.continued: str | None = None  # the folder of the shorter run that it has gone on from
        self.started = _now()

    @property
    def checkpoint(self) -> Path:
        """The file with the state after an epoch, from which an unfinished run goes on."""
        return self.folder / CHECKPOINT

    def begin(self, *, params: int | None, macs: int | None, note: str, data_digest: str) -> None:
        """Make the folder, write `config.yaml`, and rename a record in it that is damaged, or of another run or images.

        Args:
            data_digest: of the images that will be trained on.
        """
        self.sizes, self.data_digest = {"params": params, "macs": macs, "note": str(note)}, data_digest
        path = self.folder / RECORD
        record = known(self.folder, self.run)
        if path.exists() and record is None:
            _warn(f"{path} is damaged or another run's: kept as {aside(path, 'damaged').name}, and the run trained")
        elif record and record.get("data_digest") not in (None, data_digest):
            _warn(f"{path} is of other images: kept as {aside(path, 'stale').name}, and the run trained again")
        logging.getLogger(__name__).info("training begins in process %d of %s", os.getpid(), socket.gethostname())
        for name in MADE:  # of a training before this, maybe without any
            (self.folder / name).unlink(missing_ok=True)
        write_text(self.folder / CONFIG, _yaml({**self.run.config, "seed": self.run.seed}))

    def resume(self, refusal: Callable[[Path, Mapping[str, str | None]], str | None]) -> Path:
        """Return where the checkpoint is, if there is one; one that cannot be gone on from is renamed first.

        Args:
            refusal: says what is wrong with a checkpoint, or that it is not of what `origin` says; None if it is fine.
        """
        path = self.checkpoint
        if path.exists() and (reason := refusal(path, self.origin)):
            _warn(f"{path} {reason}; it is kept as {aside(path, 'unused').name}, and the run begins anew")
        if not path.exists():
            (self.folder / CURVE).unlink(missing_ok=True)  # of epochs that will be trained again
        return path

    @property
    def origin(self) -> dict[str, str | None]:
        """Identity and data digest, kept in the checkpoint so that one of another run or other images is detected."""
        return {"identity": self.run.identity, "data_digest": self.data_digest}

    def curve(self, rows: Sequence[dict[str, float]]) -> None:
        """Write `curve.csv`, a row an epoch."""
        self._table(CURVE, rows)

    def diagnostics(self, rows: Sequence[dict[str, float]]) -> None:
        """Write `diagnostics.csv`, a row an epoch."""
        self._table(DIAGNOSTICS, rows)

    def _table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / name, text.getvalue())

    def finish(
        self,
        done: Any,
        *,
        batch_size: int,
        weights: bytes | None = None,
        micro_batch: int | None = None,
        first_nonfinite: str | None = None,
        class_names: Sequence[str] = (),
    ) -> Record:
        """Write the record of a training that ended by itself: finished, or diverged where the loss is not finite.

        Args:
            done: what `lightning_modules.training.fit.Outcome` has.
            weights: what `weights.safetensors` will hold; None for no such file.
            micro_batch: the parts a batch was taken in, where it was.
            first_nonfinite: the first tensor that was not finite, of a diverged run.
        """
        if done.lesions:
            self._table(DAMAGES, done.lesions)
        if done.predictions:
            write_predictions(self.folder, done.predictions)
        if weights is not None:
            write_bytes(self.folder / WEIGHTS, weights)
        return self._write(
            status="diverged" if done.diverged else "finished",
            cause="nan" if done.diverged else None,
            metrics={name: finite(value) for name, value in {**done.metrics, **self.measured}.items()},
            epochs=done.epochs,
            steps=done.steps,
            seconds=done.seconds,
            images_per_second=done.steps * batch_size / done.seconds,
            device=done.device,
            data_digest=self.data_digest,
            **({"classes": classes} if (classes := by_class(done.predictions, class_names)) else {}),
            **({} if micro_batch is None else {"micro_batch": micro_batch}),
            **({"first_nonfinite": first_nonfinite} if done.diverged and first_nonfinite else {}),
        )

    def fail(self, error: BaseException) -> Record:
        """Write the record of a training that ended in an exception, and the traceback beside it. The checkpoint stays.

        Raises:
            OSError: `error` itself where a disk is full, which says nothing about the run.
        """
        if disk_full(error):
            raise error
        write_text(self.folder / TRACEBACK, "".join(traceback.format_exception(error)))
        return self.give_up(cause_of(error))

    def give_up(self, cause: str) -> Record:
        """Write the record of a failed run: epochs and seconds as `curve.csv` has them, other numbers null."""
        epochs, seconds = self._trained()
        unknown = {"steps": None, "images_per_second": None, "device": None}
        return self._write(status="failed", cause=cause, metrics={}, epochs=epochs, seconds=seconds, **unknown)

    def _trained(self) -> tuple[int, float]:
        """Epochs and seconds in `curve.csv`; zeros where there is no such file or it is damaged."""
        try:
            last = read_epochs(self.folder / CURVE)[-1]
            return int(last["epoch"]), last["seconds"]
        except (OSError, ValueError, KeyError, IndexError):
            return 0, 0.0

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
            **({"continued": self.continued} if self.continued else {}),
            "cause": cause,
            "config": run.config,
            "code": run.code,
            **({"sources": sources} if (sources := keep_sources(run, self.folder.parent)) else {}),
            "provenance": provenance(device=device, started=self.started, finished=_now()),
        }
        write_json(self.folder / RECORD, record)
        if status != "failed":
            self.checkpoint.unlink(missing_ok=True)
        forget(self.folder)
        return record


def cause_of(error: BaseException) -> str:
    """Return the `cause` of a record whose run ended in an exception: `oom` or `error: …`."""
    return "oom" if out_of_memory(error) else f"error: {str(error) or type(error).__name__}"


def disk_full(error: BaseException) -> bool:
    """Tell whether an error says that a disk is full, which says nothing about the run that met it."""
    return isinstance(error, OSError) and error.errno in FULL


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says, in the words of torch, that the memory of a GPU or of the CPU ran out."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def objective(record: Record) -> float | None:
    """Return the validation metric that the task is judged by, of a classification the error in percent; or None."""
    return record["metrics"].get(judged_by(record.get("config") or {})[0])


def finite(value: float) -> float | None:
    """Return a number that JSON can hold; None for one that is not finite."""
    return value if math.isfinite(value) else None


def _warn(sentence: str) -> None:
    logging.getLogger(__name__).warning(sentence)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True)
