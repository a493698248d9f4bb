"""Verdicts follow from the tests and say what is missing; claims without an answer are refused before training."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_schema import ClaimError, expected_region
from ablations.analysis.results import result_rows
from ablations.analysis.statistics import ALPHA, POWER
from ablations.analysis.verdicts import check_answerable, judge
from tests.ablations.conftest import make_plan, make_records

DEEP, SHALLOW = {"block": "plain", "depth": 56}, {"block": "plain", "depth": 20}


def claim(expect="> 0", plus=DEEP, minus=SHALLOW, metric="train_error", **more):
    return {
        "says": "Deeper is worse.",
        "metric": metric,
        "contrast": {"plus": plus, "minus": minus},
        "expect": expect,
    } | more


def verdict_of(deep, shallow, **about):
    """The verdict on one claim, given the errors of plain-56 and plain-20 by seed (None: not trained)."""
    plan = make_plan(claims=[claim(**about)], seeds=range(len(deep)))
    by_depth = {56: deep, 20: shallow, 8: [1.0] * len(deep)}
    return judge(plan, make_records(plan, lambda axes, seed: by_depth[axes["depth"]][seed]))[0]


HIGH, LOW = [60.0, 62.0, 61.0], [2.0, 3.0, 2.5]


@pytest.mark.parametrize(
    ("expect", "deep", "shallow", "outcome"),
    [
        ("> 0", HIGH, LOW, "supported"),
        ("> 0", LOW, HIGH, "contradicted"),
        ("< 0", LOW, HIGH, "supported"),
        ("< 0", HIGH, LOW, "contradicted"),
        ("> 50", HIGH, LOW, "supported"),
        ("> 70", HIGH, LOW, "contradicted"),
        ("> 0", [2.0, 9.0, 5.0], [3.0, 4.0, 5.5], "inconclusive"),
        ("within 0.5", [2.01, 3.0, 2.5], [2.0, 3.02, 2.5], "supported"),
        ("within 0.5", HIGH, LOW, "contradicted"),
        ("within 0.5", [2.0, 3.0, 4.0], [2.5, 3.0, 3.0], "inconclusive"),
    ],
)
def test_outcome_follows_the_one_sided_interval(expect, deep, shallow, outcome):
    found = verdict_of(deep, shallow, expect=expect)
    assert found.outcome == outcome
    low, high = expected_region(expect)
    left, right = found.effect.interval_at(2 * ALPHA)  # each end by itself is a one-sided test
    sides = (low > -math.inf) + (high < math.inf)
    far_left, far_right = found.effect.interval_at(2 * ALPHA / sides)  # outside of one of them
    inside, outside = low < left and right < high, far_right < low or high < far_left
    assert outcome == ("supported" if inside else "contradicted" if outside else "inconclusive")


def test_effect_and_p_are_those_of_the_paired_t_test():
    found = verdict_of([5.0, 7.0, 9.5], [4.0, 4.5, 8.0])
    theirs = stats.ttest_rel([5.0, 7.0, 9.5], [4.0, 4.5, 8.0], alternative="greater")
    assert found.effect.mean == pytest.approx(5 / 3)
    assert found.p == pytest.approx(theirs.pvalue) == pytest.approx(found.adjusted)  # one claim: nothing to correct


def test_pairs_are_by_seed_and_not_by_order():
    found = verdict_of([5.0, None, 9.0, 7.0], [4.0, 100.0, 8.5, None])
    assert (found.n, found.effect.mean) == (2, pytest.approx(0.75))
    assert "2 of 4 seeds" in found.reason


def test_a_single_pair_gets_no_verdict():
    found = verdict_of([5.0, None], [4.0, 3.0])
    assert (found.outcome, found.reason) == ("no verdict", "needs at least 2 seeds, has 1 of 2")


def test_holm_makes_more_claims_harder():
    alone = make_plan(claims=[claim()])
    many = make_plan(claims=[claim() for _ in range(5)])
    errors = {56: [6.0, 9.0, 5.0], 20: [2.0, 4.0, 2.0], 8: [1.0] * 3}
    found = [judge(plan, make_records(plan, lambda axes, seed: errors[axes["depth"]][seed])) for plan in (alone, many)]
    assert found[0][0].outcome == "supported"
    assert {verdict.outcome for verdict in found[1]} == {"inconclusive"}
    assert found[1][0].adjusted == pytest.approx(5 * found[0][0].p)


def test_a_claim_without_data_still_counts_in_the_correction():
    plan = make_plan(claims=[claim(), claim(plus={"block": "highway"})])
    errors = {56: HIGH, 20: LOW, 8: [1.0] * 3}
    first, second = judge(plan, make_records(plan, lambda axes, seed: errors[axes["depth"]][seed]))
    assert first.adjusted == pytest.approx(2 * first.p)
    reason = "no such cell in this study: block=highway; block is plain, residual"
    assert (second.outcome, second.reason) == ("no verdict", reason)


def test_an_ambiguous_side_says_what_else_to_name(plan):
    plan["study"]["claims"] = [claim(minus={"block": "residual"})]
    assert judge(plan, make_records(plan))[0].reason == "block=residual matches 3 cells; name also depth"


def test_a_cell_is_found_by_any_point_it_answers_and_never_against_itself():
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]})
    rows = result_rows(plan, {})
    assert select({"block": "plain", "shortcut": "B"}, rows) == select({"block": "plain"}, rows) == rows[:1]
    assert select({"shortcut": "B", "norm": "batch"}, rows) == [rows[0], rows[2]]
    assert select({"depth": 20}, rows) == []
    sides = {"plus": {"block": "plain", "shortcut": "B"}, "minus": {"block": "plain", "shortcut": "A"}}
    plan["study"]["claims"] = [claim(**sides)]
    assert "same cell" in judge(plan, make_records(plan))[0].reason


def test_a_diverged_run_counts_with_its_error_and_never_with_its_loss():
    deep = [60.0, {"status": "diverged", "error": 90.0}, 61.0]
    found = verdict_of(deep, LOW)
    assert found.effect.mean == pytest.approx((58 + 87 + 58.5) / 3)
    assert found.reason == "1 diverged"
    loss = verdict_of(deep, LOW, metric="train_loss")
    assert (loss.effect.interval, loss.diverged) == (None, 1)
    assert loss.effect.mean == pytest.approx(61 / 50 - 2.5 / 50)  # the median; the mean would be infinite
    assert loss.p == 0.5**3  # all three seeds say the same, and three signs cannot say more
    assert "1 diverged, some are infinite: signed ranks, median, 3 seeds allow no p below 0.125" in loss.reason


def test_what_is_infinite_in_every_seed_points_where_it_is():
    few = verdict_of([{"status": "diverged"}] * 3, LOW, metric="train_loss")
    assert (few.outcome, few.p, few.more_seeds) == ("inconclusive", 0.5**3, 8)
    many = verdict_of([{"status": "diverged"}] * 5, [1.0] * 5, metric="train_loss")
    assert (many.outcome, many.p) == ("supported", 0.5**5)
    other = verdict_of([1.0] * 5, [{"status": "diverged"}] * 5, metric="train_loss")
    assert (other.outcome, other.p) == ("contradicted", 0.5**5)


def test_failed_seeds_are_tried_again_and_not_counted_twice():
    plan = make_plan(claims=[claim()])
    errors = {56: [2.0, 9.0, 5.0], 20: [1.5, 4.0, 5.5], 8: [1.0] * 3}

    def error(axes, seed):
        return {"status": "failed"} if (axes["depth"], seed) == (20, 2) else errors[axes["depth"]][seed]

    found = judge(plan, make_records(plan, error))[0]
    enough = found.n + found.more_seeds
    assert (found.n, found.command) == (2, f"python run.py -m retry=failed 'seed=range({enough})'")


def test_what_a_plan_will_not_answer_is_refused_before_it_is_trained():
    for asked, words in [
        (claim(plus={"block": "highway"}), "block is plain, residual"),
        (claim(plus={"blok": "plain"}), "no axis blok; did you mean block?"),
        (claim(plus={"zzz": "plain"}), "no axis zzz; did you mean "),
        (claim(plus={"block": "plain"}), "matches 3 cells"),
        (claim(minus={"block": "plain", "depth": 56}), "the same cell"),
        (claim(metric="train_error@500"), "train_error@500, but its runs have 10 epochs"),
    ]:
        plan = make_plan(claims=[asked])
        for cell in plan["cells"]:
            cell["epochs"] = 10
        with pytest.raises(ClaimError, match=words):
            check_answerable(plan)
    plan["study"]["claims"] = [claim(metric="train_error@10")]
    check_answerable(plan)


def test_no_spread_needs_enough_seeds_to_be_believed():
    few, many = verdict_of([2.0] * 3, [1.0] * 3), verdict_of([2.0] * 6, [1.0] * 6)
    assert (few.outcome, few.p, few.more_seeds) == ("inconclusive", 0.125, 2)
    assert many.outcome == "supported"
    assert "sign test" in many.reason
    nothing = verdict_of([2.0] * 3, [2.0] * 3)
    assert (nothing.outcome, nothing.more_seeds, nothing.command) == ("inconclusive", None, "")


def test_about_how_many_more_seeds_would_be_enough_and_one_less_would_not():
    found = verdict_of([2.0, 9.0, 5.0], [1.5, 4.0, 5.5])
    enough = found.n + found.more_seeds
    assert found.outcome == "inconclusive"
    power = found.effect.power_above(0.0, np.array([enough - 1, enough]), ALPHA)
    assert power[0] < POWER <= power[1]
    assert found.command == f"python run.py -m 'seed=range({enough})'"
