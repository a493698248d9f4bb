"""Keep in a ledger when each claim and each list of seeds of a study was first planned, and what was known then.

A claim that was written after some of its numbers is marked. A list of seeds may be judged at the full level once:
where numbers were known, looks are allowed for, and a list that leaves known seeds out is not judged at all. A design
that follows on another whose numbers were known has a tenth of the error rate. Claims that were judged and then taken
out of a study still count in its family.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ablations.analysis.claim_effects import NotTestable, resolve_cells
from ablations.analysis.claim_schema import SHAPES, read_claim
from ablations.analysis.results import Plan, Record, result_rows
from ablations.identity.run import digest
from ablations.question.search_space import read_search
from ablations.question.seeds import LEAST
from ablations.records.files import SCHEMA, RecordError, read_json, write_json

LEDGER = "ledger.json"
ESSENCE = ("metric", "expect", "published", "reference", *SHAPES)  # what makes a claim another claim
DESIGN = {"seeds": (list, dict), "looked": bool, "known": int, "follows": int, "left_out": list}


def register(plan: Plan, records: Mapping[str, Record], folder: Path, today: str) -> dict[str, Any]:
    """Enter the claims and the seeds of a plan into the ledger in the study's folder; return what it says of them.

    Returns:
        For the study: `planned`, for each claim its day and how many seeds of one of its cells were known; `looked`,
        whether its list of seeds was looked at before it was complete; `left_out`, the seeds that were known when it
        was planned and that it does not have; `follows`, how many designs came before it whose numbers were known;
        `family`, how many tested claims it has, those taken out included.

    Raises:
        RecordError: the ledger is damaged.
    """
    path = folder / LEDGER
    before = _read_ledger(path)
    ledger = deepcopy(before)
    found = _enter(ledger, plan, records, today)
    if ledger != before:
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{LEDGER}.lock"):  # another terminal may enter something now
            ledger = _read_ledger(path)
            found = _enter(ledger, plan, records, today)
            write_json(path, ledger)
    return found


def _enter(ledger: dict[str, Any], plan: Plan, records: Mapping[str, Record], today: str) -> dict[str, Any]:
    """Enter what is new; return what `register` does."""
    study = plan["study"]
    tuned_by = read_search(study).seeds if study.get("space") else ()  # they chose the cells, which fresh seeds judge
    rows, seen = result_rows(plan, {}), _seeds_by_cell(records, without=tuned_by)
    keys, tested = [], 0
    common: set[int] = set()  # seeds that all cells of some claim have already
    for written in study.get("claims") or []:
        claim = read_claim(written, study.get("metrics"))
        tested += not claim.metric.is_count
        try:
            cells = list(resolve_cells(claim, rows)[0])
        except NotTestable:
            cells = []
        known = 0 if claim.metric.is_count else max((len(seen.get(cell, ())) for cell in cells), default=0)
        common |= set() if claim.metric.is_count else _common(cells, seen)
        keys.append(digest([{key: written[key] for key in ESSENCE if key in written}, study.get("metrics")])[:16])
        entry = ledger["claims"].setdefault(keys[-1], {"says": claim.says, "day": today, "known": known})
        entry["cells"] = cells
    taken_out = [one for key, one in ledger["claims"].items() if key not in keys]
    judged = sum(len(_common(one["cells"], seen)) >= LEAST for one in taken_out)
    seeds = study["seeds"]
    seeds = seeds if isinstance(seeds, list) else {key: seeds[key] for key in ("from", "most")}
    design = next((one for one in ledger["designs"] if one["seeds"] == seeds), None)
    if design is None:
        follows = sum(bool(one["known"]) for one in ledger["designs"][1:]) + bool(ledger["designs"] and common)
        left_out = sorted(common - set(seeds)) if isinstance(seeds, list) else []
        looked = bool(common) or bool(ledger["designs"])
        design = {"seeds": seeds, "day": today, "looked": looked, "known": len(common), "follows": follows}
        design["left_out"] = left_out
        ledger["designs"].append(design)
    dates = [{"day": ledger["claims"][key]["day"], "known": ledger["claims"][key]["known"]} for key in keys]
    family = max(tested, int(study.get("family") or 0)) + judged
    return {"planned": dates, "family": family} | {key: design[key] for key in ("looked", "left_out", "follows")}


def _read_ledger(path: Path) -> dict[str, Any]:
    """Read a ledger; where there is none yet, an empty one."""
    if not path.exists():
        return {"schema": SCHEMA, "claims": {}, "designs": []}
    ledger = read_json(path)
    claims, designs = ledger.get("claims"), ledger.get("designs")
    damaged = RecordError(f"{path}: damaged, its claims or designs lack what belongs to them")
    if not isinstance(claims, dict) or not isinstance(designs, list):
        raise damaged
    whole = all(_has(one, day=str, known=int, cells=list) for one in claims.values())
    whole = whole and all(isinstance(cell, str) for one in claims.values() for cell in one["cells"])
    if not whole or not all(_has(one, **DESIGN) for one in designs):
        raise damaged
    return ledger


def _has(entry: Any, **kinds: type | tuple[type, ...]) -> bool:
    """Whether an entry has these fields, of these kinds."""
    return isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())


def _seeds_by_cell(records: Mapping[str, Record], without: Collection[int]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for record in records.values():
        if record["status"] != "failed" and record["seed"] not in without:
            found.setdefault(record["cell"], set()).add(record["seed"])
    return found


def _common(cells: Sequence[str], seen: Mapping[str, set[int]]) -> set[int]:
    """The seeds that have a record in all of these cells."""
    return set.intersection(*(seen.get(cell, set()) for cell in cells)) if cells else set()
