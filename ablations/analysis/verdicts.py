"""Judge the claims of a study by its records.

Each claim expects an effect in a region (claim_schema.py). The effect is estimated from the records (claim_effects.py)
and tested against the region (claim_tests.py):

    supported      the tests show that the effect lies inside the region
    contradicted   the tests show that the effect lies outside the region
    inconclusive   neither

Over all claims of a study together, the error rate in each direction is at most 5%: Holm's correction of the p values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_effects import NotTestable, count_effects, estimate_effects, resolve_cells
from ablations.analysis.claim_schema import Claim, ClaimError, check_claims, read_claim
from ablations.analysis.claim_tests import Evidence
from ablations.analysis.next_command import more_seeds
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import ALPHA, Difference, Effect, holm

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NO_VERDICT = "supported", "contradicted", "inconclusive", "no verdict"


@dataclass(frozen=True)
class Verdict:
    """What the records say about one claim.

    Attributes:
        effect: the estimate; for an order, that of its weakest step.
        p: one-sided, of the outcome; of an inconclusive claim, of the likelier outcome; None for exact counts.
        adjusted: `p` with Holm's correction over the claims of the study.
        reason: why there is no verdict, or what a reader must know about the test.
        more_seeds: for an inconclusive claim, about how many more would decide it; None beyond MOST_SEEDS.
        command: trains these seeds.
        diverged: how many of the compared runs diverged; they are counted, not dropped.
        signed: True for a difference, False for the number of a single cell.
    """

    says: str
    source: str
    metric: str
    expect: str
    outcome: str  # supported | contradicted | inconclusive | no verdict
    effect: Effect | None = None
    p: float | None = None
    adjusted: float | None = None
    reason: str = ""
    more_seeds: int | None = None
    command: str = ""
    published: float | None = None
    diverged: int = 0
    unit: str = ""
    signed: bool = True

    @property
    def n(self) -> int:
        return self.effect.n if self.effect else 0


def judge(plan: Plan, records: Mapping[str, Record], *, runs: Path = Path("runs")) -> list[Verdict]:
    """Judge every claim of the plan's study, in their order.

    Args:
        runs: the folder with the runs' curves and diagnostics.

    Raises:
        ClaimError: as `check_claims`.
    """
    claims = check_claims(plan["study"])
    rows = result_rows(plan, records)
    estimates = [_estimate(claim, rows, runs) for claim in claims]
    verdicts = [
        _compare_counts(verdict, evidence) if claim.metric.is_count and evidence else verdict
        for claim, (verdict, evidence) in zip(claims, estimates, strict=True)
    ]
    tested = [i for i, claim in enumerate(claims) if not claim.metric.is_count]
    evidences = [estimates[i][1] for i in tested]
    # A claim without evidence will have a p value later: Holm's correction counts it now, with p = 1.
    p_inside = [evidence.p_inside if evidence else 1.0 for evidence in evidences]
    p_outside = [evidence.p_outside if evidence else 1.0 for evidence in evidences]
    adjusted = list(zip(holm(p_inside), holm(p_outside), strict=True))
    failed = any(row.failed for row in rows)
    for k, (i, evidence) in enumerate(zip(tested, evidences, strict=True)):
        if evidence:
            factors = (sum(p >= p_inside[k] for p in p_inside), sum(p >= p_outside[k] for p in p_outside))
            verdicts[i] = _decide(verdicts[i], evidence, adjusted[k], factors, plan, failed=failed)
    return verdicts


def names_single_cells(claim: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """Whether each cell that the claim names is exactly one of the rows."""
    cells = [selector for hypothesis in read_claim(claim).hypotheses for _, selector in hypothesis.cells]
    return all(len(select(selector, rows)) == 1 for selector in cells)


def check_answerable(plan: Plan) -> None:
    """Check, before training, that the plan's cells can answer the claims of its study.

    Raises:
        ClaimError: a claim names a cell or an epoch that will not exist, or compares a cell with itself.
    """
    rows, epochs = result_rows(plan, {}), {cell["cell"]: cell["epochs"] for cell in plan["cells"]}
    for claim in check_claims(plan["study"]):
        about = f"claim {claim.says[:40]!r}"
        try:
            cells, _ = resolve_cells(claim, rows)
        except NotTestable as why:
            raise ClaimError(f"{about}: {why}") from None
        for cell in cells:
            if (claim.metric.epoch or 0) > (epochs[cell] or math.inf):
                raise ClaimError(f"{about}: {claim.metric.text}, but its runs have {epochs[cell]} epochs")


def _estimate(claim: Claim, rows: Sequence[Row], runs: Path) -> tuple[Verdict, Evidence | None]:
    """A verdict without an outcome, and the effects; None instead of the effects where there are none yet."""
    signed = any(len(hypothesis.cells) > 1 for hypothesis in claim.hypotheses)
    unit = claim.metric.unit if signed or claim.metric.unit != " points" else "%"
    blank = Verdict(claim.says, claim.source, claim.metric.text, claim.expect, NO_VERDICT, published=claim.published)
    blank = replace(blank, unit=unit, signed=signed)
    try:
        cells, contrasts = resolve_cells(claim, rows)
        if claim.metric.is_count:
            return blank, Evidence(claim.hypotheses, count_effects(claim, cells, contrasts))
        effects, notes, diverged = estimate_effects(claim, cells, contrasts, runs)
    except NotTestable as why:
        return replace(blank, reason=str(why)), None
    verdict = replace(blank, diverged=diverged, reason=", ".join(filter(None, notes)))
    return verdict, Evidence(claim.hypotheses, effects)


def _compare_counts(verdict: Verdict, evidence: Evidence) -> Verdict:
    """The verdict of a claim about counts, which needs no test: a count lies inside the region or outside."""
    outcome = SUPPORTED if evidence.holds else CONTRADICTED
    return replace(verdict, outcome=outcome, effect=evidence.weakest, reason="exact count")


def _decide(
    verdict: Verdict,
    evidence: Evidence,
    adjusted: tuple[float, float],
    factors: tuple[int, int],
    plan: Plan,
    *,
    failed: bool,
) -> Verdict:
    """The outcome of a tested claim; for an inconclusive one also the seeds that would decide it.

    Args:
        adjusted: p of "supported" and of "contradicted", with Holm's correction.
        factors: what Holm's correction multiplies these two p values by.
        failed: whether runs of the study failed: the command then trains them too.
    """
    decided = min(adjusted) < ALPHA
    inside = adjusted[0] < ALPHA if decided else evidence.holds
    p, corrected, factor = (
        (evidence.p_inside, adjusted[0], factors[0]) if inside else (evidence.p_outside, adjusted[1], factors[1])
    )
    verdict = replace(verdict, effect=evidence.weakest, p=p, adjusted=corrected, outcome=INCONCLUSIVE)
    if decided:
        return replace(verdict, outcome=SUPPORTED if inside else CONTRADICTED)
    least = min(1.0, factor * evidence.least_p(inside=inside))
    if least >= ALPHA and not any(isinstance(effect, Difference) and effect.sd for effect in evidence.effects):
        never = f"{verdict.n} seeds allow no p below {least:.3g}"
        verdict = replace(verdict, reason=", ".join(filter(None, [verdict.reason, never])))
    needed = evidence.seeds_needed(ALPHA / factor, inside=inside)
    if needed is None:
        return verdict
    return replace(verdict, more_seeds=needed - verdict.n, command=more_seeds(plan, needed, retry=failed))
