"""What a run leaves behind, and where: plain JSON files, written atomically, read with suspicion."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SCHEMA = 1
STATUSES = ("finished", "diverged", "failed")
REQUIRED = (
    "identity",
    "cell",
    "label",
    "folder",
    "status",
    "axes",
    "seed",
    "metrics",
    "params",
    "macs",
    "epochs",
    "cause",
)
STUDIES = ".studies"

Record = dict[str, Any]


class RecordError(ValueError):
    """A file that should hold a record or a plan and does not; says in one sentence which and why."""


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part: write, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write strict JSON atomically.

    Raises:
        ValueError: `data` holds NaN or an infinity, which JSON has no word for.
    """
    write_text(path, json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read one strict JSON object of this schema.

    Raises:
        RecordError: the file is unreadable, cut off, not an object, holds NaN, or is of another schema version.
    """

    def refuse(word: str) -> None:
        raise RecordError(f"{path}: holds {word}, which is not JSON")

    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}: damaged, not whole JSON ({error.msg} at character {error.pos})") from error
    if not isinstance(data, dict):
        raise RecordError(f"{path}: holds a {type(data).__name__}, not an object")
    if data.get("schema") != SCHEMA:
        found = data.get("schema", "no version")
        raise RecordError(f"{path}: written as schema {found}, this version reads schema {SCHEMA}; it is left as it is")
    return data


def read_record(path: Path) -> Record:
    """Read and check one `record.json`.

    Raises:
        RecordError: as `read_json`, or a required field is missing or of the wrong kind.
    """
    record = read_json(path)
    missing = [key for key in REQUIRED if key not in record]
    if missing:
        raise RecordError(f"{path}: has no {', '.join(missing)}")
    if record["status"] not in STATUSES:
        raise RecordError(f"{path}: status {record['status']!r} is none of {', '.join(STATUSES)}")
    if not isinstance(record["metrics"], dict) or not isinstance(record["axes"], dict):
        raise RecordError(f"{path}: metrics and axes must be objects")
    return record


def read_records(runs: Path) -> tuple[dict[str, Record], list[str]]:
    """All records under `runs` by identity, and a sentence for each file that is none.

    The same identity in two folders (runs merged from two machines) counts once, the finished one first.
    """
    records: dict[str, Record] = {}
    problems: list[str] = []
    for path in sorted(Path(runs).glob("*/record.json")):
        try:
            record = read_record(path)
        except RecordError as error:
            problems.append(str(error))
            continue
        record["folder"] = path.parent.name
        known = records.get(record["identity"])
        if known is None or (known["status"] == "failed" and record["status"] != "failed"):
            records[record["identity"]] = record
    return records, problems


def plan_path(runs: Path, name: str) -> Path:
    """Where the plan of the study `name` lies."""
    return Path(runs) / STUDIES / name / "plan.json"


def plans(runs: Path) -> list[str]:
    """Names of the studies that have a plan under `runs`."""
    return sorted(path.parent.name for path in (Path(runs) / STUDIES).glob("*/plan.json"))


def read_plan(runs: Path, name: str) -> dict[str, Any]:
    """The plan of the study `name`.

    Raises:
        RecordError: there is none, or it is damaged.
    """
    path = plan_path(runs, name)
    if not path.exists():
        raise RecordError(f"{runs} has no plan of a study {name!r}; there are: {', '.join(plans(runs)) or 'none'}")
    return read_json(path)
