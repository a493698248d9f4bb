"""How likely a cell is to be on the front: certain where seeds agree, even where two cells are alike."""

from __future__ import annotations

import pytest

from ablations.analysis.front_odds import front_odds
from ablations.analysis.results import Spread


def cell(error: float | None, macs: float, sd: float | None = 1.0, n: int = 3) -> list[Spread]:
    return [Spread(error, sd, n), Spread(macs, 0.0, n)]


def test_what_is_cheapest_is_on_the_front_and_what_is_worse_and_dearer_is_not():
    assert front_odds([cell(90.0, 1e6), cell(5.0, 2e6), cell(60.0, 3e6)]) == pytest.approx([1, 1, 0], abs=0.01)


def test_of_two_equal_cells_of_one_size_each_is_on_it_in_half_of_the_draws():
    found = front_odds([cell(5.0, 1e6), cell(5.0, 1e6)])
    assert found == [pytest.approx(0.5, abs=0.03)] * 2
    assert found[0] + found[1] == pytest.approx(1)


def test_the_odds_of_a_dearer_cell_are_those_of_a_lower_mean():
    """Two means of n seeds with sd 1 that differ by 1: the probability that the difference of two t's is below √n."""
    few, many = (front_odds([cell(5.0, 1e6, n=n), cell(4.0, 2e6, n=n)])[1] for n in (3, 50))
    assert few == pytest.approx(0.80, abs=0.03)
    assert many > 0.999


@pytest.mark.parametrize("unknown", [cell(5.0, 1e6, sd=None, n=1), cell(None, 1e6), cell(float("inf"), 1e6)])
def test_what_cannot_be_told_is_none_and_beats_nobody(unknown):
    assert front_odds([unknown, cell(9.0, 2e6)]) == [None, 1.0]
