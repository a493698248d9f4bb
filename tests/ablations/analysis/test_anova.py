"""The effects equal those of SciPy and statsmodels, hold their level, and know nested options; notes name every gap."""

from __future__ import annotations

import io
import math
import random
import re
from dataclasses import asdict

import numpy as np
import pandas
import pytest
from rich.console import Console
from scipy import stats
from scipy.linalg import helmert
from statsmodels.formula.api import ols
from statsmodels.stats.anova import AnovaRM, anova_lm

from ablations.analysis.anova import axis_effects
from ablations.analysis.anova_terms import HIGHER_ORDER
from ablations.report.analyses import p_words, print_effects
from benchmarks.effects import CASES, false_rates
from tests.ablations.conftest import make_plan, make_records

GRID = {"block": ["plain", "residual"], "depth": [8, 20, 56], "norm": ["batch", "none"]}


def study(grid=GRID, seeds=3, lost=()):
    """A plan, records with random errors, and the same as a data frame."""
    plan, draw = make_plan(grid, seeds=range(seeds)), random.Random(0)
    luck, table = [draw.gauss(0, 3) for _ in range(seeds)], []

    def error(axes, seed):
        value = 5 + luck[seed] + draw.gauss(0, 1) * (1 + 9 * (axes["block"] == "plain"))
        value += axes["depth"] / 20 * (axes["block"] == "plain") + (axes["norm"] == "none")
        if (axes["block"], axes["depth"], seed) in lost:
            return None
        table.append({**axes, "seed": seed, "value": value})
        return value

    return plan, make_records(plan, error), pandas.DataFrame(table)


def by_name(effects):
    return {term.name: term for term in effects.terms}


def test_f_is_that_of_repeated_measures_with_seeds_as_subjects():
    plan, records, table = study(seeds=4)
    theirs = AnovaRM(table, "value", "seed", within=[*GRID]).fit().anova_table
    found = axis_effects(plan, records)
    assert len(found.terms) == 7
    for term in found.terms:
        row = theirs.loc[":".join(GRID if term.axes == (HIGHER_ORDER,) else term.axes)]
        assert (term.f, term.df) == pytest.approx((row["F Value"], row["Num DF"]))
        if term.df == 1:
            assert term.p == pytest.approx(row["Pr > F"])
    three = table.pivot_table(index="seed", columns="depth", values="value").to_numpy() @ helmert(3).T
    s = np.cov(three.T)
    freedom = np.trace(s) ** 2 / np.trace(s @ s)  # Geisser and Greenhouse: ε (k − 1)
    assert 1 < freedom < 2
    depth = by_name(found)["depth"]
    assert depth.p == pytest.approx(stats.f.sf(depth.f, freedom, 3 * freedom))


def test_two_levels_are_students_paired_t():
    plan, records, table = study({"block": ["plain", "residual"], "depth": [8, 20]}, seeds=5)
    wide = table.pivot_table(index="seed", columns=["block", "depth"], values="value")
    block = stats.ttest_rel(wide["plain"].mean(axis=1), wide["residual"].mean(axis=1))
    together = stats.ttest_1samp((wide["plain"] - wide["residual"]) @ [1, -1], 0)
    found = by_name(axis_effects(plan, records))
    assert (found["block"].f, found["block"].p) == pytest.approx((block.statistic**2, block.pvalue))
    assert (found["block × depth"].f, found["block × depth"].p) == pytest.approx(
        (together.statistic**2, together.pvalue)
    )


def test_cells_without_common_seeds_are_paired_in_their_order():
    plan = make_plan({"depth": [8, 20]}, seeds=range(9))
    records = make_records(plan, lambda axes, seed: seed**1.5 if (axes["depth"] == 8) == (seed < 4) else None)
    found = axis_effects(plan, records)
    theirs = stats.ttest_rel(*([seed**1.5 for seed in seeds] for seeds in (range(4), range(4, 8))))
    assert (found.terms[0].f, found.terms[0].p) == pytest.approx((theirs.statistic**2, theirs.pvalue))
    assert found.notes[0].startswith("8 runs in 2 cells, 4 a cell, paired in the order of their seeds")
    assert found.notes[0].endswith("1 further runs have no pair.")


