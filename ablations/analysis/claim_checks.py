"""Check the claims of a study against its cells, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_effects import NotTestable, resolve_cells
from ablations.analysis.claim_schema import ClaimError, check_claims, read_claim
from ablations.analysis.results import Plan, Row, result_rows


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
