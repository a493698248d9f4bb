"""Simulated records with a known truth: error rates of verdicts, coverage of intervals, power of tests.

Each draw is a whole study whose cells share a random effect of the seed. `benchmarks/verdicts.py` simulates many at
once; that it agrees with `judge` is tested here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablations.analysis.looking import HORIZON
from ablations.analysis.statistics import ALPHA, difference_of
from ablations.analysis.verdicts import judge
from benchmarks.verdicts import BEYOND, FIRST, advice, all_claims, failing_settings, looked, nicest, study_of
from benchmarks.verdicts import DRAWS as DISTRIBUTIONS
from tests.ablations.conftest import make_plan, make_records

DRAWS, FEW = 1000, 400


def cell(block, depth):
    return {"block": block, "depth": depth}


def claims(shift=0.0):
    """One of every shape; each lies on the edge of what it says when the truth is 10 in all cells and `shift` is 0."""
    deep, shallow = cell("plain", 56), cell("plain", 20)
    gap = {"plus": {"plus": deep, "minus": shallow}, "minus": {"plus": cell("residual", 56), "minus": shallow}}
    about = {"says": "A claim.", "metric": "test_error"}
    return [
        about | {"contrast": {"plus": deep, "minus": shallow}, "expect": f"> {-shift}"},
        about | {"contrast": {"plus": cell("residual", 56), "minus": deep}, "expect": f"< {shift}"},
        about | {"contrast": gap, "expect": f"> {-shift}"},
        about | {"cell": cell("residual", 20), "expect": f"< {10 + shift}"},
        about | {"cell": cell("residual", 8), "expect": f"within {1 + shift}", "published": 11},
        about | {"contrast": {"plus": shallow, "minus": cell("plain", 8)}, "expect": f"within {1 + shift} of {1.0}"},
        about | {"order": [cell("residual", depth) for depth in (8, 20, 56)], "expect": "increasing"},
    ]


def outcomes(made, seeds, noise, *, diverge=0.0, draws=DRAWS, growing=False):
    """For every draw, the verdicts of a study with these claims; luck and `noise` are normal, diverged is 90.

    Args:
        growing: whether `seeds` is how far a study has come that adds seeds until its claims are decided.
    """
    plan = make_plan(claims=made, seeds=range(seeds))
    plan["study"]["seeds"] = {"from": 3, "most": HORIZON} if growing else plan["study"]["seeds"]
    records = make_records(plan)
    random = np.random.default_rng(0)
    luck = random.normal(0, 1, (draws, seeds))
    errors = 10 + luck[:, None, :] + random.normal(0, noise, (draws, len(plan["cells"]), seeds))
    errors = np.where(random.random(errors.shape) < diverge, 90.0, errors)
    for draw in errors:
        for k, planned in enumerate(plan["cells"]):
            for seed, run in enumerate(planned["runs"]):
                records[run["identity"]]["metrics"]["test_error"] = float(draw[k, seed])
        yield judge(plan, records)


@pytest.mark.long
@pytest.mark.parametrize(("seeds", "noise", "diverge"), [(3, 0.5, 0.0), (5, 2.0, 0.0), (5, 0.5, 0.1)])
def test_false_verdicts_are_rare_over_the_whole_study(seeds, noise, diverge):
    """On the edge of what they say, no claim is true and none is false: either verdict is an error."""
    found = list(outcomes(claims(), seeds, noise, diverge=diverge, draws=2 * FEW))
    supported = np.mean([any(verdict.outcome == "supported" for verdict in verdicts) for verdicts in found])
    contradicted = np.mean([any(verdict.outcome == "contradicted" for verdict in verdicts) for verdicts in found])
    assert supported <= ALPHA
    if not diverge:  # at 90, means are no longer on the edge of a bound or a margin
        assert contradicted <= ALPHA


def test_one_claim_alone_is_wrong_as_often_as_it_may():
    """Not merely rarely: a test that never speaks would pass the one above."""
    found = [verdicts[0] for verdicts in outcomes(claims()[:1], 4, 0.7)]
    rate = np.mean([verdict.outcome == "supported" for verdict in found])
    assert rate == pytest.approx(ALPHA, abs=3 * math.sqrt(ALPHA * (1 - ALPHA) / DRAWS))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds):
    contrasts = np.random.default_rng(seeds).normal(3.0, 2.0, (DRAWS, seeds))
    covered = [low <= 3.0 <= high for low, high in (difference_of(draw, scale=1).interval for draw in contrasts)]
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize(("k", "seeds", "shift"), [(0, 4, 1.5), (2, 5, 2.0), (5, 6, 1.2)])
def test_power_is_as_predicted(k, seeds, shift):
    """The prediction of an effect whose mean and spread are exactly the truth is how often claims are decided."""
    made, noise = claims(shift)[k], 0.7
    spread = 2**0.5 * noise
    shape = np.linspace(-1, 1, seeds)
    true = shape / np.std(shape, ddof=1) * spread
    effect = difference_of(true, scale=1)
    n = np.array([seeds])
    if k == 5:  # truth 0, in [−shift, 2 + shift]: the near end decides
        predicted = effect.power(-shift, n, ALPHA, above=True) + effect.power(2 + shift, n, ALPHA, above=False) - 1
    else:
        predicted = effect.power(-shift, n, ALPHA, above=True)
    rate = np.mean([verdicts[0].outcome == "supported" for verdicts in outcomes([made], seeds, noise)])
    assert rate == pytest.approx(float(predicted[0]), abs=0.04)


def test_so_many_more_seeds_do_decide():
    """What an inconclusive verdict says, given the true spread, decides in at least 80% of the studies it is for."""
    noise, shift = 0.7, 0.9
    shape = np.array([-1.0, 0.0, 1.0])
    values = shift + shape * noise * 2**0.5
    plan = make_plan(claims=claims()[:1], seeds={"from": 3, "most": HORIZON})

    def error(axes, seed):
        return 10.0 + (float(values[seed % 3]) if axes == plan["cells"][2]["axes"] else 0.0)

    verdict = judge(plan, make_records(plan, error))[0]
    assert verdict.outcome == "inconclusive"

    def decided(seeds):
        found = outcomes(claims(shift)[:1], seeds, noise, growing=True, draws=2 * FEW)
        return np.mean([verdicts[0].outcome == "supported" for verdicts in found])

    enough = verdict.n + verdict.more_seeds
    assert decided(enough) >= 0.8 - 0.03 > decided(enough - 2)


@pytest.mark.parametrize("seeds", [5, 7])
def test_infinite_losses_are_as_rarely_wrong(seeds):
    """One run in four diverges, in any cell alike: no cell is above another."""
    plan = make_plan(claims=[claims()[0] | {"metric": "train_loss"}], seeds=range(seeds))
    records, random = make_records(plan), np.random.default_rng(1)
    wrong = 0
    for _ in range(FEW):
        for record in records.values():
            record["status"] = "diverged" if random.random() < 0.25 else "finished"
            record["metrics"]["train_loss"] = float(random.normal(1, 0.3))
        wrong += judge(plan, records)[0].outcome == "supported"
    assert wrong / FEW <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / FEW)


def test_a_share_on_the_edge_is_as_rarely_wrong():
    """Three runs in ten diverge, and the claim says more, or less, than that."""
    cells = cell("plain", 56)
    made = [{"says": "A claim.", "metric": "diverged", "cell": cells, "expect": f"{sign} 0.3"} for sign in "<>"]
    plan = make_plan(claims=made, seeds=range(12))
    records, random = make_records(plan), np.random.default_rng(2)
    wrong = 0
    for _ in range(FEW):
        for record in records.values():
            record["status"] = "diverged" if random.random() < 0.3 else "finished"
        wrong += any(verdict.outcome == "supported" for verdict in judge(plan, records))
    assert 0 < wrong / FEW <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / FEW)


STUDIES = 3000
BAR = 0.055 + 3 * math.sqrt(ALPHA * (1 - ALPHA) / STUDIES)


@pytest.mark.parametrize("claims", [1, 4])
@pytest.mark.parametrize("differences", DISTRIBUTIONS)
def test_whoever_looks_is_rarely_wrong_in_either_direction(differences, claims):
    """Every claim sits at the edge. `advice` adds seeds to open claims, `nicest` stops at any moment that suits."""
    up, down = looked(DISTRIBUTIONS[differences](np.random.default_rng(1), (STUDIES, claims, HORIZON)))
    for looks in (advice, all_claims, nicest):
        supported, contradicted, _ = looks(up, down)
        assert supported.any(-1).mean() <= BAR
        assert contradicted.any(-1).mean() <= BAR
    if (differences, claims) == ("normal", 1):  # not merely rarely
        assert nicest(up, down)[0].mean() == pytest.approx(ALPHA, abs=BAR - 0.055)


@pytest.mark.parametrize(("effect", "rightly", "seeds"), [(1, 0.98, 10), (2, 0.995, 5.2), (4, 0.995, 3.7)])
def test_an_effect_is_found_with_few_seeds(effect, rightly, seeds):
    up, down = looked(np.random.default_rng(2).standard_normal((STUDIES, 1, HORIZON)) + effect)
    supported, _, n = advice(up, down)
    assert supported.mean() >= rightly
    assert n.mean() <= seeds


def with_seeds(plan, counts):
    """The plan with so many runs of the cells of each depth."""
    cells = [
        {**one, "runs": [*one["runs"], *one["further"]][: counts[one["axes"]["depth"]]], "further": []}
        for one in plan["cells"]
    ]
    return {**plan, "cells": cells}


def test_many_studies_at_once_are_judged_as_one_by_one():
    """Four claims about cells of their own; a study adds seeds one at a time where claims are open."""
    cells = [[cell(block, depth) for block in ("plain", "residual")] for depth in (8, 20, 56, 110)]
    about = {"says": "A claim.", "metric": "test_loss", "expect": "> 0"}
    made = [about | {"contrast": {"plus": plus, "minus": minus}} for plus, minus in cells]
    grid = {"block": ["plain", "residual"], "depth": [8, 20, 56, 110]}
    plan = make_plan(grid, claims=made, seeds={"from": FIRST, "most": HORIZON})
    differences = np.random.default_rng(3).normal([[0.0], [0.3], [0.7], [1.2]], 1, (4, 4, HORIZON))
    up, down = looked(differences)
    ends, ever = advice(up, down), nicest(up, down)
    for study, one in enumerate(differences):
        by_depth = dict(zip(grid["depth"], one, strict=True))

        def loss(axes, seed, by_depth=by_depth):
            difference = by_depth[axes["depth"]][seed] if axes["block"] == "plain" else 0.0
            return {"metrics": {"test_loss": 10.0 + float(difference)}}

        every = make_records(plan, loss)
        many = [FIRST] * 4
        while True:  # one seed more of every open claim
            counts = {depth: many[k] for k, depth in enumerate(grid["depth"])}
            verdicts = judge(with_seeds(plan, counts), every)
            more = [verdict.open and n < HORIZON for verdict, n in zip(verdicts, many, strict=True)]
            if not any(more):
                break
            many = [n + add for n, add in zip(many, more, strict=True)]
        assert many == list(ends[2][study])
        assert [verdict.outcome == "supported" for verdict in verdicts] == list(ends[0][study])
        assert [verdict.outcome == "contradicted" for verdict in verdicts] == list(ends[1][study])
        shown = {outcome: np.zeros(4, bool) for outcome in ("supported", "contradicted", "inconclusive")}
        for n in range(FIRST, HORIZON + 1):
            for k, verdict in enumerate(judge(with_seeds(plan, dict.fromkeys(grid["depth"], n)), every)):
                shown[verdict.outcome][k] = True
        assert [list(shown["supported"]), list(shown["contradicted"])] == [list(ever[0][study]), list(ever[1][study])]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize(
    "setting", [one for one in failing_settings() if one[0] != BEYOND], ids=lambda setting: setting[0]
)
def test_cells_that_fail_or_are_skewed_are_rarely_judged_wrongly(setting, seeds):
    """Wrong of the statistic that the verdict says it judges; 200 studies at the edge of it."""
    _, shape, arms, truth, expect = setting
    random, wrong = np.random.default_rng(seeds), {"supported": 0, "contradicted": 0, "inconclusive": 0}
    for _ in range(FEW // 2):
        verdict = judge(*study_of(arms(random, seeds), expect, looking=False, shape=shape))[0]
        value, bound = truth[verdict.effect.judged], float(expect.split()[1])
        side = (value - bound) * (1 if expect[0] == ">" else -1)
        wrong[verdict.outcome] += side <= 0 if verdict.outcome == "supported" else side >= 0
    bar = 0.055 + 3 * math.sqrt(ALPHA * (1 - ALPHA) / (FEW // 2))
    assert max(wrong["supported"], wrong["contradicted"]) / (FEW // 2) <= bar
