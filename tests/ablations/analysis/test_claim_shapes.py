"""Verdicts on every kind of claim and metric: interactions, bounds, published numbers, orders, fractions."""

from __future__ import annotations

import statistics

import pytest
from scipy import stats

from ablations.analysis.next_command import until_decided
from ablations.analysis.verdicts import judge
from tests.ablations.analysis.test_verdicts import DEEP, HIGH, LOW, SHALLOW, claim
from tests.ablations.conftest import make_plan, make_records

RESIDUAL = {"plus": {"block": "residual", "depth": 56}, "minus": {"block": "residual", "depth": 20}}
GAP = {"plus": {"plus": DEEP, "minus": SHALLOW}, "minus": RESIDUAL}


def verdicts_on(plan, errors, **more):
    """Verdicts where `errors` has (block, depth): errors by seed."""
    records = make_records(plan, lambda axes, seed: errors[axes["block"], axes["depth"]][seed])
    return judge(plan, records, **more)


def test_an_interaction_is_the_paired_difference_of_differences():
    errors = {
        ("plain", 8): [1.0] * 3,
        ("plain", 20): [2.0, 3.0, 2.5],
        ("plain", 56): [60.0, 62.5, 61.0],
        ("residual", 8): [1.0] * 3,
        ("residual", 20): [2.0, 2.5, 2.0],
        ("residual", 56): [1.0, 2.0, 2.5],
    }
    found = verdicts_on(make_plan(claims=[{**claim(), "contrast": GAP}]), errors)[0]
    gaps = [(60 - 2) - (1 - 2), (62.5 - 3) - (2 - 2.5), (61 - 2.5) - (2.5 - 2)]
    assert found.outcome == "supported"
    assert found.effect.values == pytest.approx(gaps)
    assert found.p == pytest.approx(stats.ttest_1samp(gaps, 0, alternative="greater").pvalue)


NEAR = [6.4, 6.6, 6.5, 6.7, 6.3, 6.6]
FAR = [8.4, 8.6, 8.5, 8.7, 8.3, 8.6]
SKEWED = [7.0, 7.1, 7.2, 7.3, 7.4, 90.0]


@pytest.mark.parametrize(
    ("expect", "values", "outcome", "p"),
    [
        ("< 8", NEAR, "supported", 0.5**6),
        ("< 8", FAR, "contradicted", 1.0),
        ("< 8", SKEWED, "inconclusive", 7 / 2**6),  # the median is judged: 5 of 6 seeds are below
        ("< 8", NEAR[:3], "inconclusive", 0.5**3),  # three signs cannot say more
        ("within 0.5 of 8.5", FAR, "supported", 0.5**6),
        ("within 0.5 of 6.5", FAR, "contradicted", 1.0),
    ],
)
def test_one_cell_against_a_bound_is_judged_by_its_median(expect, values, outcome, p):
    alone = {"says": "Good.", "metric": "test_error", "cell": DEEP, "expect": expect}
    plan = make_plan(claims=[alone], seeds=range(len(values)))
    found = judge(plan, make_records(plan, lambda axes, seed: values[seed]))[0]
    assert (found.outcome, found.unit, found.effect.judged) == (outcome, "%", "median, by signs")
    assert (found.effect.mean, found.p) == (pytest.approx(statistics.median(values)), pytest.approx(p))


@pytest.mark.parametrize(
    ("means", "outcome", "weakest"),
    [((1, 5, 9), "supported", 4), ((1, 9, 5), "contradicted", -4), ((1, 5, 5.01), "inconclusive", 0.01)],
)
def test_an_order_holds_if_every_step_does(means, outcome, weakest):
    by_depth = dict(zip((8, 20, 56), means, strict=True))
    cells = [{"block": "plain", "depth": depth} for depth in (8, 20, 56)]
    ordered = {"says": "Deeper is worse.", "metric": "val_error", "order": cells, "expect": "increasing"}
    down = ordered | {"order": cells[::-1], "expect": "decreasing"}
    noise = {8: [0.1, 0.0, 0.2], 20: [0.0, 0.15, 0.1], 56: [0.2, 0.1, 0.05]}
    plan = make_plan(claims=[ordered, down])
    found = judge(plan, make_records(plan, lambda axes, seed: by_depth[axes["depth"]] + noise[axes["depth"]][seed]))
    assert found[0].outcome == outcome
    assert found[0].effect.mean == pytest.approx(weakest, abs=0.12)
    assert (found[1].p, found[1].outcome) == (found[0].p, found[0].outcome)