@pytest.mark.parametrize("lost", [(), {("plain", 8, seed) for seed in range(3)}])
def test_sums_of_squares_are_of_type_two(lost):
    plan, records, table = study(lost=lost)
    table["both"] = table.block + table.depth.astype(str)
    left = {terms: ols(f"value ~ {terms}", table).fit().ssr for terms in ("1", "C(depth)", "block + C(depth)", "both")}
    found = by_name(axis_effects(plan, records))
    assert found["block"].share == pytest.approx((left["C(depth)"] - left["block + C(depth)"]) / left["1"])
    assert found["block × depth"].share == pytest.approx((left["block + C(depth)"] - left["both"]) / left["1"])
    assert found["block × depth"].df == (1 if lost else 2)


def test_shares_of_a_balanced_grid_add_up():
    plan, records, table = study({"block": ["plain", "residual"], "depth": [8, 20], "norm": ["batch"]})
    found = axis_effects(plan, records)
    theirs = anova_lm(ols("value ~ C(block) * C(depth)", table).fit(), typ=2)
    assert found.seed_share == pytest.approx(theirs.loc["Residual"]["sum_sq"] / theirs["sum_sq"].sum())
    assert found.seed_share + sum(term.share for term in found.terms) == pytest.approx(1)
    assert [*by_name(found)] == ["block", "depth", "block × depth"]


@pytest.mark.parametrize("name", CASES)
def test_false_effects_are_as_rare_as_promised(name):
    """2,000 studies without any effect: 5.5% plus three standard errors; benchmarks/effects.py has the large table."""
    for grid in ((3, 3), (2, 5), (2, 2, 2)):
        for seeds in (3, 10):
            rates = false_rates(CASES[name], grid, seeds, draws=2000)
            assert max(rates.single, rates.table) <= 0.07, (grid, seeds)


def test_p_values_are_corrected_over_the_table():
    plan, records, _ = study()
    terms = axis_effects(plan, records).terms
    least = min(terms, key=lambda term: term.p)
    assert least.adjusted == pytest.approx(min(1, len(terms) * least.p))
    assert all(term.adjusted >= term.p for term in terms)


def test_seeds_that_only_some_cells_have_are_not_compared():
    plan, records, _ = study(seeds=5, lost={("plain", 8, 4), ("plain", 8, 3)})
    few, few_records, _ = study(seeds=3)
    for record in few_records.values():
        same = next(r for r in records.values() if (r["axes"], r["seed"]) == (record["axes"], record["seed"]))
        record["metrics"] = same["metrics"]
    found, expected = axis_effects(plan, records), axis_effects(few, few_records)
    assert (found.terms, found.levels) == (expected.terms, expected.levels)
    assert found.notes[0] == (
        "36 runs in 12 cells, 3 a cell, paired by seed; 20 further runs have seeds that not all cells have."
    )


def test_a_cell_with_one_seed_is_left_out_and_named():
    plan, records, _ = study(lost={("plain", 8, 1), ("plain", 8, 2)})
    found = axis_effects(plan, records)
    assert "With fewer than two seeds, and left out: plain 8 batch, plain 8 none." in found.notes
    assert found.notes[0].startswith("30 runs in 10 cells, 3 a cell")


def nested(seeds=range(4)):
    """Plain nets, and residual ones with three shortcuts, at two depths."""
    return make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B", "C"], "depth": [8, 20]}, seeds=seeds)


def test_an_option_is_nested_in_the_axis_it_belongs_to_and_the_rest_stays_a_grid():
    plan, draw = nested(), random.Random(1)
    means = {"A": 5, "B": 4, "C": 3}

    def error(axes, seed):
        deeper = axes["depth"] == 20 and axes["block"] == "plain"
        return means.get(axes.get("shortcut"), 20) + 10 * deeper + draw.gauss(0, 0.1)

    found = axis_effects(plan, make_records(plan, error))
    terms = by_name(found)
    assert {name: term.df for name, term in terms.items()} == {
        "block": 1,
        "shortcut within block": 2,
        "depth": 1,
        "block × depth": 1,
        "shortcut × depth within block": 2,
    }
    assert {name for name, term in terms.items() if term.adjusted < 0.01} == {*terms} - {
        "shortcut × depth within block"
    }
    assert [*found.levels["shortcut"]] == ["A", "B", "C"]
    assert "shortcut is compared within block (residual), where it is active." in found.notes
    assert not [note for note in found.notes if "ncomplete" in note]
    assert found.seed_share + sum(term.share for term in found.terms) == pytest.approx(1)


