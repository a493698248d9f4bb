"""Judge the claims of a study by its records.

For each claim: find the cells it names, pair their runs by seed, estimate the effect, and test it against the region
where the claim expects it (claim_schema.py has the regions, claim_tests.py the tests).

    supported      the tests show that the effect lies inside the region
    contradicted   the tests show that the effect lies outside the region
    inconclusive   neither

Over all claims of a study together, the error rate in each direction is at most 5%: Holm's correction of the p values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select, selection_error
from ablations.analysis.claim_schema import Claim, ClaimError, check_claims, read_claim
from ablations.analysis.claim_tests import Evidence
from ablations.analysis.next_command import more_seeds
from ablations.analysis.nonparametric import ExactCount, PairedProportions, Proportion, SignedRank
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import ALPHA, Difference, Effect, difference_of, holm

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NO_VERDICT = "supported", "contradicted", "inconclusive", "no verdict"

Coefficients = Mapping[str, int]  # cell → +1, −1, or a multiple where a contrast names the cell more than once


class NotTestable(Exception):
    """The records cannot answer a claim yet; the message says why."""


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
            cells, _ = _resolve(claim, rows)
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
        cells, contrasts = _resolve(claim, rows)
        if claim.metric.is_count:
            return blank, Evidence(claim.hypotheses, _count_effects(claim, cells, contrasts))
        effects, notes, diverged = _effects(claim, cells, contrasts, runs)
    except NotTestable as why:
        return replace(blank, reason=str(why)), None
    verdict = replace(blank, diverged=diverged, reason=", ".join(filter(None, notes)))
    return verdict, Evidence(claim.hypotheses, effects)


def _resolve(claim: Claim, rows: Sequence[Row]) -> tuple[dict[str, Row], list[Coefficients]]:
    """The rows that a claim compares, and for each of its hypotheses the coefficient of each cell.

    Raises:
        NotTestable: a selector matches no cell or several, or all coefficients of a contrast are zero.
    """
    cells: dict[str, Row] = {}
    contrasts: list[Coefficients] = []
    for hypothesis in claim.hypotheses:
        coefficients: Counter[str] = Counter()
        for sign, selector in hypothesis.cells:
            found = select(selector, rows)
            if len(found) != 1:
                raise NotTestable(selection_error(selector, found, rows))
            cells[found[0].cell] = found[0]
            coefficients[found[0].cell] += sign
        contrasts.append({cell: factor for cell, factor in coefficients.items() if factor})
        if not contrasts[-1]:
            raise NotTestable("plus and minus are the same cell: the axis that differs is not active in it")
    return cells, contrasts


def _count_effects(claim: Claim, cells: Mapping[str, Row], contrasts: Sequence[Coefficients]) -> tuple[ExactCount, ...]:
    counts = {cell: getattr(row, claim.metric.name) for cell, row in cells.items()}
    if None in counts.values():
        raise NotTestable(f"{claim.metric.text} has not been counted in every cell")
    sums = [sum(factor * counts[cell] for cell, factor in coefficients.items()) for coefficients in contrasts]
    return tuple(ExactCount((float(value),)) for value in sums)


def _effects(
    claim: Claim, cells: Mapping[str, Row], contrasts: Sequence[Coefficients], runs: Path
) -> tuple[tuple[Effect, ...], list[str], int]:
    """The effects over the seeds that all cells have, notes for the reader, and how many of the runs diverged.

    Raises:
        NotTestable: fewer than two common seeds, or a run in which the metric was not measured.
    """
    values = {cell: {run["seed"]: claim.metric.value(run, runs) for run in row.runs} for cell, row in cells.items()}
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in values.values())))
    planned = max(row.planned for row in cells.values())
    if len(seeds) < 2:
        raise NotTestable(f"needs at least 2 seeds, has {len(seeds)} of {planned}")
    for row in cells.values():
        for run in row.runs:
            if run["seed"] in seeds and values[row.cell][run["seed"]] is None:
                raise NotTestable(f"{claim.metric.text} was not measured in {run['label']} ({run['status']})")
    effects = tuple(_effect(claim, coefficients, values, seeds) for coefficients in contrasts)
    diverged = sum(run["status"] == "diverged" and run["seed"] in seeds for row in cells.values() for run in row.runs)
    notes = [f"{len(seeds)} of {planned} seeds" if len(seeds) < planned else ""]
    notes += [f"{diverged} diverged" if diverged and not claim.metric.is_fraction else ""]
    notes += ["some are infinite: signed ranks, median" if any(isinstance(e, SignedRank) for e in effects) else ""]
    flat = any(isinstance(effect, Difference) and effect.sd == 0 for effect in effects)
    return effects, [*notes, "every seed gives the same number: sign test" if flat else ""], diverged


def _effect(
    claim: Claim, coefficients: Coefficients, known: Mapping[str, Mapping[int, Any]], seeds: Sequence[int]
) -> Effect:
    """One number a seed, with the test that suits it; infinity minus infinity is nan, a tie for SignedRank."""
    values = tuple(float(sum(factor * known[cell][seed] for cell, factor in coefficients.items())) for seed in seeds)
    single = len(coefficients) == 1
    if claim.metric.is_fraction:
        return Proportion(values) if single else PairedProportions(values)
    if not all(map(math.isfinite, values)):
        return SignedRank(values, single=single)
    return difference_of(values, scale=max(abs(known[cell][seed]) for cell in coefficients for seed in seeds))


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
