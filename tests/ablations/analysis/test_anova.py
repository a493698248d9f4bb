"""The effects equal those of statsmodels; where the grid has gaps, a note says so."""

from __future__ import annotations

import io
import random
import re

import pandas
import pytest
from rich.console import Console
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablations.analysis.anova import HIGHER_ORDER, axis_effects
from ablations.report.analyses import print_effects
from tests.ablations.conftest import make_plan, make_records

GRID = {"block": ["plain", "residual"], "depth": [8, 20, 56], "norm": ["batch", "none"]}


def study(grid=GRID, seeds=3, lost=()):
    """A plan, records with random errors, and the same as a data frame."""
    plan, draw = make_plan(grid, seeds=range(seeds)), random.Random(0)
    table = []

    def error(axes, seed):
        value = 5 + draw.gauss(0, 1) + axes["depth"] / 20 * (axes["block"] == "plain") + (axes["norm"] == "none")
        if (axes["block"], axes["depth"], seed) in lost:
            return None
        table.append({**axes, "value": value})
        return value

    return plan, make_records(plan, error), table


def anova(table, formula):
    return anova_lm(ols(formula, pandas.DataFrame(table)).fit(), typ=2)


@pytest.mark.parametrize("lost", [(), {("plain", 8, 0), ("residual", 56, 0), ("residual", 56, 1)}])
def test_type_two_anova_of_statsmodels(lost):
    plan, records, table = study(lost=lost)
    theirs = anova(table, "value ~ C(block) * C(depth) * C(norm)")
    found = axis_effects(plan, records)
    assert len(found.terms) == 7
    for term in found.terms:
        row = theirs.loc[":".join(f"C({axis})" for axis in (GRID if term.axes == (HIGHER_ORDER,) else term.axes))]
        assert (term.f, term.p, term.df) == pytest.approx((row["F"], row["PR(>F)"], row["df"]))
    pooled = theirs.loc["Residual"]
    assert found.seed_sd**2 == pytest.approx(pooled["sum_sq"] / pooled["df"])
    assert ("Unbalanced" in found.notes[0]) == bool(lost)


def test_shares_of_a_balanced_grid_add_up():
    plan, records, table = study({"block": ["plain", "residual"], "depth": [8, 20], "norm": ["batch"]})
    found = axis_effects(plan, records)
    theirs = anova(table, "value ~ C(block) * C(depth)")
    assert found.seed_share == pytest.approx(theirs.loc["Residual"]["sum_sq"] / theirs["sum_sq"].sum())
    assert found.seed_share + sum(term.share for term in found.terms) == pytest.approx(1)
    assert {term.axes for term in found.terms} == {("block",), ("depth",), ("block", "depth")}


def test_an_axis_that_is_not_active_everywhere_is_compared_where_it_is():
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B", "C"]}, seeds=range(4))
    draw = random.Random(1)
    means = {"A": 5, "B": 4, "C": 3}
    records = make_records(plan, lambda axes, seed: means.get(axes.get("shortcut"), 20) + draw.gauss(0, 0.1))
    found = axis_effects(plan, records)
    by_axes = {term.axes: term for term in found.terms}
    assert by_axes["block",].df == 0  # what the shortcut is says already whether the block is plain
    assert by_axes["shortcut",].df == 2
    assert by_axes["shortcut",].p < 1e-6
    assert by_axes["block", "shortcut"].f is None
    assert "shortcut is not active in 1 of the cells (–)." in found.notes
    assert any(note.startswith("Incomplete grid: only 4 of the 8 combinations") for note in found.notes)


def test_where_all_runs_are_equal_nothing_has_an_effect():
    plan = make_plan()
    found = axis_effects(plan, make_records(plan, lambda axes, seed: 90.1))
    assert [(term.share, term.f, term.p) for term in found.terms] == [(0, 0, 1)] * 3


def test_what_three_axes_do_together_is_not_hidden():
    def odd(axes, seed):
        return 100.0 * ((axes["block"] == "plain") ^ (axes["depth"] == 8) ^ (axes["norm"] == "none")) + seed

    plan = make_plan({"block": ["plain", "residual"], "depth": [8, 20], "norm": ["batch", "none"]})
    found = axis_effects(plan, make_records(plan, odd))
    assert max(found.terms, key=lambda term: term.share).axes == (HIGHER_ORDER,)
    assert found.seed_share + sum(term.share for term in found.terms) == pytest.approx(1)


def test_missing_cells_and_diverged_runs_are_said():
    plan, records, _ = study(lost={("plain", 8, seed) for seed in range(3)})
    next(iter(records.values()))["status"] = "diverged"
    notes = axis_effects(plan, records).notes
    assert "Incomplete: 2 cells have no run yet." in notes
    assert any("10 of the 12 combinations" in note for note in notes)
    assert "1 run diverged and counts as measured." in notes


def test_without_any_spread_an_effect_is_certain():
    plan = make_plan()
    found = axis_effects(plan, make_records(plan, lambda axes, seed: axes["depth"]))
    by_axes = {term.axes: term for term in found.terms}
    assert by_axes["depth",].f == float("inf")
    assert (by_axes["block",].share, by_axes["block",].p) == (0, 1)
    assert found.levels["depth"] == {"8": 8, "20": 20, "56": 56}


@pytest.mark.parametrize(
    ("errors", "more", "words"),
    [
        (lambda axes, seed: None, {}, "there are 0 measured cells"),
        (lambda axes, seed: 5.0 if seed == 0 else None, {}, "two seeds in one of them"),
        (lambda axes, seed: {"status": "diverged"}, {"metric": "test_loss"}, "is infinite for plain-8-s0"),
        (lambda axes, seed: 5.0, {"metric": "test_eror"}, "did you mean test_error"),
        (lambda axes, seed: 5.0, {"where": {"block": "plain", "depth": 8}}, "there is 1 measured cell$"),
    ],
)
def test_what_cannot_be_analysed_is_refused(plan, errors, more, words):
    with pytest.raises(ValueError, match=words):
        axis_effects(plan, make_records(plan, errors), **more)


def test_the_largest_effect_is_printed_first():
    plan, records, _ = study()
    console = Console(file=io.StringIO(), width=100)
    print_effects(axis_effects(plan, records), console)
    text = console.file.getvalue()
    shares = [float(share) for share in re.findall(r"([\d.]+)%", text)]
    assert len(shares) == 8  # of seven terms, and of what lies between seeds
    assert shares[:-1] == sorted(shares[:-1], reverse=True)
    assert "36 runs in 12 cells, 3 a cell." in text
