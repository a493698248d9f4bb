"""Every kind of claim is read correctly, and a claim that cannot be judged is refused in one sentence."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from ablations.analysis.claim_schema import ClaimError, Published, check_claims, expected_region, read_claim

DEEP, SHALLOW = {"block": "plain", "depth": 56}, {"block": "plain", "depth": 20}
PLAIN = {
    "says": "Deeper is worse.",
    "metric": "train_error",
    "contrast": {"plus": DEEP, "minus": SHALLOW},
    "expect": "> 0",
}
ALONE = {"says": "It is good.", "metric": "test_error", "cell": DEEP, "expect": "< 8"}
ORDER = {"says": "In order.", "metric": "val_loss", "order": [{"depth": 8}, SHALLOW, DEEP], "expect": "increasing"}


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (PLAIN | {"metric": "train_eror"}, "did you mean train_error"),
        (PLAIN | {"metric": "speed"}, "allowed are train_loss"),
        (PLAIN | {"metric": "test_error@best"}, "measured once, at the end"),
        (PLAIN | {"expect": "larger"}, 'expect is "> 0"'),
        (PLAIN | {"expect": "within -1"}, "any number"),
        (PLAIN | {"expect": "> 0 of 3"}, "any number"),
        (PLAIN | {"expect": "within 1 of published"}, "of what.*add `published: 6.61`"),
        (PLAIN | {"contrast": {"plus": {"depth": 56}}}, "contrast takes plus and minus"),
        (PLAIN | {"contrast": {"plus": {}, "minus": {"depth": 56}}}, "plus takes axes and values"),
        (
            PLAIN | {"contrast": {"plus": {"minus": DEEP}, "minus": DEEP}},
            "two cells, or two contrasts, not one of each",
        ),
        (
            PLAIN | {"metric": "diverged", "expect": "> 0.1"},
            'a contrast of diverged is expected "> 0", "< 0" or "!= 0"',
        ),
        (PLAIN | {"says": ""}, "has no says"),
        (PLAIN | {"contrst": {}}, "did you mean contrast"),
        (PLAIN | {"cell": DEEP}, "contrast and cell of contrast, cell, order; a claim has one"),
        ({"says": "x", "metric": "seconds", "expect": "< 1"}, "none of contrast, cell, order"),
        (PLAIN | {"published": "6.61"}, "published is one number"),
        (PLAIN | {"published": {"sd": 1}}, "published is one number, or {mean: 6.61, sd: 0.16, n: 5}"),
        (PLAIN | {"published": {"mean": 6, "sd": -1}}, "published is one number, or"),
        (PLAIN | {"published": {"mean": 6, "n": 0}}, "published is one number, or"),
        (PLAIN | {"published": {"mean": 6, "std": 1}}, "published is one number, or"),
        (ALONE | {"expect": "within 0.5"}, "of what.*within 0.5 of 6.61"),
        (ALONE | {"cell": "plain"}, "cell takes axes and values"),
        (ORDER | {"expect": "increase"}, "increasing or decreasing, not 'increase'; did you mean increasing"),
        (ORDER | {"order": [DEEP]}, "at least two cells"),
        ("deeper is worse", "a claim is a mapping"),
    ],
)
def test_a_malformed_claim_is_refused_in_one_sentence(claim, words):
    with pytest.raises(ClaimError, match=words) as caught:
        check_claims({"claims": [claim]})
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_good_claims_and_none_pass():
    check_claims({"claims": [PLAIN | {"source": "He et al. 2015", "published": 3.1}, PLAIN | {"expect": "within .5"}]})
    check_claims({"claims": [ALONE, ORDER, PLAIN | {"metric": "epochs until train_error <= 5"}]})
    check_claims({})
    check_claims({"claims": None})


def test_regions():
    assert expected_region("> 0") == (0, math.inf)
    assert expected_region("!= 0") == (0, 0)
    assert expected_region("!= -2.5") == (-2.5, -2.5)
    assert expected_region("<-1.5") == (-math.inf, -1.5)
    assert expected_region(" within 0.5 ") == (-0.5, 0.5)
    assert expected_region("within 0.5 of 3") == (2.5, 3.5)
    assert expected_region("within 0.5 of published", published=6.5) == (6, 7)
    assert expected_region("within 0.5", around=6.5) == (6, 7)


def test_a_contrast_of_contrasts_multiplies_the_signs():
    inner = {"plus": DEEP, "minus": SHALLOW}
    a, b = {"block": "residual", "depth": 56}, {"block": "residual", "depth": 20}
    part = read_claim(PLAIN | {"contrast": {"plus": inner, "minus": {"plus": a, "minus": b}}}).hypotheses[0]
    assert part.cells == ((1, DEEP), (-1, SHALLOW), (-1, a), (1, b))


def test_an_order_is_a_step_between_neighbours():
    cells = ORDER["order"]
    up, down = read_claim(ORDER), read_claim(ORDER | {"expect": "decreasing"})
    assert [part.cells for part in up.hypotheses] == [((1, above), (-1, below)) for below, above in pairwise(cells)]
    steps = [((1, above), (-1, below)) for above, below in pairwise(cells)]
    assert [part.cells for part in down.hypotheses] == steps[::-1]
    assert {(part.low, part.high) for part in up.hypotheses + down.hypotheses} == {(0.0, math.inf)}


def test_a_published_number_may_have_its_spread():
    read = [read_claim(ALONE | {"published": one}).published for one in (6.61, {"mean": 6.61, "sd": 0.16, "n": 5})]
    assert read == [Published(6.61), Published(6.61, 0.16, 5)]
    assert read_claim(ALONE).published is None


def test_whatever_differs_is_inside():
    differs = read_claim(PLAIN | {"expect": "!= 0"}).hypotheses[0]
    assert [differs.holds(x) for x in (-0.1, 0.0, 0.1, math.inf)] == [True, False, True, True]


def test_an_end_counts_as_inside_only_within_a_margin():
    bound, margin = read_claim(ALONE).hypotheses[0], read_claim(PLAIN | {"expect": "within 2"}).hypotheses[0]
    assert [bound.holds(x) for x in (7.9, 8.0, -math.inf, math.inf)] == [True, False, True, False]
    assert [margin.holds(x) for x in (-2.0, 2.0, 2.1)] == [True, True, False]
