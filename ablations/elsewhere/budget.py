"""Share one error rate among all questions of a loop, however many there will be: a ledger of questions in a file.

The k-th different question is judged at the level

    LEVEL · γ(k),   γ(k) = 1 / (NORM · (k + 1) · ln²(k + 1)),   Σ γ(k) = 1 over all k ≥ 1

so that, by the union bound, the chance that any question of the whole loop is answered wrongly in one direction is at
most LEVEL (alpha spending; Foster & Stine 2008, Tian & Ramdas 2021). The union bound needs no independence, and the
level of a question depends on nothing but its number: neither on earlier verdicts nor on when it is asked again. This
γ falls about as slowly as a sum that converges can: question 500 gets six times what 1/(k(k+1)) would leave it, and the
first question 49% instead of 50%.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_schema import check_claims
from ablations.analysis.preregistration import ESSENCE
from ablations.analysis.results import result_rows
from ablations.analysis.statistics import ALPHA
from ablations.records.files import RecordError, read_json, write_json

NORM = 2.10975  # Σ 1 / (m ln² m) over m ≥ 2 is 2.109742…
PATIENCE = 30.0  # seconds to wait for another process that has the ledger


@dataclass(frozen=True)
class Share:
    """The number of a question in its ledger, and the level at which it is judged."""

    number: int
    level: float
    again: bool  # whether it was asked before


def level_of(number: int) -> float:
    """The level of the question with this number, from 1."""
    return ALPHA / (NORM * (number + 1) * math.log(number + 1) ** 2)


def share_of(plan: Mapping[str, Any], records: Mapping[str, Any], ledger: Path) -> Share:
    """Look up a question in the ledger, or enter it; several processes may do so at once.

    A question is the same if its claims are (cells, metrics, what is expected, seeds) and every run that it was judged
    by before is still there with the same numbers. Other runs make it a new question, even in the same words.

    Raises:
        RecordError: the file is no ledger.
        OSError: it cannot be written, or another process keeps it.
    """
    from filelock import FileLock, Timeout

    asked, runs = _digest(_essence(plan["study"])), _runs(plan, records)
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(ledger.with_name(f".{ledger.name}.lock"), timeout=PATIENCE):
            questions = _read(ledger)
            same = [one for one in questions if one["claims"] == asked and {*one["runs"]} <= {*runs}]
            entry = same[0] if same else {"number": len(questions) + 1, "claims": asked, "runs": []}
            if not same:
                says = [str(claim["says"]) for claim in plan["study"]["claims"]]
                entry |= {"says": says, "level": level_of(entry["number"])}
                entry |= {"asked": datetime.now(UTC).isoformat(timespec="seconds")}
                questions.append(entry)
            if not same or len(runs) > len(entry["runs"]):
                entry["runs"] = runs
                write_json(ledger, {"schema": 1, "level": ALPHA, "questions": questions})
    except Timeout:
        raise OSError(f"{ledger}: another process has kept it for {PATIENCE:.0f} seconds") from None
    return Share(entry["number"], level_of(entry["number"]), bool(same))


def _read(ledger: Path) -> list[dict[str, Any]]:
    if not ledger.exists():
        return []
    questions = read_json(ledger).get("questions")
    entries: list[Any] = questions if isinstance(questions, list) else [None]
    for number, one in enumerate(entries, start=1):
        whole = isinstance(one, dict) and isinstance(one.get("runs"), list) and isinstance(one.get("claims"), str)
        if not whole or one.get("number") != number:
            raise RecordError(f"{ledger}: is no error budget; --budget takes a file that judge wrote, or a new name")
    return entries


def _essence(study: Mapping[str, Any]) -> Any:
    """What makes a question: not its words."""
    claims = [{key: claim[key] for key in ESSENCE if key in claim} for claim in study["claims"]]
    return {"claims": claims, "metrics": study.get("metrics"), "seeds": study["seeds"]}


def _runs(plan: Mapping[str, Any], records: Mapping[str, Any]) -> list[str]:
    """A digest of each run in the cells that the claims name, except failed ones: these have no number yet."""
    rows, found = result_rows(plan, records), {}
    for claim in check_claims(plan["study"]):
        for cell in claim.cells:
            found |= {row.cell: row for row in select(cell, rows)}
    runs: Sequence[Mapping[str, Any]] = [run for row in found.values() for run in row.runs]
    return sorted(_digest([run["identity"], run["status"], run["metrics"]]) for run in runs)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
