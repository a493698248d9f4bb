"""Write verdicts for programs, as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.claim_schema import check_claims
from ablations.analysis.verdicts import CONTRADICTED, SUPPORTED, Verdict

LEFT_OUT = ("effect", "evidence", "images", "command", "planned", "after_the_fact", "setting")  # unsaid by a table
ALL_SUPPORTED, OPEN, ANY_CONTRADICTED = 0, 3, 4


def exit_status(verdicts: Sequence[Verdict]) -> int:
    """0 if all are supported, 4 if one is contradicted, else 3."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if CONTRADICTED in outcomes:
        return ANY_CONTRADICTED
    return ALL_SUPPORTED if outcomes == {SUPPORTED} else OPEN


def as_json(study: Mapping[str, Any], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts with all their fields, and the exit status; docs/judging-other-results.md describes them."""
    found = [_verdict(verdict) for verdict in verdicts]
    for one, claim in zip(found, check_claims(study), strict=True):
        one["cells"] = list({repr(cell): dict(cell) for cell in claim.cells}.values())
    return {"schema": 1, "question": study.get("question"), "exit": exit_status(verdicts), "verdicts": found}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    effect = verdict.effect
    found = {
        "estimate": effect.mean if effect else None,
        "interval": effect.interval if effect else None,
        "bootstrap": effect.bootstrap if effect else None,
        "judged": effect.judged if effect else None,
        "n": verdict.n,
    }
    known = {field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)}
    return {key: json_value(value) for key, value in (known | found).items() if key not in LEFT_OUT}


def json_value(value: Any) -> Any:
    """A value as JSON has it; null for what is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    return value if isinstance(value, str | int | bool | None) else str(value)
