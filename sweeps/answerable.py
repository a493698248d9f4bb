"""Hold the claims of a study against the cells of its plan: what these cannot answer is refused or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablations.analysis.claim_checks import check_answerable, claimed_cells, names_single_cells, unmeasured
from ablations.analysis.claim_schema import ClaimError, check_claims
from ablations.analysis.results import ASKED_FOR, result_rows
from ablations.plan.plan import Cell, Plan
from ablations.question.seeds import SeedDesign
from ablations.records import task_metrics
from sweeps.compose.arguments import Arguments
from sweeps.question import Question


def settle_claims(plan: Plan, question: Question, typed: Arguments, settings: Mapping[str, Any]) -> None:
    """Check that the cells of a plan can answer the claims of its study; of another grid, leave out those they cannot.

    Cells that no claim names keep the seeds that such cells get.

    Args:
        settings: of all runs, as `stress`, where a cell has none of its own.

    Raises:
        ClaimError: a claim is malformed, or the study's own cells cannot answer it.
    """
    study, own = plan.study, plan.study.get("metrics") or {}
    declare_metrics(study, [cell.run.config for cell in plan.cells])
    if plan.cells:  # else what is wrong with them matters first
        check_claims(study)
    if {*typed.swept, *typed.chosen} - {"seed"}:
        leave_out_without_cells(plan, question.notes)
    elif not study.get("space") and not plan.invalid:
        check_answerable(plan.as_json())
    if plan.cells:
        measured = {cell.run.cell: {*own, *measured_in(cell, settings)} for cell in plan.cells}
        wrong = unmeasured(plan.as_json(), measured)
        if wrong and not {"data", "task"} & {*typed.swept, *typed.chosen}:
            raise ClaimError(next(iter(wrong.values())))
        if wrong:
            study["claims"] = [claim for k, claim in enumerate(study["claims"]) if k not in wrong]
        question.notes += [f"left out: {why}" for why in wrong.values()]
    if not question.seeds.fixed:
        leave_context(plan, question.seeds)


def declare_metrics(study: dict[str, Any], configs: list[dict[str, Any]]) -> None:
    """Write into a study the metrics of its cells' tasks, and what its cells are judged by, unless it is the error."""
    declared, judged = task_metrics.of_all(configs)
    if declared:
        study["metrics"] = {**declared, **(study.get("metrics") or {})}
    if configs and judged != task_metrics.ERROR:
        study["judged"] = judged and list(judged)


def leave_out_without_cells(plan: Plan, notes: list[str]) -> None:
    """Keep of a study's claims those whose cells are in the plan; name the others in a note."""
    study, rows = plan.study, result_rows(plan.as_json(), {})
    study["family"] = sum(not claim.metric.is_count for claim in check_claims(study))
    written = study.get("claims") or []
    study["claims"] = [claim for claim in written if names_single_cells(claim, rows, study)]
    if gone := [str(k) for k, claim in enumerate(written, start=1) if claim not in study["claims"]]:
        which = f"claim{'s' if len(gone) > 1 else ''} {', '.join(gone)}"
        notes.append(f"the study's {which} cannot be judged, since this grid lacks their cells: left out")


def asked_for(cell: Cell, settings: Mapping[str, Any]) -> set[str]:
    """The settings, such as `stress`, that have further numbers of a cell measured."""
    return {setting for setting in ASKED_FOR if cell.settings.get(setting, settings[setting])}


def measured_in(cell: Cell, settings: Mapping[str, Any]) -> list[str]:
    """The metrics that the records of a cell will have."""
    further = [name for setting in asked_for(cell, settings) for name in ASKED_FOR[setting]]
    return [*task_metrics.measured_names(cell.run.config), *further]


def leave_context(plan: Plan, seeds: SeedDesign) -> None:
    """Leave to cells that no claim names the seeds that such cells get."""
    claimed = {cell for cells in claimed_cells(plan.as_json()) for cell in cells}
    for cell in plan.cells:
        if cell.run.cell not in claimed:
            cell.runs, cell.further = dict(list(cell.runs.items())[: seeds.context]), {}
            cell.first = len(cell.runs)
