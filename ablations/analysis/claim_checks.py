"""Check the claims of a study against its cells, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_effects import NotTestable, resolve_cells
from ablations.analysis.claim_schema import Claim, ClaimError, check_claims, read_claim
from ablations.analysis.metrics import COUNTS, DIVERGED, TIMES
from ablations.analysis.results import ASKED_FOR, LESIONS, Plan, Row, result_rows
from ablations.question.did_you_mean import instead

ALWAYS = (*COUNTS, *TIMES, DIVERGED)
ONLY_WITH = {name: f"{setting}=true" for setting, names in ASKED_FOR.items() for name in names}
ONLY_WITH |= dict.fromkeys(LESIONS, "recipe.lesions=true")


def names_single_cells(claim: Mapping[str, Any], rows: Sequence[Row], study: Mapping[str, Any]) -> bool:
    """Whether each cell that the claim names is exactly one of the rows."""
    return all(len(select(cell, rows)) == 1 for cell in read_claim(claim, study.get("metrics")).cells)


def claimed_cells(plan: Plan) -> list[tuple[str, ...]]:
    """For each tested claim, the hashes of the cells that it names; none for one whose cells are not there."""
    rows, found = result_rows(plan, {}), []
    for claim in check_claims(plan["study"]):
        if not claim.metric.is_count:
            try:
                found.append(tuple(resolve_cells(claim, rows)[0]))
            except NotTestable:
                found.append(())
    return found


def unmeasured(plan: Plan, measured: Mapping[str, Collection[str]]) -> dict[int, str]:
    """For the claims of a plan, by their place, whose metric a cell that they name never has: what is wrong.

    Args:
        measured: cell → the metrics that its records will have; counts, times and diagnostics need not be among them.
    """
    rows = result_rows(plan, {})
    found = {k: (claim, _unmeasured(claim, rows, measured)) for k, claim in enumerate(check_claims(plan["study"]))}
    return {k: f"claim {claim.says!r}: {why}" for k, (claim, why) in found.items() if why}


def _unmeasured(claim: Claim, rows: Sequence[Row], measured: Mapping[str, Collection[str]]) -> str:
    """Say which cell that a claim names never has its metric, and what it has; empty where all have it."""
    metric, name = claim.metric, claim.metric.name
    if metric.diagnostic or name in ALWAYS:
        return ""
    for selector in claim.cells:
        for row in select(selector, rows):
            if name not in (there := measured[row.cell]):
                where = f"{name} is not measured in {' '.join(f'{axis}={value}' for axis, value in selector.items())}"
                if name in ONLY_WITH:
                    return f"{where}: set {ONLY_WITH[name]}"
                part = name.partition("_")[0]
                near = sorted(sorted(there), key=lambda other: other.partition("_")[0] != part)
                return f"{where}{instead(name, near, 'measured are')}"
    return ""


def check_answerable(plan: Plan) -> None:
    """Check, before training, that the plan's cells can answer the claims of its study.

    Raises:
        ClaimError: a claim names a cell or an epoch that will not exist, or compares a cell with itself.
    """
    rows, epochs = result_rows(plan, {}), {cell["cell"]: cell["epochs"] for cell in plan["cells"]}
    for claim in check_claims(plan["study"]):
        about = f"claim {claim.says!r}"
        try:
            cells, _ = resolve_cells(claim, rows)
        except NotTestable as why:
            raise ClaimError(f"{about}: {why}") from None
        for cell in cells:
            if (claim.metric.epoch or 0) > (epochs[cell] or math.inf):
                raise ClaimError(f"{about}: {claim.metric.text}, but its runs have {epochs[cell]} epochs")
