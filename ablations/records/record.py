"""Read records and plans from their files, and check them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablations.records.files import OtherSchema, RecordError, printable, read_json
from ablations.records.layout import RECORD

STATUSES = ("finished", "diverged", "failed")
STUDIES = ".studies"
NAME = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*")  # of a label or a folder: cannot leave its folder
STUDY = re.compile(rf"{NAME.pattern}(?:/{NAME.pattern})*")
STUDY_WORDS = "write letters, digits and . _ = + -, with a / between folders"
SLASH = "~"  # stands for the / of a study's name in the name of its folder; no name has one
SOME, NUMBER = (str, type(None)), (int, float, type(None))
REQUIRED: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("identity", "cell", "label", "folder", "status"), (str,)),
    **{"axes": (dict,), "seed": (int,), "metrics": (dict,), "cause": SOME},
    **dict.fromkeys(("params", "macs", "epochs"), NUMBER),
}
OPTIONAL: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("config", "code", "provenance"), (dict,)),
    **dict.fromkeys(("steps", "seconds", "images_per_second"), NUMBER),
    **dict.fromkeys(("note", "first_nonfinite"), SOME),
}
PLAN: dict[str, tuple[type, ...]] = {"name": (str,), "study": (dict,), "swept": (list,), "cells": (list,)}
INVALID: dict[str, tuple[type, ...]] = {"command": SOME, "invalid": (list,)}
STUDY_FIELDS: dict[str, tuple[type, ...]] = {
    "question": SOME,
    "grid": (list, dict, type(None)),
    **dict.fromkeys(("claims", "planned", "left_out", "judged"), (list, type(None))),
    "metrics": (dict, type(None)),
    "seeds": (list, dict, type(None)),
    **dict.fromkeys(("family", "follows", "level"), NUMBER),
    "looked": (bool, type(None)),
}
CELL: dict[str, tuple[type, ...]] = {"cell": (str,), "axes": (dict,), "points": (list,), "runs": (list,)}
PLANNED: dict[str, tuple[type, ...]] = {"identity": (str,), "label": (str,), "folder": (str,), "seed": (int,)}

Record = dict[str, Any]


def read_record(path: Path) -> Record:
    """Read and check one `record.json`.

    Raises:
        RecordError: as `read_json`; or a field is missing, of the wrong kind, or not what its own config makes.
    """
    record = read_json(path)
    missing = [key for key in REQUIRED if key not in record]
    if missing:
        raise RecordError(f"{path}: has no {', '.join(missing)}")
    _check(path, record, {**REQUIRED, **{key: kind for key, kind in OPTIONAL.items() if key in record}})
    if record["status"] not in STATUSES:
        raise RecordError(f"{path}: status {record['status']!r} is none of {', '.join(STATUSES)}")
    _check(path, record["metrics"], dict.fromkeys(record["metrics"], NUMBER))
    _check(path, record.get("provenance") or {}, {"versions": (dict, type(None))})
    _check_names(path, record)
    _check_identity(path, record)
    return record


def read_records(runs: Path) -> tuple[dict[str, Record], list[str]]:
    """Read all records under `runs`, by identity, and a sentence for each file that is none.

    The same identity in two folders (runs merged from two machines) counts once, the finished one first.
    """
    records: dict[str, Record] = {}
    problems: list[str] = []
    for path in record_paths(runs):
        try:
            os.stat(path)
            record = read_record(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, RecordError) as error:
            said = error if isinstance(error, RecordError) else f"{path.parent}: cannot be read ({error.strerror})"
            problems.append(printable(str(said)))
            continue
        record["folder"] = path.parent.name
        known = records.get(record["identity"])
        if known is None or (known["status"] == "failed" and record["status"] != "failed"):
            records[record["identity"]] = record
    return records, problems


def record_paths(runs: Path) -> list[Path]:
    """List the files that may be records: in every folder under `runs` whose name does not begin with a dot."""
    if not runs.is_dir():
        return []
    names = sorted(entry.name for entry in os.scandir(runs) if not entry.name.startswith("."))
    return [runs / name / RECORD for name in names]


def usable(path: Path) -> bool:
    """Tell whether the run of a folder needs no training: it has its own record there, or one of another schema."""
    try:
        return path.parent.name.endswith(read_record(path)["identity"][:8])
    except OtherSchema:
        return True
    except RecordError:
        return False


def study_folder(runs: Path, name: str) -> Path:
    """Return the folder of a study's plan, trials and report: `runs/.studies/cifar~degradation` of cifar/degradation.

    Raises:
        RecordError: the name could leave the folder.
    """
    if not STUDY.fullmatch(name):
        raise RecordError(f"{name!r} names no study: {STUDY_WORDS}")
    return Path(runs) / STUDIES / name.replace("/", SLASH)


def study_of(folder: Path) -> str:
    """Return the name of the study whose folder this is."""
    return folder.name.replace(SLASH, "/")


def plan_path(runs: Path, name: str) -> Path:
    """Return the path of the plan of the study `name`."""
    return study_folder(runs, name) / "plan.json"


def plans(runs: Path) -> list[str]:
    """List the studies that have a plan under `runs`."""
    return sorted(study_of(path.parent) for path in (Path(runs) / STUDIES).glob("*/plan.json"))


def read_plan(runs: Path, name: str) -> dict[str, Any]:
    """Read and check a study's plan; RecordError where there is none, or it is damaged or points outside `runs`."""
    path = plan_path(runs, name)
    if not path.exists():
        raise RecordError(f"{runs} has no plan of a study {name!r}; there are: {', '.join(plans(runs)) or 'none'}")
    plan = read_json(path)
    _check(path, plan, PLAN)
    _check(path, plan["study"], STUDY_FIELDS)
    _check(path, {"command": plan.get("command"), "invalid": plan.setdefault("invalid", [])}, INVALID)
    for cell in plan["cells"]:
        _check(path, cell, {**CELL, "cost": NUMBER, "epochs": NUMBER, "further": (list, type(None))})
        for run in (*cell["runs"], *cell.setdefault("further", [])):
            _check(path, run, PLANNED)
            _check_names(path, run)
    points = [point for cell in plan["cells"] for point in cell["points"]]
    points += [item.get("point") if isinstance(item, dict) else None for item in plan["invalid"]]
    grid = plan["study"].get("grid")
    if not all(isinstance(part, dict) for part in [*points, *(grid if isinstance(grid, list) else [])]):
        raise RecordError(f"{path}: a point of its grid is no object")
    if plan["name"] != name:
        raise RecordError(f"{path}: is the plan of {plan['name']!r}, not of {name!r}")
    return plan


