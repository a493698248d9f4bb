"""Keep in a ledger when each claim and each list of seeds of a study was first planned, and what was known then.

A claim that was written after its numbers is marked. A list of seeds may be judged at the full level once: after
another design of the same study, or where a part of its numbers was known, looks are allowed for. Claims that were
judged and then taken out of a study still count in its family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.claim_effects import NotTestable, resolve_cells
from ablations.analysis.claim_schema import SHAPES, read_claim
from ablations.analysis.results import Plan, Record, result_rows
from ablations.identity.run import digest
from ablations.question.seeds import LEAST
from ablations.records.files import SCHEMA, RecordError, read_json, write_json

LEDGER = "ledger.json"


def register(plan: Plan, records: Mapping[str, Record], folder: Path, today: str) -> dict[str, Any]:
    """Enter the claims and the seeds of a plan into the ledger in the study's folder; return what it says of them.

    Args:
        today: as 2026-11-28.

    Returns:
        For the study: `planned`, for each claim its day and whether numbers were known; `looked`, whether its list of
        seeds was looked at before it was complete; `family`, how many tested claims it has, those taken out included.

    Raises:
        RecordError: the ledger is damaged.
    """
    path, study = folder / LEDGER, plan["study"]
    ledger = _read_ledger(path) if path.exists() else {"schema": SCHEMA, "claims": {}, "designs": []}
    before = repr(ledger)
    rows, seen = result_rows(plan, {}), _seeds_by_cell(records)
    keys, tested = [], 0
    for written in study.get("claims") or []:
        claim = read_claim(written, study.get("metrics"))
        tested += not claim.metric.is_count
        try:
            cells = list(resolve_cells(claim, rows)[0])
        except NotTestable:
            cells = []
        known = 0 if claim.metric.is_count else _known(cells, seen)
        keys.append(digest({key: written[key] for key in ("metric", "expect", *SHAPES) if key in written})[:16])
        entry = ledger["claims"].setdefault(keys[-1], {"says": claim.says, "day": today, "known": known})
        entry["cells"] = cells
    taken_out = [one for key, one in ledger["claims"].items() if key not in keys]
    judged = sum(_known(one["cells"], seen) >= LEAST for one in taken_out)
    design = next((one for one in ledger["designs"] if one["seeds"] == study["seeds"]), None)
    if design is None:
        part = any(0 < ledger["claims"][key]["known"] < _planned(plan) for key in keys)
        design = {"seeds": study["seeds"], "day": today, "looked": part or bool(ledger["designs"])}
        ledger["designs"].append(design)
    if repr(ledger) != before:
        write_json(path, ledger)
    dates = [{"day": ledger["claims"][key]["day"], "known": ledger["claims"][key]["known"]} for key in keys]
    family = max(tested, int(study.get("family") or 0)) + judged
    return {"planned": dates, "looked": bool(design["looked"]), "family": family}


def _read_ledger(path: Path) -> dict[str, Any]:
    ledger = read_json(path)
    claims, designs = ledger.get("claims"), ledger.get("designs")
    damaged = RecordError(f"{path}: damaged, its claims or designs lack what belongs to them")
    if not isinstance(claims, dict) or not isinstance(designs, list):
        raise damaged
    whole = all(_has(one, day=str, known=int, cells=list) for one in claims.values())
    whole = whole and all(isinstance(cell, str) for one in claims.values() for cell in one["cells"])
    if not whole or not all(_has(one, seeds=(list, dict), looked=bool) for one in designs):
        raise damaged
    return ledger


def _has(entry: Any, **kinds: type | tuple[type, ...]) -> bool:
    """Whether an entry has these fields, of these kinds."""
    return isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())


def _seeds_by_cell(records: Mapping[str, Record]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for record in records.values():
        if record["status"] != "failed":
            found.setdefault(record["cell"], set()).add(record["seed"])
    return found


def _known(cells: Sequence[str], seen: Mapping[str, set[int]]) -> int:
    """How many seeds have a record in all of these cells."""
    return len(set.intersection(*(seen.get(cell, set()) for cell in cells))) if cells else 0


def _planned(plan: Plan) -> int:
    return max((len(cell["runs"]) for cell in plan["cells"]), default=0)
