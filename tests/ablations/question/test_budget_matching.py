"""Solved widths give budgets that agree within 2%; what has no such width says how close it comes."""

from __future__ import annotations

import pytest

from ablations.question.budget_matching import TOLERANCE, UNIT, BudgetError, Scale, match_widths


def network(layers, base=(8, 16, 32), extra=0):
    """Parameters of a net with so many layers a stage, as channels are rounded in one."""

    def count(width):
        sizes = [max(1, round(channels * width)) for channels in base]
        return sum(layers * 9 * size * size + extra * size for size in sizes)

    return count


def calls(count):
    asked = []

    def counted(width):
        asked.append(width)
        return count(width)

    return counted, asked


@pytest.mark.parametrize("target", [500, 10_000, 68_000, 1_000_000])
@pytest.mark.parametrize("layers", [1, 6, 18])
def test_no_width_is_nearer(layers, target):
    count, asked = calls(network(layers))
    width, found = Scale(count).nearest(target)
    assert count(width) == found
    assert len(asked) < 45
    assert len(set(asked[:-1])) == len(asked) - 1  # each once
    best = min(abs(count(k / UNIT) - target) for k in range(1, 12 * UNIT))
    assert abs(found - target) == best


def test_its_own_width_is_kept_where_it_is_as_good():
    count = network(6)
    assert Scale(count).nearest(count(1.0)) == (1.0, count(1.0))
    assert Scale(count).nearest(count(1.0) + 1)[0] == 1.0
    assert Scale(count, width=0.5).nearest(count(0.5))[0] == 0.5


@pytest.mark.parametrize("depths", [(2, 6), (6, 6, 7), (1, 3, 9, 18), (6, 18, 54)])
@pytest.mark.parametrize("base", [(8, 16, 32), (16, 32, 64)])
def test_matched_budgets_agree(depths, base):
    counts = {layers: network(layers, base, extra=layers) for layers in depths}
    widths, reasons = match_widths({key: Scale(count) for key, count in counts.items()}, counts[depths[0]](1.0))
    matched = [counts[key](width) for key, width in widths.items()]
    assert min(matched) >= (1 - TOLERANCE) * max(matched)
    assert set(widths) | set(reasons) == set(depths)
    if base[0] == 16:
        assert not reasons


def test_another_budget_nearby_is_found_where_the_one_asked_for_does_not_suit():
    steps = [900, 1000, 1100]
    one = Scale(lambda width: steps[min(2, int(width))], width=1.5)
    other = Scale(lambda width: [880, 1040, 1090][min(2, int(width))], width=1.5)
    widths, reasons = match_widths({"one": one, "other": other}, 1000)
    assert reasons == {}
    budgets = {"one": one.count(widths["one"]), "other": other.count(widths["other"])}
    assert budgets == {"one": 1100, "other": 1090}


def test_what_cannot_be_matched_says_how_close_it_comes():
    coarse = Scale(lambda width: 700 if width < 1 else 1290)
    widths, reasons = match_widths({"fine": Scale(lambda width: round(1000 * width)), "coarse": coarse}, 1000)
    assert widths == {"fine": 1.0}
    said = "no width brings it within 2% of all the others; the nearest to 1,000 is width=1 with 1,290, 29.0% off"
    assert reasons["coarse"] == said


@pytest.mark.parametrize("others", [(1290,), (1290, 790), (985,)])
def test_a_cell_without_a_width_leaves_the_others_matched_within_what_is_said(others):
    def fixed(count):
        return Scale(lambda width: round(count * (0.5 if width < 1 else 1 if width == 1 else 50)))

    counts = {"one": 1000, "within": 1016, **{f"off{count}": count for count in others}}
    alone, _ = match_widths({"one": fixed(1000), "within": fixed(1016)}, 1000)
    widths, reasons = match_widths({key: fixed(count) for key, count in counts.items()}, 1000)
    matched = [counts[key] for key in widths]
    assert min(matched) >= (1 - TOLERANCE) * max(matched)
    assert len(matched) == len(alone) == 2, "as many as there are without it"
    assert len(reasons) == len(others)
    assert (widths == alone) is (985 not in others), "but where another is nearer"


def test_a_width_without_influence_is_refused():
    with pytest.raises(BudgetError, match="its width changes nothing: the count stays 7"):
        Scale(lambda width: 7).nearest(5)
    with pytest.raises(BudgetError, match="no width up to 64 reaches 9"):
        Scale(lambda width: 7).nearest(9)
    assert match_widths({"fixed": Scale(lambda width: 7)}, 7) == ({"fixed": 1.0}, {})


def test_what_cannot_be_built_is_left_out_with_its_reason():
    def broken(width):
        raise ValueError("depth=21 is not 6n+2")

    widths, reasons = match_widths({"good": Scale(network(6)), "bad": Scale(broken)}, network(6)(1.0))
    assert (widths, reasons) == ({"good": 1.0}, {"bad": "depth=21 is not 6n+2"})
