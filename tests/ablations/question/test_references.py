"""Published numbers in this suite's units, and what a claim makes of them."""

import pytest

from ablations.analysis.claim_schema import ClaimError, Published, read_claim
from ablations.catalog.studies import duration
from ablations.question.references import LEVELS, Reference, published_number, references

CLAIM = {"says": "s", "metric": "test_error", "cell": {"depth": 56}, "expect": "within 0.5 of published"}
KEYS = {"plus": "he2015.cifar10.test_err.resnet1202", "minus": "he2015.cifar10.test_err.resnet110.mean"}


@pytest.mark.parametrize(
    ("value", "unit", "measured"),
    [
        (6.61, "% error", 6.61),
        (0.919, "accuracy", 8.1),
        (92.28, "% accuracy", 7.72),
        (3.6, "GFLOP (multiply-adds)", 3.6e9),
        (19.4, "M params", 19.4e6),
        (11178378, "params", 11178378),
        (100, "x lower training loss (more than)", 2),
    ],
)
def test_units(value, unit, measured):
    one = Reference(value=value, unit=unit, level="primary", source="s", data="d", setting="t")
    assert one.measured == pytest.approx(measured, abs=1e-9)


def test_every_number_says_where_it_is_from_and_how_well_it_is_known():
    assert references()
    for one in references().values():
        assert one.source
        assert one.setting
        assert one.level in LEVELS
        assert isinstance(one.value, int | float)


def test_a_reference_is_written_like_its_claim():
    assert published_number(KEYS) == pytest.approx(7.93 - 6.61)
    nested = {"plus": KEYS, "minus": {"plus": KEYS["plus"], "minus": KEYS["plus"]}}
    assert published_number(nested) == published_number(KEYS)


def test_a_claim_takes_its_number_from_the_literature():
    claim = read_claim({**CLAIM, "reference": KEYS["minus"]})
    assert claim.published == Published(6.61, 0.16, 5)
    assert (claim.hypotheses[0].low, claim.hypotheses[0].high) == pytest.approx((6.11, 7.11))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("he2015.cifar10.test_err.resnet12", "did you mean he2015.cifar10.test_err.resnet1202"),
        ({"plus": KEYS["plus"]}, "plus and minus"),
        ("zzz", "write it into a file there, or `published: 25`"),
        (None, "no published number"),
        (6.61, "no published number"),
    ],
)
def test_an_unknown_reference_is_named(reference, words):
    with pytest.raises(ClaimError, match=words):
        read_claim({**CLAIM, "reference": reference})


def test_a_number_of_its_own_and_a_reference_are_one_too_many():
    with pytest.raises(ClaimError, match="has its number already"):
        read_claim({**CLAIM, "published": 6.61, "reference": KEYS["minus"]})


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(None, "–"), (0, "–"), (3, "3 min"), (119, "119 min"), (120, "2 h"), (2879, "48 h"), (2880, "2 d")],
)
def test_how_long_is_said_in_a_fitting_unit(minutes, words):
    assert duration(minutes) == words
