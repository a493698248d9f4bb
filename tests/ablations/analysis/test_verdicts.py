"""Verdicts follow from the tests and say what is missing; claims without an answer are refused before training."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_checks import check_answerable
from ablations.analysis.claim_schema import ClaimError, expected_region
from ablations.analysis.looking import HORIZON, t_critical
from ablations.analysis.results import result_rows
from ablations.analysis.statistics import ALPHA, POWER
from ablations.analysis.verdicts import judge
from ablations.report.verdict_list import notes_of
from tests.ablations.conftest import make_plan, make_records

DEEP, SHALLOW = {"block": "plain", "depth": 56}, {"block": "plain", "depth": 20}


def claim(expect="> 0", plus=DEEP, minus=SHALLOW, metric="train_error", **more):
    return {
        "says": "Deeper is worse.",
        "metric": metric,
        "contrast": {"plus": plus, "minus": minus},
        "expect": expect,
    } | more


def verdict_of(deep, shallow, seeds=None, **about):
    """The verdict on one claim, given the errors of plain-56 and plain-20 by seed (None: not trained)."""
    plan = make_plan(claims=[claim(**about)], seeds=seeds or range(len(deep)))
    for cell in plan["cells"]:  # a study that adds seeds has come so far
        cell["runs"], cell["further"] = [*cell["runs"], *cell["further"]][: len(deep)], []
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
    left, right = t_interval(found.effect, 2 * ALPHA)  # each end by itself is a one-sided test
    sides = (low > -math.inf) + (high < math.inf)
    far_left, far_right = t_interval(found.effect, 2 * ALPHA / sides)  # outside of one of them
    inside, outside = low < left and right < high, far_right < low or high < far_left
    assert outcome == ("supported" if inside else "contradicted" if outside else "inconclusive")


def t_interval(effect, alpha):
    return stats.t.interval(1 - alpha, effect.n - 1, effect.mean, effect.sd / math.sqrt(effect.n))


def test_effect_and_p_are_those_of_the_paired_t_test():
    found = verdict_of([5.0, 7.0, 9.5], [4.0, 4.5, 8.0])
    theirs = stats.ttest_rel([5.0, 7.0, 9.5], [4.0, 4.5, 8.0], alternative="greater")
    assert found.effect.mean == pytest.approx(5 / 3)
    assert found.p == pytest.approx(theirs.pvalue) == pytest.approx(found.adjusted)  # one claim: nothing to correct


GROWING = {"from": 3, "most": 30}


def test_pairs_are_by_seed_up_to_the_first_that_is_missing():
    """Which run ends first must not decide what is looked at: seed 5 waits for seed 4."""
    found = verdict_of([5.0, 7.0, 9.0, 8.0, None, 6.0], [4.0, 6.5, 8.5, 8.5, 7.0, 1.0], seeds=GROWING)
    assert found.effect.values == pytest.approx((1.0, 0.5, 0.5, -0.5))


def test_a_list_of_seeds_is_judged_once_when_all_are_there():
    deep, shallow = [60.0, 61.0, 62.0, 61.5], [1.0, 2.5, 1.5, 2.0]
    early = verdict_of([*deep, None], [*shallow, 2.0])
    words = "a list of seeds is judged once, when all are trained; 4 of 5 seeds are there"
    assert (early.outcome, early.effect, early.reason) == ("no verdict", None, words)
    late = verdict_of(deep, shallow)
    assert (late.outcome, late.horizon, late.level) == ("supported", None, ALPHA)


def test_a_list_that_was_looked_at_is_judged_with_looks_allowed_for():
    plan = make_plan(claims=[claim()])
    plan["study"]["looked"] = True
    errors = {56: [6.0, 9.0, 5.0], 20: [2.0, 4.0, 2.0], 8: [1.0] * 3}  # p = .003: enough where nobody looked
    records = make_records(plan, lambda axes, seed: errors[axes["depth"]][seed])
    looked, (fresh,) = judge(plan, records)[0], judge(make_plan(claims=[claim()]), records)
    assert (looked.horizon, looked.level) == (HORIZON, pytest.approx(t_critical(ALPHA, HORIZON)))
    assert (fresh.horizon, fresh.level) == (None, ALPHA)
    assert looked.p == fresh.p < fresh.adjusted * 1.0001 < looked.adjusted


@pytest.mark.parametrize("seeds", [[0, 1], GROWING])
def test_fewer_than_three_seeds_get_no_verdict(seeds):
    found = verdict_of([60.0, 61.0], [1.0, 1.5], seeds=seeds)
    assert (found.outcome, found.reason) == ("no verdict", "needs at least 3 seeds, has 2")


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


def test_a_diverged_run_has_all_images_wrong_and_an_infinite_loss():
    deep = [60.0, {"status": "diverged", "error": 90.0}, 61.0]
    found = verdict_of(deep, LOW)
    assert found.effect.mean == pytest.approx((58 + 97 + 58.5) / 3)
    assert found.reason.startswith("1 diverged, plain-56 fails to train in 1 of 3 seeds, the typical seed +58.50")
    loss = verdict_of(deep, LOW, metric="train_loss")
    assert (loss.effect.interval, loss.diverged, loss.effect.judged) == (None, 1, "median, by signs")
    assert loss.effect.mean == pytest.approx(61 / 50 - 2.5 / 50)  # the median; the mean would be infinite
    assert loss.p == 0.5**3  # all three seeds say the same, and three signs cannot say more
    assert loss.reason.endswith("some are infinite, 3 seeds allow no p below 0.125")


def test_what_is_infinite_in_every_seed_points_where_it_is():
    few = verdict_of([{"status": "diverged"}] * 3, LOW, metric="train_loss")
    assert (few.outcome, few.p) == ("inconclusive", 0.5**3)
    many = verdict_of([{"status": "diverged"}] * 5, [1.0] * 5, metric="train_loss")
    assert (many.outcome, many.p) == ("supported", 0.5**5)
    other = verdict_of([1.0] * 5, [{"status": "diverged"}] * 5, metric="train_loss")
    assert (other.outcome, other.p) == ("contradicted", 1.0)


LOSING = [
    ("train_error", "> 0"),
    ("train_loss", "> 0"),
    ("train_error@best", "> 0"),
    ("train_error@9", "> 0"),
    ("epochs until train_error <= 50", "> 0"),
    ("seconds", "> 0"),
    ("epochs", "> 0"),
    ("images_per_second", "< 0"),
    ("log10 seconds", "> 0"),
]


@pytest.mark.parametrize(("metric", "expect"), LOSING)
def test_a_cell_that_diverges_in_every_seed_loses_by_every_metric(metric, expect, tmp_path):
    """It was ahead in every epoch until it diverged at epoch 4, and it was done sooner."""
    plan = make_plan(claims=[claim(metric=metric, expect=expect)], seeds=range(5))
    early = {"status": "diverged", "epochs": 4, "seconds": 1.0, "images_per_second": 900.0, "error": 90.0}
    records = make_records(plan, lambda axes, seed: early if axes["depth"] == 56 else 5.0 + seed)
    for record in records.values():
        deep, seed = record["axes"]["depth"] == 56, record["seed"]
        curve = [f"{e},{20 - e + seed / 9 if deep else 70 - 5 * e + seed}" for e in range(1, 4 if deep else 11)]
        (tmp_path / record["folder"]).mkdir()
        (tmp_path / record["folder"] / "curve.csv").write_text("\n".join(["epoch,train_error", *curve]))
    assert judge(plan, records, runs=tmp_path)[0].outcome == "supported"


def test_a_verdict_waits_for_a_failed_run_and_names_it_first():
    def error(axes, seed):
        failed = (axes["block"], axes["depth"], seed) == ("plain", 20, 1)
        return {"status": "failed", "cause": "oom"} if failed else {56: HIGH, 20: LOW, 8: LOW}[axes["depth"]][seed % 3]

    waits = "waits for plain-20-s1, which failed (oom): retry=failed trains it again"
    for seeds, there in (((0, 1, 2), "1 of 3 seeds are there"), (GROWING, "1 of 3 seeds are there")):
        plan = make_plan(claims=[claim()], seeds=seeds)
        found = judge(plan, make_records(plan, error))[0]
        assert (found.outcome, found.n, found.reason) == ("no verdict", 0, f"{waits}; {there}")
        assert found.command.endswith(" retry=failed")
        assert notes_of(found)[0].startswith(f"no verdict: {waits}")


def test_seeds_before_a_failed_run_are_judged_and_it_is_named_first():
    deep, shallow = [2.0, 9.0, 5.0, {"status": "failed", "cause": "oom"}, 4.0], [1.5, 4.0, 5.5, 3.0, 3.0]
    found = verdict_of(deep, shallow, seeds=GROWING)
    assert (found.outcome, found.n) == ("inconclusive", 3)
    assert notes_of(found)[0].startswith("waits for plain-56-s3, which failed (oom)")


def test_p_is_that_of_the_claim_and_never_of_its_opposite():
    for expect, deep, shallow in (("> 0", LOW, HIGH), ("< 0", HIGH, LOW), ("within 0.5", HIGH, LOW)):
        found = verdict_of(deep, shallow, expect=expect)
        assert (found.outcome, found.p > 0.99, found.adjusted > 0.99) == ("contradicted", True, True)


@pytest.mark.parametrize(("deep", "shallow"), [(HIGH, LOW), (LOW, HIGH)])
def test_a_difference_is_supported_on_either_side(deep, shallow):
    found = verdict_of(deep, shallow, expect="!= 0")
    differences = [a - b for a, b in zip(deep, shallow, strict=True)]
    assert (found.outcome, found.p) == ("supported", pytest.approx(stats.ttest_1samp(differences, 0).pvalue))
    assert found.level == pytest.approx(ALPHA)
    growing = verdict_of(deep, shallow, seeds=GROWING, expect="!= 0")
    assert (growing.outcome, growing.level) == ("supported", pytest.approx(2 * t_critical(ALPHA / 2, 30)))


def test_that_there_is_no_difference_is_never_shown():
    for deep in ([2.0] * 12, [1.99, 2.01] * 6, [1.45, 4.45] * 6):  # p of the last is 3% in one direction, 7% in two
        found = verdict_of(deep, [2.0] * 12, expect="!= 0")
        assert (found.outcome, found.p > 0.05) == ("inconclusive", True)


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


@pytest.mark.parametrize("others", [True, False], ids=["other cells", "only these two"])
def test_equal_numbers_are_at_least_as_much_within_a_margin(others):
    """Three equal numbers are rounded to one image of a test set; their spread is that of the rounding."""

    def p(*differences):
        grid = {"block": ["plain"], "depth": [20, 56]}
        plan = make_plan(None if others else grid, claims=[claim("within 0.5")], seeds=range(len(differences)))
        values = {56: [1.25 + one for one in differences], 20: [1.25] * len(differences), 8: [3.0, 3.5, 1.0]}
        found = judge(plan, make_records(plan, lambda axes, seed: values[axes["depth"]][seed]))[0]
        assert found.outcome == "supported"
        return found.p

    assert 0 < p(0, 0, 0) <= p(0, 0, 0.078)


def test_with_matched_budgets_a_claim_says_which_it_means():
    grid = {"block": ["plain"], "depth": [20, 56], "budget": ["raw", "matched"]}
    plan = make_plan(grid, claims=[claim()])
    for cell in plan["cells"]:
        cell["epochs"] = None
        cell["axes"] |= {"width": 1.0 if cell["axes"].pop("budget") == "raw" else 0.7}
    words = r"block=plain, depth=56 matches 2 cells; name also budget \(raw or matched\)"
    with pytest.raises(ClaimError, match=words):
        check_answerable(plan)
    for budget in ("raw", "matched"):
        plan["study"]["claims"] = [claim(plus=DEEP | {"budget": budget}, minus=SHALLOW | {"budget": budget})]
        check_answerable(plan)


def test_nothing_between_equal_cells_is_open_and_says_so():
    nothing = verdict_of([2.0] * 3, [2.0] * 3)
    assert (nothing.outcome, nothing.more_seeds, nothing.p) == ("inconclusive", None, 0.5)
    assert "100 seeds would hardly decide it" in notes_of(nothing)[0]


def test_about_how_many_more_seeds_would_be_enough_and_one_less_would_not():
    found = verdict_of([4.0, 9.0, 5.0], [1.5, 4.0, 4.5], seeds=GROWING)
    enough = found.n + found.more_seeds
    assert found.outcome == "inconclusive"
    level = t_critical(ALPHA, 30)
    power = [float(found.effect.power(0.0, n, level, above=True)) for n in (enough - 1, enough)]
    assert power[0] < POWER <= power[1]
    assert found.command == "python run.py -m"  # which goes on with seeds
    fixed = verdict_of([4.0, 9.0, 5.0], [1.5, 4.0, 4.5])
    assert fixed.command == "python run.py -m seed=until_decided"
    assert fixed.more_seeds == found.more_seeds  # seeds added to a list are a new design, in which looks count


def test_claims_that_are_left_out_count_in_the_correction():
    plan = make_plan(claims=[claim()])
    plan["study"]["family"] = 5
    errors = {56: [6.0, 9.0, 5.0], 20: [2.0, 4.0, 2.0], 8: [1.0] * 3}
    found = judge(plan, make_records(plan, lambda axes, seed: errors[axes["depth"]][seed]))[0]
    assert (found.outcome, found.level) == ("inconclusive", pytest.approx(ALPHA / 5))
    assert found.adjusted == pytest.approx(5 * found.p)


def test_a_decided_claim_passes_its_share_on():
    plan = make_plan(claims=[claim(), claim(minus={"block": "plain", "depth": 8})])
    errors = {56: [6.0, 9.0, 5.0], 20: [2.0, 4.0, 2.0], 8: [5.0, 9.5, 5.5]}
    first, second = judge(plan, make_records(plan, lambda axes, seed: errors[axes["depth"]][seed]))
    assert (first.outcome, first.level) == ("supported", ALPHA / 2)
    assert (second.outcome, second.level) == ("inconclusive", ALPHA)


def test_numbers_on_the_bound_do_not_lie_above_it():
    """22 seeds without an error and 8 with one: the median is 0, and not above 0."""
    cell = {"says": "It errs.", "metric": "train_error", "cell": DEEP, "expect": "> 0"}
    plan = make_plan(claims=[cell], seeds=range(30))
    (found,) = judge(plan, make_records(plan, lambda axes, seed: 0.078 if seed >= 22 else 0.0))
    assert (found.outcome, found.effect.mean) == ("inconclusive", 0)


def test_an_open_claim_passes_nothing_on():
    """Two p values of 0.03 and 0.04: neither is below a half of 5%, and each is told so."""
    values = {t: (1.0, 1.0 + t, 1.0 - t, 1.0, 1.0) for t in (1.2, 1.35)}
    claims = [claim(), claim(plus={"block": "residual", "depth": 56}, minus={"block": "residual", "depth": 20})]
    plan = make_plan(claims=claims, seeds=range(5))
    by_block = dict(zip(("plain", "residual"), values.values(), strict=True))

    def errors(axes, seed):
        return 10.0 + (by_block[axes["block"]][seed] if axes["depth"] == 56 else 0.0)

    found = judge(plan, make_records(plan, errors))
    assert all(0.025 < verdict.p < 0.05 for verdict in found)
    assert [(verdict.outcome, verdict.level) for verdict in found] == [("inconclusive", 0.025)] * 2


@pytest.mark.parametrize("seeds", [range(3), {"from": 3, "most": 30}])
@pytest.mark.parametrize("steps", [(1, 3, 7), (41, 45, 50), (5, 5, 5), (2, 2, 9)])
def test_no_difference_is_as_much_within_a_margin_as_a_small_one(steps, seeds):
    step = 100 / 1280
    shallow = [step * many for many in steps]
    same = verdict_of(shallow, shallow, seeds=seeds, expect="within 0.5")
    near = verdict_of([*shallow[:2], shallow[2] + step], shallow, seeds=seeds, expect="within 0.5")
    assert same.p <= near.p


def test_a_number_outside_of_its_ends_is_not_judged():
    found = verdict_of([101.0, 60.0, 61.0], LOW)
    assert (found.outcome, "not between 0 and 100" in found.reason) == ("no verdict", True)
