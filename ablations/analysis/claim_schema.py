"""What a claim looks like: a sentence, a metric, cells, and what is expected of them; checked before training.

    says: Plain nets get worse as they get deeper.        always; `source` and `published` (a number, shown) if known,
                                                          or `reference`, its key in ablations/literature
    metric: train_error                                   what is measured: see metrics.py

A difference, plus − minus:
    contrast: {plus: {block: plain, depth: 56}, minus: {block: plain, depth: 20}}
    expect: "> 0"            also "< 0"; "within 0.5" of zero (practical equivalence); "within 0.5 of 3.1"
A difference of differences (interaction); plus and minus are contrasts themselves:
    contrast:
      plus: {plus: {block: plain, depth: 56}, minus: {block: plain, depth: 20}}
      minus: {plus: {block: residual, depth: 56}, minus: {block: residual, depth: 20}}
    expect: "> 0"
One cell against a bound, or against its published number:
    cell: {block: residual, depth: 110}
    expect: "< 8"            or, with `published: 6.61`, "within 0.5 of published"; for a cell "within 0.5" means that
The order of several cells, each of which must be above (below) the one before it:
    order: [{shortcut: C}, {shortcut: B}, {shortcut: A}]
    expect: increasing       also decreasing
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ablations.analysis.metrics import Metric, MetricError, read_metric
from ablations.question.did_you_mean import instead, nearest
from ablations.question.references import UnknownReference, published_number

SHAPES = ("contrast", "cell", "order")
REQUIRED = ("says", "metric", "expect")
OPTIONAL = ("source", "published", "reference")
EXPECTED = '"> 0", "< 0", "within 0.5" (any number), "within 0.5 of 3.1" or "within 0.5 of published"'
EXAMPLE = "{plus: {depth: 56}, minus: {depth: 20}}"
NUMBER = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"

Choice = Mapping[str, Any]
Term = tuple[int, Choice]  # +1 or −1, and the cell it stands before


class ClaimError(ValueError):
    """A claim nobody could judge; says in one sentence what is wrong and what is allowed."""


@dataclass(frozen=True)
class Part:
    """A sum and difference of cells, and the region it should lie in."""

    terms: tuple[Term, ...]
    low: float
    high: float

    @property
    def ends(self) -> list[float]:
        """Its finite ends."""
        return [end for end in (self.low, self.high) if math.isfinite(end)]

    def holds(self, value: float) -> bool:
        """Whether a value lies in the region; at its very end only within a margin, or where both are infinite."""
        ends = (self.low, self.high)
        if value in ends:
            return math.isinf(value) or all(map(math.isfinite, ends))
        return self.low < value < self.high


@dataclass(frozen=True)
class Claim:
    """A claim as read: it holds if all of its parts do. All but an order has one part."""

    says: str
    source: str
    metric: Metric
    expect: str
    published: float | None
    parts: tuple[Part, ...]


def check_claims(study: Mapping[str, Any]) -> list[Claim]:
    """The claims of a study, as read.

    Raises:
        ClaimError: a field is missing or unknown, the metric is unknown, or `expect` or the cells are malformed.
    """
    return [read_claim(claim) for claim in study.get("claims") or []]


def read_claim(claim: Any) -> Claim:
    """One claim.

    Raises:
        ClaimError: as `check_claims`.
    """
    fields = f"{', '.join(REQUIRED)} and one of {', '.join(SHAPES)}"
    if not isinstance(claim, Mapping):
        raise ClaimError(f"a claim is a mapping with {fields}, not {claim!r}")
    try:
        return _read(claim, fields)
    except (ClaimError, MetricError, UnknownReference) as error:
        raise ClaimError(f"claim {str(claim.get('says', '?'))[:40]!r}: {error}") from None


def _read(claim: Mapping[str, Any], fields: str) -> Claim:
    allowed = [*REQUIRED, *SHAPES, *OPTIONAL]
    if odd := [str(key) for key in claim if key not in allowed]:
        raise ClaimError(f"unknown field {odd[0]!r}{instead(odd[0], allowed, 'allowed are')}")
    if absent := [key for key in REQUIRED if not claim.get(key)]:
        raise ClaimError(f"it has no {absent[0]}; a claim has {fields}, and may have {' and '.join(OPTIONAL)}")
    shapes = [shape for shape in SHAPES if shape in claim]
    if len(shapes) != 1:
        raise ClaimError(f"it has {' and '.join(shapes) or 'none'} of {', '.join(SHAPES)}; a claim has one of them")
    published = claim.get("published")
    if "reference" in claim:
        if published is not None:
            raise ClaimError("it has published and reference; a reference has its number already")
        published = published_number(claim["reference"])
    number = isinstance(published, int | float) and not isinstance(published, bool) and math.isfinite(published)
    if published is not None and not number:
        raise ClaimError(f"published is one number, not {published!r}")
    metric, expect, shape = read_metric(claim["metric"]), str(claim["expect"]), shapes[0]
    if shape == "order":
        parts = _order(claim["order"], expect)
    else:
        terms = _contrast(claim["contrast"]) if shape == "contrast" else ((1, _cell("cell", claim["cell"])),)
        around = published if shape == "cell" else 0.0
        parts = (Part(terms, *expected_region(expect, around=around, published=published)),)
    if metric.fraction and shape == "contrast" and sorted(map(abs, (parts[0].low, parts[0].high))) != [0, math.inf]:
        raise ClaimError(f'a contrast of {metric.text} is expected "> 0" or "< 0", not {expect!r}')
    if metric.fraction and shape == "cell" and not any(0 <= end <= 1 for end in parts[0].ends):
        raise ClaimError(f"{metric.text} is a share of the seeds, from 0 to 1, which {expect!r} does not divide")
    return Claim(str(claim["says"]), str(claim.get("source") or ""), metric, expect, published, parts)


def expected_region(expect: str, *, around: float | None = 0.0, published: float | None = None) -> tuple[float, float]:
    """The region in which the number should lie; `around` is what a bare `within` is around, None where it needs one.

    Raises:
        ClaimError: not `> number`, `< number`, `within positive number` or `within positive number of number`.
    """
    found = re.fullmatch(rf"\s*(?:([<>])|within)\s*({NUMBER})\s*(?:of\s+({NUMBER}|published))?\s*", str(expect))
    bound = float(found[2]) if found else math.nan
    if not found or not math.isfinite(bound) or (found[1] and found[3]) or (not found[1] and bound <= 0):
        raise ClaimError(f"expect is {EXPECTED}, not {str(expect)!r}")
    if found[1]:
        return (bound, math.inf) if found[1] == ">" else (-math.inf, bound)
    centre = published if found[3] == "published" else float(found[3]) if found[3] else around
    if centre is None:
        raise ClaimError(f'"{expect}" of what? add `published: 6.61`, or write "within {found[2]} of 6.61"')
    return centre - bound, centre + bound


def _contrast(sides: Any) -> tuple[Term, ...]:
    """The terms of plus − minus, each side a cell or a contrast itself."""
    if not isinstance(sides, Mapping) or set(sides) != {"plus", "minus"}:
        raise ClaimError(f"contrast takes plus and minus, as in {EXAMPLE}")

    def side(name: str) -> tuple[Term, ...]:
        inner = sides[name]
        nested = isinstance(inner, Mapping) and {"plus", "minus"} & set(inner)
        return _contrast(inner) if nested else ((1, _cell(name, inner)),)

    return (*side("plus"), *((-sign, cell) for sign, cell in side("minus")))


def _order(cells: Any, expect: str) -> tuple[Part, ...]:
    if not isinstance(cells, Sequence) or isinstance(cells, str) or len(cells) < 2:
        raise ClaimError(
            f"order takes a list of at least two cells, as in [{{depth: 20}}, {{depth: 56}}]; got {cells!r}"
        )
    if expect not in ("increasing", "decreasing"):
        hint = nearest(str(expect), ("increasing", "decreasing"))
        raise ClaimError(f"an order is expected increasing or decreasing, not {expect!r}{hint}")
    named = [_cell("order", cell) for cell in cells]
    steps = pairwise(named if expect == "increasing" else named[::-1])
    return tuple(Part(((1, above), (-1, below)), 0.0, math.inf) for below, above in steps)


def _cell(name: str, choice: Any) -> Choice:
    if not isinstance(choice, Mapping) or not choice:
        raise ClaimError(f"{name} takes axes and values, as in {{block: plain, depth: 56}}; got {choice!r}")
    return choice
