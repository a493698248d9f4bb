"""Writes what a run leaves behind: the curve while it trains, the record at the end."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablations.identity import Run
from ablations.lease import NAME as LEASE
from ablations.provenance import provenance
from ablations.records import SCHEMA, Record, read_record, write_json, write_text

RECORD, CURVE, CHECKPOINT, TRACEBACK = "record.json", "curve.csv", "last.ckpt", "traceback.txt"


class Recorder:
    """The recording side of one run.

    Args:
        run: what is trained.
        folder: the run's folder; made if need be.
    """

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.folder = run, folder
        self.started = _now()
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", _yaml({**run.config, "seed": run.seed}))

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last finished epoch is kept while the run is unfinished."""
        return self.folder / CHECKPOINT

    def curve(self, rows: Sequence[dict[str, float]]) -> None:
        """Write the epochs so far."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / CURVE, text.getvalue())

    def finish(
        self, *, status: str, cause: str | None, metrics: dict[str, float], device: str | None, **fields: Any
    ) -> Record:
        """Write the record; the checkpoint has done its duty.

        Args:
            device: what it was trained on, in words.
            fields: the record's further fields, as design and schema have them: `params`, `macs`, `seconds`, …
        """
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
            "metrics": {name: finite(value) for name, value in metrics.items()},
            **fields,
            "cause": cause,
            "config": run.config,
            "code": run.code,
            "provenance": provenance(device=device, started=self.started, finished=_now()),
        }
        write_json(self.folder / RECORD, record)
        self.checkpoint.unlink(missing_ok=True)
        return record

    def fail(self, error: BaseException, *, cause: str, **fields: Any) -> Record:
        """Write the record of a run that ended in an exception, and the traceback beside it."""
        write_text(self.folder / TRACEBACK, "".join(traceback.format_exception(error)))
        return self.finish(status="failed", cause=cause, metrics={}, **fields)


def known(folder: Path, run: Run) -> Record | None:
    """The record this run already has in its folder, if any."""
    path = folder / RECORD
    record = read_record(path) if path.exists() else None
    return record if record and record["identity"] == run.identity else None


def objective(record: Record) -> float | None:
    """What a search minimises: the validation error in percent; None where there is none."""
    return record["metrics"].get("val_error")


@contextmanager
def unbegun_removed(folder: Path) -> Iterator[None]:
    """If the body raises before the run began, remove the folder that was made for it."""
    try:
        yield
    except Exception:
        if not any((folder / name).exists() for name in ("config.yaml", RECORD, CURVE, CHECKPOINT, LEASE)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def finite(value: float) -> float | None:
    """A number JSON can hold; null for what is not finite."""
    return value if math.isfinite(value) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True)
