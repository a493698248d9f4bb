"""Read the claims of a study, and check them before anything is trained.

A claim has `says`, `metric` and `expect`, may have `source` and `published` or `reference`, and has one of

    contrast: {plus: CELL, minus: CELL}   plus − minus: "> 0", "< 0", "!= 0", "within 0.5" of zero, "within 0.5 of 3.1";
                                          an interaction where plus and minus are contrasts themselves
    cell: CELL                            a bound, as "< 8"; "within 0.5 of published", for which "within 0.5" will do
    order: [CELL, CELL, …]                each is above the one before it: increasing; or below it: decreasing

A CELL is axes and values that name one cell, {block: plain, depth: 56}. See docs/your-own-question.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ablations.analysis.metrics import Metric, MetricError, read_metric
from ablations.analysis.reference_units import foreign_unit, unit_words
from ablations.question.did_you_mean import instead, nearest
from ablations.question.references import UnknownReference, published_number, references

SHAPES = ("contrast", "cell", "order")
REQUIRED = ("says", "metric", "expect")
OPTIONAL = ("source", "published", "reference")
FIELDS = f"{', '.join(REQUIRED)} and one of {', '.join(SHAPES)}"
EXPECTED = '"> 0", "< 0", "!= 0", "within 0.5" (any number), "within 0.5 of 3.1" or "within 0.5 of published"'
EXAMPLE = "{plus: {depth: 56}, minus: {depth: 20}}"
NUMBER = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"

Selector = Mapping[str, Any]  # axis → value: names a cell of the study
SignedCell = tuple[int, Selector]  # the sign (+1 or −1) of a cell in a sum


class ClaimError(ValueError):
    """A claim that cannot be judged; the message says what is wrong and what is allowed."""


@dataclass(frozen=True)
class Hypothesis:
    """low < Σ sign · metric(cell) < high; with `differs` Σ ≠ low = high."""

    cells: tuple[SignedCell, ...]
    low: float
    high: float
    differs: bool = False

    @property
    def bounds(self) -> list[float]:
        """The finite ends of the region."""
        return [bound for bound in (self.low, self.high) if math.isfinite(bound)]

    def holds(self, value: float) -> bool:
        """Whether a value lies in the region.

        A value equal to a bound is inside where both bounds are finite, or where the value is infinite.
        """
        if self.differs:
            return value != self.low
        if value in (self.low, self.high):
            return math.isinf(value) or len(self.bounds) == 2
        return self.low < value < self.high


@dataclass(frozen=True)
class Published:
    """A published number: the mean of n runs with a standard deviation; None where the publication does not say.

    `unit` is its unit where that is another than that of the claim's metric.
    """

    mean: float
    sd: float | None = None
    n: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim, ready to be judged: it holds if all its hypotheses hold.

    An order of cells has one hypothesis a step; a contrast and a single cell have one.
    """

    says: str
    source: str
    metric: Metric
    expect: str
    published: Published | None
    hypotheses: tuple[Hypothesis, ...]

    @property
    def cells(self) -> list[Selector]:
        """Every cell that it names."""
        return [selector for hypothesis in self.hypotheses for _, selector in hypothesis.cells]

    @property
    def agrees(self) -> bool:
        """Whether it claims to agree with the published number, whose own spread then counts."""
        implied = "?" if len(self.hypotheses[0].cells) == 1 else ""  # a contrast is within 0.5 of 0 unless it says more
        agreeing = re.fullmatch(rf"within [^ ]+( +of +published){implied}", self.expect.strip())
        return self.published is not None and agreeing is not None


def check_claims(study: Mapping[str, Any]) -> list[Claim]:
    """Read all claims of a study.

    Raises:
        ClaimError: a field is missing or unknown, the metric is unknown, or `expect` or the cells are malformed.
    """
    claims = [read_claim(claim, study.get("metrics")) for claim in study.get("claims") or []]
    for claim in claims if study.get("space") else []:
        if claim.metric.name.startswith("val_"):
            judge = claim.metric.text.replace("val_", "test_").partition("@")[0]
            why = f"a search chooses by validation, so {claim.metric.text} flatters its winners: judge {judge}"
            raise ClaimError(f"claim {claim.says!r}: {why}")
    return claims


def read_claim(claim: Any, metrics: Mapping[str, Any] | None = None) -> Claim:
    """Read one claim; `metrics` are those that the study declares, see `read_metric`."""
    if not isinstance(claim, Mapping):
        raise ClaimError(f"a claim is a mapping with {FIELDS}, not {claim!r}")
    try:
        return _read_fields(claim, metrics)
    except (ClaimError, MetricError, UnknownReference) as error:
        raise ClaimError(f"claim {str(claim.get('says', '?'))!r}: {error}") from None


