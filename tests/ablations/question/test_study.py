"""From a question to its points: grids, and what the command line changes."""

import pytest

from ablations.question.study import StudyError, grid_points, merge

STUDY = {"grid": [{"block": ["plain", "residual"], "depth": [8, 20]}]}


def test_a_grid_is_a_union_of_products_in_the_order_written() -> None:
    grid = [{"block": "residual", "shortcut": ["A", "B"]}, {"block": "plain"}, {"block": "residual", "shortcut": "A"}]
    assert grid_points(grid) == [
        {"block": "residual", "shortcut": "A"},
        {"block": "residual", "shortcut": "B"},
        {"block": "plain"},
    ]


def test_the_study_as_written() -> None:
    points, swept = merge(STUDY, {}, {})
    assert (len(points), swept) == (4, ["block", "depth"])


def test_one_value_replaces_that_axis() -> None:
    points, swept = merge(STUDY, {"depth": 56}, {})
    assert points == [{"block": "plain", "depth": 56}, {"block": "residual", "depth": 56}]
    assert swept == ["block"]


def test_several_values_replace_the_grid() -> None:
    points, swept = merge(STUDY, {"depth": 8, "block": "plain", "seed": 0}, {"shortcut": ["A", "B", "C"]})
    assert [point["shortcut"] for point in points] == ["A", "B", "C"]
    assert all(point["block"] == "plain" and point["depth"] == 8 for point in points)
    assert swept == ["shortcut"]


def test_seeds_leave_the_grid_alone() -> None:
    assert merge(STUDY, {}, {"seed": [0, 1, 2, 3, 4]}) == merge(STUDY, {}, {})


def test_merging_changes_nothing_it_was_given() -> None:
    chosen, swept = {"seed": 1}, {"block": ["plain"], "seed": [1, 2]}
    merge(STUDY, chosen, swept)
    assert (chosen, swept) == ({"seed": 1}, {"block": ["plain"], "seed": [1, 2]})


@pytest.mark.parametrize("grid", ["plain", [["plain"]], [{"block": []}], [{"seed": [1]}]])
def test_what_is_no_grid(grid: object) -> None:
    with pytest.raises(StudyError):
        grid_points(grid)
