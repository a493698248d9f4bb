"""What a study may search, and what is refused before anything is trained."""

import math

import pytest

from ablations.question.search_space import Choice, Constraint, Range, read_search
from ablations.question.study import StudyError

SPACE = {
    "block": ["plain", "residual"],
    "depth": {"low": 8, "high": 32, "step": 6},
    "recipe.lr": {"low": 0.01, "high": 1.0},
}


def test_lists_choose_and_ranges_range() -> None:
    search = read_search({"space": SPACE})
    assert search.space == {
        "block": Choice(("plain", "residual")),
        "depth": Range(8, 32, 6),
        "recipe.lr": Range(0.01, 1.0),
    }
    assert (search.space["depth"].size, search.space["recipe.lr"].size, search.size) == (5, math.inf, math.inf)
    assert read_search({"space": {key: SPACE[key] for key in ("block", "depth")}}).size == 10
    assert Range(1, 3).whole
    assert not Range(1, 3.0).whole


def test_a_range_ends_with_its_last_step_and_knows_what_it_holds() -> None:
    steps = {"depth": {"low": 8, "high": 20, "step": 5}, "lr": {"low": 0.1, "high": 0.3, "step": 0.1}}
    depth, rate = read_search({"space": steps}).space.values()
    assert (depth, rate) == (Range(8, 18, 5), Range(0.1, 0.3, 0.1))
    assert depth.all() == [8, 13, 18]
    assert rate.all() == pytest.approx([0.1, 0.2, 0.3])
    assert Range(0.1, 1.0).all() == []
    assert [depth.like(value) for value in (13, 13.0, 14, 23, True, "13", None)] == [[13], [13], [], [], [], [], []]
    assert [rate.like(value) for value in (0.3, 0.25)] == [[0.3], []]
    assert Range(0.1, 1.0).like(1) == [1.0]
    assert [Choice((1, True, None)).like(value) for value in (1.0, True, None, 2)] == [[1], [True], [None], []]


def test_a_constraint_is_a_comparison_of_a_size() -> None:
    (limit,) = read_search({"space": SPACE, "search": {"constraints": "params <= 300_000"}}).constraints
    assert limit == Constraint("params", 300_000, at_most=True)
    assert limit.excess(300_000) == 0
    assert limit.excess(300_001) == 1
    (floor,) = read_search({"space": SPACE, "search": {"constraints": ["macs >= 25e6"]}}).constraints
    assert floor.excess(24e6) == 1e6


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ({"search": {"trails": 3}}, "search: unknown field 'trails'; did you mean trials?"),
        ({"search": {"trials": 0}}, "search.trials=0 must be a whole number ≥ 1"),
        ({"search": {"objectives": ["test_error"]}}, "would select on the test set; use val_error"),
        ({"search": {"constraints": ["params < 3"]}}, '"params <= 300_000"'),
        ({"search": {"constraints": ["seconds <= 3"]}}, "'seconds' is none of params, macs"),
        ({"search": {"diverged": "nan"}}, "none of worst, failed"),
        ({"search": {"seeds": [1, 1]}}, "not a list of different"),
        ({"search": {"seeds": [100]}}, "100 is a seed of the search too"),
        ({"space": {"seed": [1, 2]}}, "seed is not searched"),
        ({"space": {"depth": {"low": 20, "high": 8}}}, "low=20 is not below high=8"),
        ({"space": {"depth": {"low": 8, "hihg": 20}}}, "did you mean high?"),
        ({"space": {"recipe.lr": {"low": 0, "high": 1, "log": True}}}, "log: true needs low > 0"),
        ({"space": {"depth": {"low": "8", "high": 20}}}, "space.depth.low=8 is not a number"),
        ({"space": {"norm": ["batch", "batch"]}}, "not a list of different values"),
        ({"space": {"norm": [["batch"]]}}, "neither a word nor a number"),
        ({"space": ["depth"]}, r"space: \['depth'\] is not a mapping"),
        ({"space": {"recipe": {"lr": [0.1, 1]}}}, "an option is an axis of its own: recipe.lr"),
        (
            {"space": {"depth": {"low": 8, "high": 20, "log": "false"}}},
            "depth.log=false is neither true nor false",
        ),
        ({"search": {"replicate": 3}}, "search.replicate: 3 is not a mapping"),
        ({"search": {"objectives": []}}, r"objectives=\[\] is not a list of different metrics"),
        ({"search": {"objectives": ["val_error", "val_error"]}}, "is not a list of different metrics"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_searched_is_refused_in_one_sentence(study: dict, says: str) -> None:
    with pytest.raises(StudyError, match=says) as refused:
        read_search({"space": SPACE, **study})
    assert "\n" not in str(refused.value)
