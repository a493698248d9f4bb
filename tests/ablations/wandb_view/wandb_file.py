"""Log a small run; read .wandb files back (LevelDB framing around wandb.proto) to compare them with what was logged."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768
WHOLE, FIRST, LAST = 1, 2, 4


def log_one(tracker: Any, runs: Path, label: str = "residual-A-d20-s0") -> None:
    """Two epochs, of which the second has no train_loss to speak of, and a summary."""
    config = {"block": "residual", "depth": 20, "seed": 0}
    tags = ["residual", "digits"]
    with tracker.run(folder=runs, name=label, group="headline", config=config, tags=tags) as log:
        log.epochs([{"epoch": 1, "train_loss": 1.5, "val_error": 50.0}])
        log.epochs([{"epoch": 2, "train_loss": math.nan, "val_error": 25.125}])
        log.summary({"test_error": 24.5, "status": "finished"})


def transactions(path: Path) -> Iterator[Any]:
    """The protobuf records of a file; the torn tail of a killed run is left out."""
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    if data[:4] != b":W&B":
        raise ValueError(f"{path} is no .wandb file")
    at, whole = 7, b""
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        chunk = data[at + 7 : at + 7 + length]
        if len(chunk) < length:
            return
        at += 7 + length
        whole = chunk if kind in (WHOLE, FIRST) else whole + chunk
        if kind in (WHOLE, LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record


def read_wandb(path: Path) -> dict[str, Any]:
    """What a run logged: id, name, group, job_type, tags, project, config, summary, history, metrics, exit_code."""
    out: dict[str, Any] = {"config": {}, "summary": {}, "history": [], "metrics": {}}
    for record in transactions(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            out |= {"id": run.run_id, "name": run.display_name, "group": run.run_group, "job_type": run.job_type}
            out |= {"tags": list(run.tags), "project": run.project}
            out["config"] |= _items(run.config.update)
        elif kind == "config":
            out["config"] |= _items(record.config.update)
        elif kind == "summary":
            out["summary"] |= _items(record.summary.update)
        elif kind == "history":
            out["history"].append(_items(record.history.item))
        elif kind == "metric":
            out["metrics"][record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "exit":
            out["exit_code"] = record.exit.exit_code
    return out


def read_folder(runs: Path, *, patience: float = 10) -> list[dict[str, Any]]:
    """All runs under `runs`/wandb, the earliest first; `folder` says where each lies.

    `finish()` returns a moment before the file is whole, so this waits for the exit record of each.
    """
    end = time.monotonic() + patience
    while True:
        paths = sorted(runs.glob("wandb/*run-*/run-*.wandb"))
        found = [read_wandb(path) | {"folder": path.parent} for path in paths]
        if all("exit_code" in run for run in found) or time.monotonic() > end:
            return found
        time.sleep(0.05)


def _items(items: Any) -> dict[str, Any]:
    return {(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in items}