def test_a_nested_effect_is_that_of_the_cells_that_have_the_option():
    plan, draw = nested(), random.Random(2)
    records = make_records(plan, lambda axes, seed: draw.gauss(0, 1))
    whole = by_name(axis_effects(plan, records))["shortcut within block"]
    part = by_name(axis_effects(plan, records, where={"block": "residual"}))["shortcut"]
    assert (whole.f, whole.p, whole.df) == pytest.approx((part.f, part.p, part.df))


def test_an_option_with_one_value_is_no_effect_and_no_gap():
    plan = make_plan({"body": ["basic", "se"], "body.reduction": [2], "depth": [8, 20]}, seeds=range(3))
    for cell in plan["cells"]:
        if cell["axes"]["body"] == "basic":
            del cell["axes"]["body.reduction"]
    draw = random.Random(3)
    found = axis_effects(plan, make_records(plan, lambda axes, seed: axes["depth"] + draw.gauss(0, 1)))
    assert {name: term.df for name, term in by_name(found).items()} == {"body": 1, "depth": 1, "body × depth": 1}
    assert not [note for note in found.notes if "ncomplete" in note]


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


def test_a_cell_with_an_infinite_value_is_left_out_and_named_first():
    plan = make_plan()

    def error(axes, seed):
        lost = (axes["block"], axes["depth"], seed) == ("plain", 56, 1)
        return {"status": "diverged"} if lost else 5 + math.sin(axes["depth"] * (seed + 1))

    found = axis_effects(plan, make_records(plan, error), metric="test_loss")
    assert found.notes[1] == "test_loss is infinite in plain 56: left out, and nothing here is about these cells."
    assert "Incomplete grid: only 5 of the 6 combinations" in found.notes[2]
    assert by_name(found)["block × depth"].df == 1


@pytest.mark.parametrize("seeds", [3, 5])
def test_without_any_spread_p_is_that_of_the_sign_test(seeds):
    plan = make_plan(seeds=range(seeds))
    found = axis_effects(plan, make_records(plan, lambda axes, seed: axes["depth"]))
    depth = by_name(found)["depth"]
    assert (depth.f, depth.p) == (None, 2 * 0.5**seeds)
    assert (by_name(found)["block"].share, by_name(found)["block"].p) == (0, 1)
    assert found.levels["depth"] == {"8": 8, "20": 20, "56": 56}


def test_no_number_is_infinite_and_no_p_is_zero():
    plan, draw = make_plan(seeds=range(40)), random.Random(4)
    found = axis_effects(plan, make_records(plan, lambda axes, seed: axes["depth"] * 1e5 + draw.gauss(0, 1)))
    numbers = [value for term in found.terms for value in asdict(term).values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
    assert min(term.p for term in found.terms) > 0
    assert [p_words(p) for p in (0.25, 1.23e-11, 1e-13)] == ["0.25", "1.2e-11", "< 1e-12"]
    console = Console(file=io.StringIO(), width=100)
    print_effects(found, console)
    assert "< 1e-12" in console.file.getvalue()


@pytest.mark.parametrize(
    ("errors", "more", "words"),
    [
        (lambda axes, seed: None, {}, "there are 0 of 6"),
        (lambda axes, seed: 5.0 if seed == 0 else None, {}, "two cells with two seeds"),
        (
            lambda axes, seed: {"status": "diverged"},
            {"metric": "test_loss"},
            "infinite in plain 8, plain 20, plain 56 and",
        ),
        (lambda axes, seed: 5.0, {"metric": "test_eror"}, "did you mean test_error"),
        (lambda axes, seed: 5.0, {"where": {"block": "plain", "depth": 8}}, "there is 1 of 1$"),
    ],
)
def test_what_cannot_be_analysed_is_refused(plan, errors, more, words):
    with pytest.raises(ValueError, match=words):
        axis_effects(plan, make_records(plan, errors), **more)


def test_the_largest_effect_is_printed_first():
    plan, records, _ = study()
    console = Console(file=io.StringIO(), width=200)
    print_effects(axis_effects(plan, records), console)
    text = console.file.getvalue()
    shares = [float(share) for share in re.findall(r"([\d.]+)%", text)]
    assert shares[:7] == sorted(shares[:7], reverse=True)
    assert "36 runs in 12 cells, 3 a cell, paired by seed." in text
    assert "3 seeds do not exclude that a cell fails to train in up to 63% of its seeds" in text
    assert np.isclose(sum(shares[:8]), 100, atol=0.5)  # seven terms, and what lies between seeds
