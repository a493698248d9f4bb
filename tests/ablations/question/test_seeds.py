"""How many seeds a study trains is read from it, and what cannot be meant is refused in one sentence."""

from __future__ import annotations

import pytest

from ablations.question.seeds import LEAST, MOST, SeedDesign, seed_design
from ablations.question.study import StudyError


def test_a_list_is_a_design_that_is_judged_once():
    design = seed_design([0, 2, 7])
    assert design == SeedDesign((0, 2, 7), 3, 3, fixed=True)
    assert (design.further, design.horizon, design.as_written()) == ((), None, [0, 2, 7])


@pytest.mark.parametrize(
    ("written", "first", "most", "context"),
    [
        ("until_decided", LEAST, MOST, LEAST),
        ({}, LEAST, MOST, LEAST),
        ({"from": 4, "most": 10}, 4, 10, 4),
        ({"from": 4, "most": 4, "context": 1}, 4, 4, 1),
        ({"most": 5}, LEAST, 5, LEAST),
    ],
)
def test_seeds_may_be_added_until_claims_are_decided(written, first, most, context):
    design = seed_design(written)
    assert design == SeedDesign(tuple(range(first)), most, context, fixed=False)
    assert (design.further, design.horizon) == (tuple(range(first, most)), most)
    assert seed_design(design.as_written()) == design


def test_the_most_can_be_typed():
    assert seed_design({"from": 3, "most": 30}, most=8).most == 8
    assert seed_design("until_decided", most=100).horizon == 100


@pytest.mark.parametrize(
    ("written", "most", "words"),
    [
        (3, None, "seeds=3 is neither a list like [0, 1, 2], nor {from: 3, most: 30}, nor until_decided"),
        ("until", None, "seeds=until is neither a list"),
        ([], None, "seeds=[] is not a list of different whole numbers ≥ 0, like [0, 1, 2]"),
        ([0, 0], None, "seeds=[0, 0] is not a list of different whole numbers"),
        ([-1], None, "seeds=[-1] is not a list of different whole numbers ≥ 0, like [0, 1, 2]"),
        (["a"], None, "is not a list of different whole numbers ≥ 0, like [0, 1, 2]"),
        ([True], None, "is not a list of different whole numbers ≥ 0, like [0, 1, 2]"),
        ([0.5], None, "is not a list of different whole numbers ≥ 0, like [0, 1, 2]"),
        ([0, 1, 2], 5, "most=5: this study has the fixed seeds [0, 1, 2]; add seed=until_decided"),
        ({"form": 3}, None, "seeds: unknown field 'form'; did you mean from?"),
        ({"from": 2}, None, "seeds.from=2: a verdict needs at least 3 seeds"),
        ({"from": 3.5}, None, "seeds.from=3.5 must be a whole number ≥ 1"),
        ({"from": True}, None, "seeds.from=True must be a whole number ≥ 1"),
        ({"from": 0}, None, "seeds.from=0 must be a whole number ≥ 1"),
        ({"from": 5, "most": 4}, None, "most=4 is fewer than the first 5 seeds"),
        ({"most": "x"}, None, "seeds.most=x must be a whole number ≥ 1"),
        ({}, 2, "most=2 is fewer than the first 3 seeds"),
        ({}, "x", "most=x must be a whole number ≥ 1"),
        ({"context": 4}, None, "seeds.context=4: cells that no claim names get from 1 to 3 seeds"),
        ({"context": 0}, None, "seeds.context=0 must be a whole number ≥ 1"),
    ],
)
def test_what_are_no_seeds(written, most, words):
    with pytest.raises(StudyError) as caught:
        seed_design(written, most=most)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
