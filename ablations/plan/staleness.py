"""Find the records of a plan that are stale, of other code or other data; say so, accept them, or set them aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ablations.identity.code_hash import fingerprint, is_found, targets
from ablations.identity.run import Run, digest
from ablations.plan.plan import Plan
from ablations.records.files import aside
from ablations.records.layout import RECORD
from ablations.records.record import Record

STALE = ("retrain", "accept")
RETRY = ("failed", "diverged")
NAMED = 3  # changed files that a sentence names


def stale_records(plan: Plan, records: Mapping[str, Record]) -> dict[str, Record]:
    """Find, for runs without a record, the newest record of the same config and seed under other code, by identity."""
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


def outdated(records: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Find the records that other code than today's has made: identity → the source files that changed.

    A record is left out where nobody can tell: it names no code, or code that is not found from here or cannot be read.
    """
    found: dict[str, list[str]] = {}
    for record in records:
        before, names = record.get("code"), targets(record.get("config"))
        if before is None or not names:
            continue
        try:
            now = fingerprint(names) if all(map(is_found, names)) else before
        except (ValueError, ImportError, SyntaxError, OSError):
            continue
        if now != before:
            found[record["identity"]] = differing(before, now)
    return found


def on_other_data(
    plan: Plan, records: Mapping[str, Record], digest_of: Callable[[dict[str, Any]], str | None]
) -> dict[str, Record]:
    """Find the plan's records, by identity, whose data has changed since.

    Args:
        digest_of: takes the `source` node of a run's data, returns the digest of its data now, or None if unknown.
    """
    runs = [run for cell in plan.cells for run in cell.runs.values() if run.identity in records]
    changed = [run.identity for run in runs if made_of_other_data(run, records[run.identity], digest_of)]
    return {identity: records[identity] for identity in changed}


def made_of_other_data(run: Run, record: Record, digest_of: Callable[[dict[str, Any]], str | None]) -> bool:
    """Whether the data has changed since the record was written."""
    was, source = record.get("data_digest"), (run.config.get("data") or {}).get("source")
    return bool(was and source and (now := digest_of(source)) is not None and now != was)


def data_words(changed: Mapping[str, Record], *, accepted: bool) -> str:
    """`6 records are stale: the images of digits changed; trained again unless stale=accept`."""
    names = sorted({str(record["axes"].get("data", "the data")) for record in changed.values()})
    return _sentence(len(changed), f"the images of {', '.join(names)}", accepted=accepted)


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """List the source files whose digests differ."""
    return sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file))


def stale_words(plan: Plan, stale: Mapping[str, Record], *, accepted: bool) -> str:
    """`6 records are stale: lightning_modules/networks/blocks.py changed; trained again unless stale=accept`."""
    runs = {run.identity: run for cell in plan.cells for run in cell.runs.values()}
    pairs = [(record.get("code") or {}, runs[identity].code) for identity, record in stale.items()]
    files = {file for before, now in pairs for file in differing(before, now)}
    return _sentence(len(stale), file_words(files), accepted=accepted)


def file_words(files: Iterable[str]) -> str:
    """`a.py, b.py, c.py and 4 more files`."""
    names = sorted(set(files))
    more = f" and {len(names) - NAMED} more files" if len(names) > NAMED + 1 else ""
    return ", ".join(names[:NAMED] if more else names) + more


def _sentence(count: int, what: str, *, accepted: bool) -> str:
    many = f"{count} record{' is' if count == 1 else 's are'} stale: {what} changed"
    return f"{many}; accepted as asked" if accepted else f"{many}; trained again unless stale=accept"


def accept(plan: Plan, stale: Mapping[str, Record]) -> None:
    """Use stale records for their runs."""
    for cell in plan.cells:
        cell.accepted |= {run.identity: stale[run.identity] for run in cell.runs.values() if run.identity in stale}


def set_aside_for_retry(plan: Plan, records: dict[str, Record], retry: str, runs: Path) -> list[str]:
    """Rename the plan's records with status `retry`, so that their runs are trained again; return their labels."""
    known = [records.get(run.identity) for cell in plan.cells for run in cell.runs.values()]
    retried = {record["identity"]: record for record in known if record is not None and record["status"] == retry}
    set_aside(retried, records, retry, runs)
    return [record["label"] for record in retried.values()]


def set_aside(some: Mapping[str, Record], records: dict[str, Record], why: str, runs: Path) -> None:
    """Rename the files of some records, so that their runs are trained again, and forget them."""
    for identity, record in some.items():
        aside(runs / record["folder"] / RECORD, why)
        del records[identity]


def _question(config: Mapping[str, Any], seed: int) -> str:
    return digest({"config": config, "seed": seed})