def test_diverged_runs_are_a_fraction_with_an_exact_test():
    plan = make_plan(claims=[claim(metric="diverged")], seeds=range(6))
    fate = {56: [1, 1, 1, 1, 1, 0], 20: [0] * 6, 8: [0] * 6}

    def errors(axes, seed):
        return {"status": "diverged" if fate[axes["depth"]][seed] else "finished"}

    found = judge(plan, make_records(plan, errors))[0]
    assert (found.outcome, found.diverged, found.p) == ("supported", 5, 0.5**5)
    assert found.effect.mean == pytest.approx(5 / 6)
    plan["study"]["claims"] = [{"says": "It trains.", "metric": "diverged", "cell": DEEP, "expect": "< 0.2"}]
    alone = judge(plan, make_records(plan, errors))[0]
    assert (alone.outcome, alone.effect.interval[0] > 0.35) == ("contradicted", True)


@pytest.mark.parametrize(("expect", "outcome"), [("> 0", "contradicted"), ("within 10", "supported")])
def test_counts_need_no_seeds_and_no_correction(expect, outcome):
    plan = make_plan(claims=[claim(metric="params", expect=expect), claim()])
    for cell in plan["cells"]:
        cell["params"] = 1000 + (cell["axes"]["depth"] == 20) * 10
    untrained, without = judge(plan, {})
    assert (untrained.outcome, untrained.p, untrained.effect.mean) == (outcome, None, -10)
    assert without.outcome == "no verdict"
    trained = verdicts_on(
        plan, {(block, d): HIGH if d == 56 else LOW for block in ("plain", "residual") for d in (8, 20, 56)}
    )
    assert trained[1].p == trained[1].adjusted


@pytest.mark.parametrize(
    ("seeds", "typed", "command"),
    [
        ((3, 4, 7), "python run.py -m", "python run.py -m seed=until_decided"),
        ((0, 1), "skipbench study=x seed=0,1", "skipbench study=x seed=until_decided"),
        ((0, 1), "python run.py -m 'seed=range(2)' workers=2", "python run.py -m seed=until_decided"),
        ((0, 1), "rm -rf x", "python run.py -m study=headline seed=until_decided"),
        ({"from": 3, "most": 9}, "python run.py -m most=9", "python run.py -m most=9"),
    ],
)
def test_the_command_adds_seeds_until_claims_are_decided(seeds, typed, command):
    plan = make_plan(seeds=seeds) | {"command": typed}
    assert until_decided(plan) == command
    assert until_decided(plan, retry=True) == f"{command} retry=failed"


def test_metrics_of_the_curve_are_read_beside_the_record(tmp_path):
    plan = make_plan(claims=[claim(metric="train_error@2"), claim(metric="diagnostics.gradient_ratio")])
    records = make_records(plan)
    for record in records.values():
        folder = tmp_path / record["folder"]
        folder.mkdir()
        deep = record["axes"]["depth"] == 56
        (folder / "curve.csv").write_text(f"epoch,train_error\n1,90\n2,{50 + deep * (10 + record['seed'])}\n3,1\n")
    curve, diagnostic = judge(plan, records, runs=tmp_path)
    assert curve.effect.values == (10, 11, 12)
    assert (diagnostic.outcome, diagnostic.reason) == (
        "no verdict",
        "diagnostics.gradient_ratio was not measured in plain-56-s0 (finished)",
    )
