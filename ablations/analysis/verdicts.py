"""Judge the claims of a study: find the cells, pair their runs by seed, and say what the contrast allows to say.

A claim expects a contrast of cells to lie in a region (claim_form.py). It is supported when the contrast is shown to
lie inside, by a one-sided test against each finite end of the region (two of them for an equivalence; one for each step
of an order, all of which must hold); contradicted when it is shown to lie outside; and inconclusive otherwise. Either
error is kept under 5% for all claims of the study together, by Holm's correction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import not_one, select
from ablations.analysis.claim_schema import Claim, ClaimError, check_claims, read_claim
from ablations.analysis.claim_tests import MOST_SEEDS, Evidence
from ablations.analysis.next_command import more_seeds
from ablations.analysis.nonparametric import Exact, PairedProportions, Share, SignedRank
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import LEVEL, Difference, Effect, difference_of, holm

__all__ = ["MOST_SEEDS", "ClaimError", "Verdict", "answerable", "check_answers", "check_claims", "judge"]

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NO_VERDICT = "supported", "contradicted", "inconclusive", "no verdict"

Signs = Mapping[str, int]  # cell → +1, −1, or a multiple where a contrast names it twice


class NothingToJudge(Exception):
    """Why a claim gets no verdict yet."""


@dataclass(frozen=True)
class Verdict:
    """What the records say about one claim; p values are one-sided and those of the outcome, or of the likelier one."""

    says: str
    source: str
    metric: str
    expect: str
    outcome: str  # supported | contradicted | inconclusive | no verdict
    effect: Effect | None = None  # of an order, its weakest step
    p: float | None = None  # None of counts, which leave nothing to chance
    adjusted: float | None = None  # Holm over the claims of the study
    reason: str = ""  # why there is no verdict, or what it rests on
    more_seeds: int | None = None  # of an inconclusive one: about how many would decide it; None beyond MOST_SEEDS
    command: str = ""  # trains them
    published: float | None = None
    diverged: int = 0  # how many of its runs; counted, not dropped
    unit: str = ""
    signed: bool = True  # a difference, not one cell's own number

    @property
    def n(self) -> int:
        return self.effect.n if self.effect else 0


def judge(plan: Plan, records: Mapping[str, Record], *, runs: Path = Path("runs")) -> list[Verdict]:
    """A verdict for each claim of the plan's study, in order; `runs` is where curves and diagnostics lie.

    Raises:
        ClaimError: as `check_claims`.
    """
    claims = check_claims(plan["study"])
    rows = result_rows(plan, records)
    found = [_measure(claim, rows, runs) for claim in claims]
    chancy = [i for i, (claim, _) in enumerate(zip(claims, found, strict=True)) if not claim.metric.counted]
    tests = [found[i][1] for i in chancy]  # a claim that has no p yet will have one: it counts
    inside = [1.0 if evidence is None else evidence.inside for evidence in tests]
    outside = [1.0 if evidence is None else evidence.outside for evidence in tests]
    adjusted = list(zip(holm(inside), holm(outside), strict=True))
    verdicts = [_counted(verdict, evidence) for verdict, evidence in found]
    failed = any(row.failed for row in rows)
    for k, i in enumerate(chancy):
        verdict, evidence = found[i]
        if evidence is not None:
            left = (sum(p >= inside[k] for p in inside), sum(p >= outside[k] for p in outside))  # Holm's multipliers
            verdicts[i] = _decide(verdict, evidence, adjusted[k], left, plan, failed=failed)
    return verdicts


def answerable(claim: Mapping[str, Any], rows: Sequence[Row]) -> bool:
    """Whether the claim names single cells."""
    return all(len(select(cell, rows)) == 1 for part in read_claim(claim).parts for _, cell in part.terms)


def check_answers(plan: Plan) -> None:
    """Whether the plan's cells can answer its study's claims, once they are trained.

    Raises:
        ClaimError: a claim names a cell or an epoch that will not be there, or compares a cell with itself.
    """
    rows, epochs = result_rows(plan, {}), {cell["cell"]: cell["epochs"] for cell in plan["cells"]}
    for claim in check_claims(plan["study"]):
        about = f"claim {claim.says[:40]!r}"
        try:
            cells, _ = _sums(claim, rows)
        except NothingToJudge as why:
            raise ClaimError(f"{about}: {why}") from None
        for cell in cells:
            if (claim.metric.epoch or 0) > (epochs[cell] or math.inf):
                raise ClaimError(f"{about}: {claim.metric.text}, but its runs have {epochs[cell]} epochs")


def _measure(claim: Claim, rows: Sequence[Row], runs: Path) -> tuple[Verdict, Evidence | None]:
    """The effects, or a verdict that says why there are none."""
    signed = any(len(part.terms) > 1 for part in claim.parts)
    unit = claim.metric.unit if signed or claim.metric.unit != " points" else "%"
    blank = Verdict(claim.says, claim.source, claim.metric.text, claim.expect, NO_VERDICT, published=claim.published)
    blank = replace(blank, unit=unit, signed=signed)
    try:
        cells, sums = _sums(claim, rows)
        if claim.metric.counted:
            return blank, Evidence(claim.parts, _counts(claim, cells, sums))
        effects, notes, diverged = _effects(claim, cells, sums, runs)
    except NothingToJudge as why:
        return replace(blank, reason=str(why)), None
    return replace(blank, diverged=diverged, reason=", ".join(filter(None, notes))), Evidence(claim.parts, effects)


def _sums(claim: Claim, rows: Sequence[Row]) -> tuple[dict[str, Row], list[Signs]]:
    """The cells a claim names, and for each of its parts the sign (or multiple) of each cell."""
    cells: dict[str, Row] = {}
    sums: list[Signs] = []
    for part in claim.parts:
        signs: Counter[str] = Counter()
        for sign, choice in part.terms:
            found = select(choice, rows)
            if len(found) != 1:
                raise NothingToJudge(not_one(choice, found, rows))
            cells[found[0].cell] = found[0]
            signs[found[0].cell] += sign
        sums.append({cell: sign for cell, sign in signs.items() if sign})
        if not sums[-1]:
            raise NothingToJudge("plus and minus are the same cell: the axis that differs is not active in it")
    return cells, sums


def _counts(claim: Claim, cells: Mapping[str, Row], sums: Sequence[Signs]) -> tuple[Effect, ...]:
    counts = {cell: getattr(row, claim.metric.name) for cell, row in cells.items()}
    if None in counts.values():
        raise NothingToJudge(f"{claim.metric.text} has not been counted in every cell")
    return tuple(Exact((float(sum(sign * counts[cell] for cell, sign in signs.items())),)) for signs in sums)


def _effects(
    claim: Claim, cells: Mapping[str, Row], sums: Sequence[Signs], runs: Path
) -> tuple[tuple[Effect, ...], list[str], int]:
    """The effects over the seeds that all cells have, what they rest on, and how many of the runs diverged."""
    values = {cell: {run["seed"]: claim.metric.of(run, runs) for run in row.runs} for cell, row in cells.items()}
    seeds = sorted(set.intersection(*(set(of) for of in values.values())))
    planned = max(row.planned for row in cells.values())
    if len(seeds) < 2:
        raise NothingToJudge(f"needs at least 2 seeds, has {len(seeds)} of {planned}")
    for row in cells.values():
        for run in row.runs:
            if run["seed"] in seeds and values[row.cell][run["seed"]] is None:
                raise NothingToJudge(f"{claim.metric.text} was not measured in {run['label']} ({run['status']})")
    effects = tuple(_effect(claim, signs, values, seeds) for signs in sums)
    diverged = sum(run["status"] == "diverged" and run["seed"] in seeds for row in cells.values() for run in row.runs)
    notes = [f"{len(seeds)} of {planned} seeds" if len(seeds) < planned else ""]
    notes += [f"{diverged} diverged" if diverged and not claim.metric.fraction else ""]
    notes += ["some are infinite: signed ranks, median" if any(isinstance(e, SignedRank) for e in effects) else ""]
    flat = any(isinstance(effect, Difference) and effect.sd == 0 for effect in effects)
    return effects, [*notes, "every seed gives the same number: sign test" if flat else ""], diverged


def _effect(claim: Claim, signs: Signs, known: Mapping[str, Mapping[int, Any]], seeds: Sequence[int]) -> Effect:
    """One number a seed, and the test that suits it. Infinity minus infinity is nan, which the ranks take for a tie."""
    values = tuple(float(sum(sign * known[cell][seed] for cell, sign in signs.items())) for seed in seeds)
    alone = len(signs) == 1
    if claim.metric.fraction:
        return Share(values) if alone else PairedProportions(values)
    if not all(map(math.isfinite, values)):
        return SignedRank(values, alone=alone)
    return difference_of(values, scale=max(abs(known[cell][seed]) for cell in signs for seed in seeds))


def _counted(verdict: Verdict, evidence: Evidence | None) -> Verdict:
    """A count lies in the region or does not."""
    if evidence is None:
        return verdict
    return replace(
        verdict, outcome=SUPPORTED if evidence.holds else CONTRADICTED, effect=evidence.weakest, reason="exact count"
    )


def _decide(
    verdict: Verdict,
    evidence: Evidence,
    adjusted: tuple[float, float],
    left: tuple[int, int],
    plan: Plan,
    *,
    failed: bool,
) -> Verdict:
    inside, outside = evidence.inside, evidence.outside
    verdict = replace(verdict, effect=evidence.weakest)
    decided = min(adjusted) < LEVEL
    towards = adjusted[0] < LEVEL if decided else evidence.holds
    verdict = replace(verdict, p=inside if towards else outside, adjusted=adjusted[0] if towards else adjusted[1])
    if decided:
        return replace(verdict, outcome=SUPPORTED if towards else CONTRADICTED)
    multiplier = left[0] if towards else left[1]
    enough = evidence.enough(LEVEL / multiplier, inside=towards)
    least = min(1.0, multiplier * evidence.least_p(inside=towards))
    if least >= LEVEL and not any(isinstance(effect, Difference) and effect.sd for effect in evidence.effects):
        never = f"{verdict.n} seeds allow no p below {least:.3g}"
        verdict = replace(verdict, reason=", ".join(filter(None, [verdict.reason, never])))
    if enough is None:
        return replace(verdict, outcome=INCONCLUSIVE)
    command = more_seeds(plan, enough, retry=failed)
    return replace(verdict, outcome=INCONCLUSIVE, more_seeds=enough - verdict.n, command=command)
