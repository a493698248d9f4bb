"""Which records answer a plan although its code has moved on, and which are set aside to be trained again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablations.files import aside
from ablations.identity import Run, digest
from ablations.plan import Plan
from ablations.records import Record
from ablations.study import StudyError

STALE = ("retrain", "accept")
RETRY = ("failed", "diverged")


def check_choices(stale: str, retry: str | None) -> None:
    """Refuse words that mean nothing.

    Raises:
        StudyError: `stale` or `retry` is none of the allowed words.
    """
    if stale not in STALE:
        raise StudyError(f"stale={stale} is none of {', '.join(STALE)}")
    if retry is not None and retry not in RETRY:
        raise StudyError(f"retry={retry} is none of {', '.join(RETRY)}")


def stale_records(plan: Plan, records: Mapping[str, Record]) -> dict[str, Record]:
    """For runs without a record, by identity: the newest record of the same config and seed under other code."""
    known = {run.identity for cell in plan.cells for run in cell.runs.values()}
    others = [record for identity, record in records.items() if identity not in known]
    if not others:
        return {}
    missing = {run.identity: _question(run.config, run.seed) for _, run in plan.missing(dict(records))}
    asked: dict[str, Record] = {}
    for record in sorted(
        others if missing else [], key=lambda record: record.get("provenance", {}).get("finished") or ""
    ):
        if "config" in record:
            asked[_question(record["config"], record["seed"])] = record
    return {identity: asked[question] for identity, question in missing.items() if question in asked}


def changed_files(run: Run, record: Record) -> list[str]:
    """The source files in which the code behind `run` is not the code behind `record`."""
    before, now = record.get("code") or {}, run.code
    return sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file))


def stale_words(plan: Plan, stale: Mapping[str, Record], *, accepted: bool) -> str:
    """`6 records are stale: lightning_modules/networks/blocks.py changed; they are trained again (stale=accept …)`."""
    runs = {run.identity: run for cell in plan.cells for run in cell.runs.values()}
    files = sorted({file for identity, record in stale.items() for file in changed_files(runs[identity], record)})
    many = f"{len(stale)} record{' is' if len(stale) == 1 else 's are'} stale: {', '.join(files)} changed"
    return f"{many}; accepted as asked" if accepted else f"{many}; trained again unless stale=accept"


def accept(plan: Plan, stale: Mapping[str, Record]) -> None:
    """Let stale records answer their runs."""
    for cell in plan.cells:
        cell.accepted |= {run.identity: stale[run.identity] for run in cell.runs.values() if run.identity in stale}


def set_aside(plan: Plan, records: dict[str, Record], retry: str, runs: Path) -> list[str]:
    """Make room for another try: records of the plan with status `retry` are renamed, not deleted; their labels."""
    retried = []
    for cell in plan.cells:
        for run in cell.runs.values():
            record = records.get(run.identity)
            if record is None or record["status"] != retry:
                continue
            aside(runs / record["folder"] / "record.json", retry)
            del records[run.identity]
            retried.append(record["label"])
    return retried


def _question(config: Mapping[str, Any], seed: int) -> str:
    return digest({"config": config, "seed": seed})
