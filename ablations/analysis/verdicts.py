"""Judge the claims of a study by its records.

Each claim expects an effect in a region (claim_schema.py). The effect is estimated from the records (claim_effects.py)
and tested against the region (claim_tests.py):

    supported      the tests show that the effect lies inside the region
    contradicted   the tests show that the effect lies outside the region
    inconclusive   neither

Over all claims of a study together, the error rate in each direction is at most 5%: Holm's correction of the p values,
in which a claim that is decided, either way, passes its share on (Shaffer 1980). In a study that trains seeds until its
claims are decided, this holds whenever somebody looks: the p values are corrected for looks after every seed
(looking.py). A list of seeds is judged once, when all are trained, and needs no such correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ablations.analysis.claim_effects import Estimates, NotTestable, count_effects, estimate_effects, resolve_cells
from ablations.analysis.claim_schema import Claim, check_claims
from ablations.analysis.claim_tests import MOST_SEEDS, Evidence
from ablations.analysis.looking import HORIZON
from ablations.analysis.next_command import until_decided
from ablations.analysis.published import Agreement
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.statistics import ALPHA, Difference, Effect, holm
from ablations.analysis.wrong_images import image_words
from ablations.question.seeds import seed_design

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NO_VERDICT = "supported", "contradicted", "inconclusive", "no verdict"


@dataclass(frozen=True)
class Verdict:
    """What the records say about one claim.

    Attributes:
        effect: the estimate; for an order, that of its weakest step.
        p: one-sided, of "the claim is true"; None for exact counts.
        adjusted: `p`, corrected for the looks and, by Holm's method, for the claims of the study.
        level: what `p` had to reach, by both corrections.
        share: the part of the study's error rate that the claim was judged at, by Holm's method.
        horizon: the number of seeds up to which looks are allowed for; None for a fixed design.
        reason: why there is no verdict, or what a reader must know about the test.
        images: what the runs' predictions say: the interval over new images too; then, of two cells, pair by pair.
        more_seeds: of an inconclusive claim, about how many more would decide it; None where no number would.
        beyond: where the seeds up to the last look would not, how many in all would, in a new study.
        command: adds seeds to the cells of open claims.
        published_unit: of the published number, where it is another than that of the metric.
        setting: of the published number, and of this study beside it.
        diverged: how many of the compared runs diverged; they are counted, not dropped.
        signed: True for a difference, False for the number of a single cell.
        cells: the cells that it names, by their hashes.
        evidence: the tests behind it.
        planned: the day on which the claim was first planned.
        after_the_fact: whether some of its numbers were known then.
    """

    says: str
    source: str
    metric: str
    expect: str
    outcome: str  # supported | contradicted | inconclusive | no verdict
    effect: Effect | None = None
    p: float | None = None
    adjusted: float | None = None
    level: float | None = None
    share: float | None = None
    horizon: int | None = None
    reason: str = ""
    images: tuple[str, ...] = ()
    more_seeds: int | None = None
    beyond: int | None = None
    command: str = ""
    published: float | None = None
    published_unit: str = ""
    setting: str = ""
    diverged: int = 0
    unit: str = ""
    signed: bool = True
    cells: tuple[str, ...] = ()
    evidence: Evidence | None = None
    planned: str = ""
    after_the_fact: bool = False

    @property
    def n(self) -> int:
        return self.effect.n if self.effect else 0

    @property
    def comparable(self) -> float | None:
        """The published number, if it is in the unit of the metric."""
        return None if self.published_unit else self.published

    @property
    def open(self) -> bool:
        """Whether more seeds could decide it."""
        return self.outcome in (INCONCLUSIVE, NO_VERDICT)


def judge(
    plan: Plan, records: Mapping[str, Record], *, runs: Path = Path("runs"), images: bool = False
) -> list[Verdict]:
    """Judge every claim of the plan's study, in their order; with `images` look at the runs' predictions too.

    Of the study are read: `claims`; `seeds`, a list or {from: 3, most: 30}; `looked`, whether a list was looked at
    before it was complete; `family`, where claims were left out that count all the same; `level`, if it is not 5%;
    `metrics`.
    """
    study = plan["study"]
    claims, rows = check_claims(study), result_rows(plan, records)
    design = looks(plan)
    judged = [_Judged.of(claim, rows, runs, study, design) for claim in claims]
    tested = [one for one in judged if not one.claim.metric.is_count]
    # A claim without evidence will have a p value later: Holm's correction counts it now, with p = 1.
    inside = [one.evidence.looked_inside if one.evidence else 1.0 for one in tested]
    outside = [one.evidence.looked_outside if one.evidence else 1.0 for one in tested]
    family, alpha = max(len(tested), int(study.get("family") or 0)), level_of(study)
    either = [min(pair) for pair in zip(inside, outside, strict=True)]
    corrected = dict(zip(map(id, tested), holm(either, family), strict=True))
    failed = any(row.failed for row in rows)
    dates = study.get("planned") or [{}] * len(claims)
    verdicts = []
    for one, dated in zip(judged, dates, strict=True):
        if one.claim.metric.is_count or one.evidence is None:
            verdict = _without_test(one, plan, failed=failed)
        else:
            own = min(one.evidence.looked_inside, one.evidence.looked_outside)
            rank = sum(p < own and q <= alpha for p, q in zip(either, corrected.values(), strict=True))
            verdict = _decide(one, corrected[id(one)], alpha, family - rank, plan, failed=failed)
        if images and one.estimates and len(one.contrasts) == 1:
            words = image_words(one.claim.metric.text, one.contrasts[0], one.cells, one.estimates.seeds, runs)
            verdict = replace(verdict, images=tuple(words))
        verdicts.append(replace(verdict, planned=dated.get("day", ""), after_the_fact=bool(dated.get("known"))))
    return verdicts


@dataclass(frozen=True)
class _Judged:
    """A claim with a verdict that has no outcome yet, and with its effects; without them where there are none yet."""

    claim: Claim
    blank: Verdict
    evidence: Evidence | None
    estimates: Estimates | None = None
    cells: Mapping[str, Row] = field(default_factory=dict)
    contrasts: Sequence[Mapping[str, int]] = ()

    @classmethod
    def of(
        cls, claim: Claim, rows: Sequence[Row], runs: Path, study: Mapping[str, Any], design: tuple[bool, int | None]
    ) -> _Judged:
        signed = any(len(hypothesis.cells) > 1 for hypothesis in claim.hypotheses)
        unit = claim.metric.unit if signed or claim.metric.unit != " points" else "%"
        about = (claim.says, claim.source, claim.metric.text, claim.expect)
        blank = Verdict(*about, NO_VERDICT, unit=unit, signed=signed)
        if claim.published:
            blank = replace(blank, published=claim.published.mean, published_unit=claim.published.unit)
        fixed, horizon = design
        try:
            cells, contrasts = resolve_cells(claim, rows)
            blank = replace(blank, cells=tuple(cells), horizon=horizon)
            if (left_out := study.get("left_out")) and not claim.metric.is_count:
                raise NotTestable(f"the list leaves out seeds that were known: {', '.join(map(str, left_out))}")
            if claim.metric.is_count:
                return cls(claim, blank, Evidence(claim.hypotheses, count_effects(claim, cells, contrasts)))
            found = estimate_effects(claim, cells, contrasts, runs, fixed=fixed)
        except NotTestable as why:
            return cls(claim, replace(blank, reason=str(why)), None)
        notes = [found.waiting, *found.notes, _of_tuning(claim, study)]
        blank = replace(blank, diverged=found.diverged, reason=", ".join(filter(None, notes)))
        horizon = horizon and max(horizon, found.effects[0].n)
        hypotheses = claim.hypotheses
        if claim.agrees and isinstance(found.effects[0], Agreement) and claim.published:
            region, number = hypotheses[0], claim.published.mean
            hypotheses = (replace(region, low=region.low - number, high=region.high - number),)
            blank = replace(blank, unit=claim.metric.unit, signed=True)
        return cls(claim, blank, Evidence(hypotheses, found.effects, horizon), found, cells, contrasts)


def _of_tuning(claim: Claim, study: Mapping[str, Any]) -> str:
    """What a verdict on winners of a search cannot say."""
    if not study.get("space"):
        return ""
    objectives = (study.get("search") or {}).get("objectives") or []
    same = "; they were chosen by the same metric" if claim.metric.name in objectives else ""
    return f"of the settings that one search found, a new search may find others{same}"


def level_of(study: Mapping[str, Any]) -> float:
    """The error rate of a study in each direction; of a design that follows another a tenth, then half of that."""
    follows = int(study.get("follows") or 0)
    return float(study.get("level") or ALPHA) / (1 if not follows else 10 * 2 ** (follows - 1))


def looks(plan: Plan) -> tuple[bool, int | None]:
    """Whether the seeds are a list, judged when complete; and up to how many seeds looks are allowed for."""
    seeds = plan["study"].get("seeds")
    planned = {run["seed"] for cell in plan["cells"] for run in cell["runs"]}
    design = seed_design(seeds if seeds is not None else sorted(planned) or [0])
    if not design.fixed:
        return False, design.horizon
    return True, max(HORIZON, len(planned)) if plan["study"].get("looked") else None


def _without_test(one: _Judged, plan: Plan, *, failed: bool) -> Verdict:
    """The verdict of a claim about counts, which lie inside the region or outside; or of one without evidence yet."""
    if one.evidence is None:
        return replace(one.blank, command=until_decided(plan, retry=failed) if one.blank.cells else "")
    outcome = SUPPORTED if one.evidence.holds else CONTRADICTED
    return replace(one.blank, outcome=outcome, effect=one.evidence.weakest, reason="exact count", horizon=None)


def _decide(one: _Judged, corrected: float, alpha: float, factor: int, plan: Plan, *, failed: bool) -> Verdict:
    """The outcome of a tested claim; for an inconclusive one also the seeds that would decide it.

    Args:
        corrected: p of the likelier outcome, corrected for looks and claims.
        factor: what Holm's correction multiplies the p value of this claim by.
        failed: whether runs of the study failed: the command then trains them too.
    """
    evidence, share = one.evidence, alpha / factor
    assert evidence is not None
    inside = evidence.looked_inside <= evidence.looked_outside
    adjusted = corrected if inside else min(1.0, factor * evidence.looked_inside)
    found = {"p": evidence.p_inside, "adjusted": adjusted, "level": evidence.level(share), "share": share}
    verdict = replace(one.blank, effect=evidence.weakest, evidence=evidence, outcome=INCONCLUSIVE, **found)
    if corrected <= alpha:
        return replace(verdict, outcome=SUPPORTED if inside else CONTRADICTED)
    later = replace(evidence, horizon=evidence.horizon or HORIZON)  # adding seeds to a list is a new design
    needed = later.seeds_needed(share)
    beyond = None if needed else replace(evidence, horizon=MOST_SEEDS).seeds_needed(share)
    return replace(
        verdict,
        reason=", ".join(filter(None, [verdict.reason, _limit(evidence, share)])),
        more_seeds=None if needed is None else needed - verdict.n,
        beyond=beyond,
        command=until_decided(plan, retry=failed) if needed else "",
    )


def _limit(evidence: Evidence, alpha: float) -> str:
    """What so few seeds cannot show, for any distribution."""
    if any(isinstance(effect, Difference) and effect.sd for effect in evidence.effects):
        return ""
    least, level = evidence.least_p(inside=evidence.holds), evidence.level(alpha)
    return f"{evidence.effects[0].n} seeds allow no p below {least:.3g}" if least > level else ""
