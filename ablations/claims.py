"""Judge the claims of a study: pick two cells, pair their runs by seed, and say what the difference allows to say.

A claim expects the difference plus − minus to lie in a region: `> 0`, `< 0`, or `within X`, which is [−X, X]. It is
supported when the confidence interval lies inside the region, contradicted when it lies outside, and inconclusive
otherwise; the level of the interval is Holm-corrected over the claims of the study.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablations.results import METRICS, Plan, Record, Row, measured, result_rows
from ablations.statistics import LEVEL, Difference, holm, paired_difference

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NO_VERDICT = "supported", "contradicted", "inconclusive", "no verdict"
MOST_SEEDS = 100  # beyond this many, "about how many more seeds" is of no use to anybody
REQUIRED = ("says", "metric", "contrast", "expect")
OPTIONAL = ("source",)


class ClaimError(ValueError):
    """A claim nobody could judge; says in one sentence what is wrong and what is allowed."""


@dataclass(frozen=True)
class Verdict:
    """What the records say about one claim. `p` is the smallest level at which the claim would be decided."""

    says: str
    source: str
    metric: str
    expect: str
    outcome: str  # supported | contradicted | inconclusive | no verdict
    effect: Difference | None = None
    p: float | None = None
    adjusted: float | None = None  # Holm over the claims of the study
    reason: str = ""  # why there is no verdict, or what it rests on
    more_seeds: int | None = None  # of an inconclusive one: about how many would decide it; None beyond MOST_SEEDS

    @property
    def n(self) -> int:
        return self.effect.n if self.effect else 0


def check_claims(study: Mapping[str, Any]) -> None:
    """Refuse claims that could never be judged, before anything is trained for them.

    Raises:
        ClaimError: a field is missing or unknown, the metric is unknown, or `expect` or `contrast` is malformed.
    """
    for claim in study.get("claims") or []:
        if not isinstance(claim, Mapping):
            raise ClaimError(f"a claim is a mapping with {', '.join(REQUIRED)}, not {claim!r}")
        name = f"claim {str(claim.get('says', '?'))[:40]!r}"
        if absent := [key for key in REQUIRED if not claim.get(key)]:
            raise ClaimError(f"{name} has no {absent[0]}; a claim has {', '.join(REQUIRED)} and may have a source")
        if odd := [key for key in claim if key not in REQUIRED + OPTIONAL]:
            raise ClaimError(f"{name}: unknown field {odd[0]!r}; allowed are {', '.join(REQUIRED + OPTIONAL)}")
        if claim["metric"] not in METRICS:
            near = difflib.get_close_matches(str(claim["metric"]), METRICS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ClaimError(f"{name}: no metric {claim['metric']!r}; {hint}allowed are {', '.join(METRICS)}")
        try:
            expected_region(claim["expect"])
        except ClaimError as error:
            raise ClaimError(f"{name}: {error}") from None
        sides = claim["contrast"]
        if not isinstance(sides, Mapping) or set(sides) != {"plus", "minus"}:
            raise ClaimError(
                f"{name}: contrast takes plus and minus, as in {{plus: {{depth: 56}}, minus: {{depth: 20}}}}"
            )
        for side, choice in sides.items():
            if not isinstance(choice, Mapping) or not choice:
                raise ClaimError(
                    f"{name}: {side} takes axes and values, as in {{block: plain, depth: 56}}; got {choice!r}"
                )


def expected_region(expect: str) -> tuple[float, float]:
    """The region in which the difference should lie.

    Raises:
        ClaimError: not `> number`, `< number` or `within positive number`.
    """
    found = re.fullmatch(r"\s*(>|<|within)\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*", str(expect))
    if not found or (found[1] == "within" and float(found[2]) <= 0):
        raise ClaimError(f'expect is "> 0", "< 0" or "within 0.5" (any number), not {str(expect)!r}')
    bound = float(found[2])
    return {">": (bound, math.inf), "<": (-math.inf, bound), "within": (-bound, bound)}[found[1]]


def judge(plan: Plan, records: Mapping[str, Record]) -> list[Verdict]:
    """A verdict for each claim of the plan's study, in order.

    Raises:
        ClaimError: as `check_claims`.
    """
    check_claims(plan["study"])
    rows = result_rows(plan, records)
    measured_claims = [_measure(claim, rows) for claim in plan["study"].get("claims") or []]
    p_values = [1.0 if verdict.p is None else verdict.p for verdict in measured_claims]  # a missing claim still counts
    return [_decide(v, adj, p_values) for v, adj in zip(measured_claims, holm(p_values), strict=True)]


def select(choice: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """The cells that agree with every named axis, by what is active in them or by a grid point they answer."""

    def agrees(known: Mapping[str, Any]) -> bool:
        return all(axis in known and str(known[axis]) == str(value) for axis, value in choice.items())

    return [row for row in rows if any(agrees({**point, **row.axes}) for point in row.points or ({},))]


def answerable(claim: Mapping[str, Any], plan: Plan) -> bool:
    """Whether each side of the claim is one cell of the plan."""
    rows = result_rows(plan, {})
    return all(len(select(choice, rows)) == 1 for choice in claim["contrast"].values())


def _measure(claim: Mapping[str, Any], rows: Sequence[Row]) -> Verdict:
    """The effect and its p value, or why there is none."""
    metric = claim["metric"]
    blank = Verdict(claim["says"], claim.get("source") or "", metric, str(claim["expect"]), NO_VERDICT)
    sides: list[Row] = []
    for side in ("plus", "minus"):
        found = select(claim["contrast"][side], rows)
        if len(found) != 1:
            return replace(blank, reason=_not_one(claim["contrast"][side], found))
        sides += found
    plus, minus = sides
    if plus.cell == minus.cell:
        return replace(blank, reason="plus and minus are the same cell: the axis that differs is not active in it")
    values = [{record["seed"]: measured(record, metric) for record in row.runs} for row in sides]
    seeds = sorted(values[0].keys() & values[1].keys())
    planned = max(plus.planned, minus.planned)
    if len(seeds) < 2:
        return replace(blank, reason=f"needs at least 2 seeds, has {len(seeds)} of {planned}")
    both = [(values[0][seed], values[1][seed]) for seed in seeds]
    pairs = [(a, b) for a, b in both if a is not None and b is not None]
    if len(pairs) < len(seeds):
        return replace(blank, reason=f"{metric} was not measured in every run")
    if any(math.isinf(x) for pair in pairs for x in pair):
        return replace(blank, reason="a run diverged, its loss is infinite: claim an error instead")
    effect = paired_difference([a for a, _ in pairs], [b for _, b in pairs])
    notes = [f"{len(seeds)} of {planned} seeds" if len(seeds) < planned else ""]
    notes += [f"{plus.diverged + minus.diverged} diverged" if plus.diverged + minus.diverged else ""]
    notes += ["every seed differs by the same amount: sign test" if effect.sd == 0 else ""]
    return replace(
        blank, effect=effect, p=_p(effect, expected_region(blank.expect)), reason=", ".join(filter(None, notes))
    )


def _p(effect: Difference, region: tuple[float, float]) -> float:
    """The smallest level at which the interval lies wholly inside the region or wholly outside it."""
    low, high = region
    inside = max(effect.p_above(low) if low > -math.inf else 0.0, effect.p_below(high) if high < math.inf else 0.0)
    outside = min(effect.p_below(low) if low > -math.inf else 1.0, effect.p_above(high) if high < math.inf else 1.0)
    return min(1.0, 2 * min(inside, outside))


def _decide(verdict: Verdict, adjusted: float, p_values: Sequence[float]) -> Verdict:
    if verdict.effect is None or verdict.p is None:
        return verdict
    low, high = expected_region(verdict.expect)
    if adjusted < LEVEL:
        outcome = SUPPORTED if low < verdict.effect.mean < high else CONTRADICTED
        return replace(verdict, outcome=outcome, adjusted=adjusted)
    factor = sum(p >= verdict.p for p in p_values)  # Holm's multiplier at this claim's step
    enough = (
        n
        for n in range(verdict.n + 1, MOST_SEEDS + 1)
        if factor * _p(verdict.effect.with_pairs(n), (low, high)) < LEVEL
    )
    needed = next(enough, None)
    more = None if needed is None else needed - verdict.n
    return replace(verdict, outcome=INCONCLUSIVE, adjusted=adjusted, more_seeds=more)


def _not_one(choice: Mapping[str, Any], found: Sequence[Row]) -> str:
    named = ", ".join(f"{axis}={value}" for axis, value in choice.items())
    if not found:
        return f"no such cell in this study: {named}"
    axes = dict.fromkeys(axis for row in found for axis in row.axes)
    varied = [axis for axis in axes if axis not in choice and len({str(row.axes.get(axis)) for row in found}) > 1]
    return f"{named} matches {len(found)} cells; name also {' and '.join(varied) or 'another axis'}"