def _check(path: Path, data: Any, kinds: Mapping[str, tuple[type, ...]]) -> None:
    """Refuse data that is no object or whose fields are of other kinds; a field that may be null may also lack."""
    if not isinstance(data, dict):
        raise RecordError(f"{path}: holds a {type(data).__name__} where an object should be")
    for key, kind in kinds.items():
        value = data.get(key)
        if not isinstance(value, kind) or (kind is NUMBER and isinstance(value, int) and abs(value) > 1e300):
            raise RecordError(f"{path}: {key} is {repr(value)[:40]}, not {' or '.join(one.__name__ for one in kind)}")


def _check_names(path: Path, data: Mapping[str, Any]) -> None:
    for key in ("label", "folder"):
        if not NAME.fullmatch(data[key]):
            raise RecordError(f"{path}: {key} {data[key]!r} is none that a run has, and could leave its folder")


def _check_identity(path: Path, record: Record) -> None:
    """Refuse a record whose identity is not that of the config, code and seed in it."""
    from ablations.identity.run import digest, identity_of

    if "config" not in record or "code" not in record:
        return
    cell = digest({"config": record["config"], "code": record["code"]})
    if record["cell"] != cell or record["identity"] != identity_of(cell, record["seed"]):
        raise RecordError(f"{path}: its identity is not that of the config, code and seed in it")