def _read_fields(claim: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> Claim:
    allowed = [*REQUIRED, *SHAPES, *OPTIONAL]
    if odd := [str(key) for key in claim if key not in allowed]:
        raise ClaimError(f"unknown field {odd[0]!r}{instead(odd[0], allowed, 'allowed are')}")
    if absent := [key for key in REQUIRED if not claim.get(key)]:
        raise ClaimError(f"it has no {absent[0]}; a claim has {FIELDS}, and may have {' and '.join(OPTIONAL)}")
    shapes = [shape for shape in SHAPES if shape in claim]
    if len(shapes) != 1:
        raise ClaimError(f"it has {' and '.join(shapes) or 'none'} of {', '.join(SHAPES)}; a claim has one of them")
    metric, expect, shape = read_metric(claim["metric"], metrics), str(claim["expect"]), shapes[0]
    published = _published(claim, metric)
    if shape == "order":
        hypotheses = _order(claim["order"], expect)
    else:
        cells = _contrast(claim["contrast"]) if shape == "contrast" else ((1, _cell("cell", claim["cell"])),)
        number = None if published is None else published.mean
        region = expected_region(expect, around=number if shape == "cell" else 0.0, published=number)
        hypotheses = (Hypothesis(cells, *region, differs=region[0] == region[1]),)
    if metric.is_fraction and shape == "contrast" and {*hypotheses[0].bounds} != {0}:
        raise ClaimError(f'a contrast of {metric.text} is expected "> 0", "< 0" or "!= 0", not {expect!r}')
    if metric.is_fraction and shape == "cell" and not any(0 <= bound <= 1 for bound in hypotheses[0].bounds):
        raise ClaimError(f'{metric.text} is a fraction of the seeds: expect a bound like "< 0.5", not {expect!r}')
    found = Claim(str(claim["says"]), str(claim.get("source") or ""), metric, expect, published, hypotheses)
    if published and published.unit and found.agrees:
        units = f"the published number is in {published.unit}, and {metric.text} in {unit_words(metric)}"
        raise ClaimError(f'{units}: expect a direction, as "> 0", and no agreement')
    return found


def expected_region(expect: str, *, around: float | None = 0.0, published: float | None = None) -> tuple[float, float]:
    """The ends (low, high) of the region that `expect` describes; equal for "!= number", the region of all others.

    Args:
        around: the centre of "within 0.5" without "of"; None where the centre must be named.
        published: the centre of "within 0.5 of published".

    Raises:
        ClaimError: not `> number`, `< number`, `!= number`, `within positive number [of number]`.
    """
    found = re.fullmatch(rf"\s*(?:(<|>|!=)|within)\s*({NUMBER})\s*(?:of\s+({NUMBER}|published))?\s*", str(expect))
    bound = float(found[2]) if found else math.nan
    if not found or not math.isfinite(bound) or (found[1] and found[3]) or (not found[1] and bound <= 0):
        raise ClaimError(f"expect is {EXPECTED}, not {str(expect)!r}")
    if found[1]:
        return {">": (bound, math.inf), "<": (-math.inf, bound), "!=": (bound, bound)}[found[1]]
    centre = published if found[3] == "published" else float(found[3]) if found[3] else around
    if centre is None:
        raise ClaimError(f'"{expect}" of what? add `published: 6.61`, or write "within {found[2]} of 6.61"')
    return centre - bound, centre + bound


def _published(claim: Mapping[str, Any], metric: Metric) -> Published | None:
    """The published number of a claim, from `published` or `reference`."""
    found = claim.get("published")
    if "reference" in claim:
        if found is not None:
            raise ClaimError("it has published and reference; a reference has its number already")
        one = None if isinstance(claim["reference"], Mapping) else references().get(str(claim["reference"]))
        spread = (None, None) if one is None else (one.spread, one.n)
        number = published_number(claim["reference"])
        return Published(number, *spread, unit=foreign_unit(claim["reference"], metric))
    if found is None:
        return None
    fields = dict(found) if isinstance(found, Mapping) else {"mean": found}
    mean, sd, n = fields.pop("mean", None), fields.pop("sd", None), fields.pop("n", None)
    good = _is_number(mean) and (sd is None or (_is_number(sd) and sd >= 0))
    if fields or not good or not (n is None or (isinstance(n, int) and n >= 1)):
        raise ClaimError(f"published is one number, or {{mean: 6.61, sd: 0.16, n: 5}}, not {found!r}")
    return Published(float(mean), None if sd is None else float(sd), n)  # pyright: ignore[reportArgumentType] checked


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _contrast(sides: Any) -> tuple[SignedCell, ...]:
    """The cells of plus − minus with their signs; each side is a cell or another contrast."""
    if not isinstance(sides, Mapping) or set(sides) != {"plus", "minus"}:
        raise ClaimError(f"contrast takes plus and minus, as in {EXAMPLE}")

    nested = {isinstance(side, Mapping) and bool({"plus", "minus"} & set(side)) for side in sides.values()}
    if len(nested) > 1:
        raise ClaimError("plus and minus are two cells, or two contrasts, not one of each")
    if True in nested:
        plus, minus = _contrast(sides["plus"]), _contrast(sides["minus"])
        return (*plus, *((-sign, cell) for sign, cell in minus))
    return (1, _cell("plus", sides["plus"])), (-1, _cell("minus", sides["minus"]))


def _order(cells: Any, expect: str) -> tuple[Hypothesis, ...]:
    if not isinstance(cells, Sequence) or isinstance(cells, str) or len(cells) < 2:
        raise ClaimError(
            f"order takes a list of at least two cells, as in [{{depth: 20}}, {{depth: 56}}]; got {cells!r}"
        )
    if expect not in ("increasing", "decreasing"):
        hint = nearest(str(expect), ("increasing", "decreasing"))
        raise ClaimError(f"expect of an order is increasing or decreasing, not {expect!r}{hint}")
    named = [_cell("order", cell) for cell in cells]
    rising = named if expect == "increasing" else named[::-1]
    return tuple(Hypothesis(((1, above), (-1, below)), 0.0, math.inf) for below, above in pairwise(rising))


def _cell(name: str, selector: Any) -> Selector:
    if not isinstance(selector, Mapping) or not selector:
        raise ClaimError(f"{name} takes axes and values, as in {{block: plain, depth: 56}}; got {selector!r}")
    return selector
