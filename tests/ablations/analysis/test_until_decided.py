"""Seeds are added where claims are open, and which they are depends on the numbers alone, whoever ends first."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import numpy as np
import pytest

from ablations.analysis.until_decided import PATIENCE, expected_runs, with_needed_seeds
from ablations.analysis.verdicts import judge
from ablations.identity.run import Run
from ablations.plan import plan as planning
from ablations.question.seeds import seed_design
from sweeps.answerable import leave_context
from tests.ablations.conftest import make_plan, make_records

RUNS = Path("nowhere")
ALL = {(block, depth): {"block": block, "depth": depth} for block in ("plain", "residual") for depth in (8, 20, 56)}
MOST = 13  # where a step is one or two seeds


def above(plus, minus, expect="> 0", **more):
    contrast = {"plus": ALL[plus], "minus": ALL[minus]}
    return {"says": "A claim.", "metric": "test_error", "contrast": contrast, "expect": expect, **more}


def planned(plan):
    """(block, depth) → how many runs."""
    return {(cell["axes"]["block"], cell["axes"]["depth"]): len(cell["runs"]) for cell in plan["cells"]}


def records_of(plan, means, noise=0.0, seed=0):
    """A record of each run, those that may follow included: means by (block, depth), 5 where none is given."""
    draws = np.random.default_rng(seed).normal(0, noise, (len(plan["cells"]), 100))
    number = {cell["cell"]: k for k, cell in enumerate(plan["cells"])}
    cells = {(cell["axes"]["block"], cell["axes"]["depth"]): number[cell["cell"]] for cell in plan["cells"]}

    def error(axes, s):
        key = axes["block"], axes["depth"]
        return float(means.get(key, 5.0) + draws[cells[key], s])

    return make_records(plan, error)


def synchronous(plan, every):
    """Train all that is needed, judge, and so on: the identities of what is trained in the end."""
    done = {}
    while True:
        wanted = [run["identity"] for cell in with_needed_seeds(plan, done, RUNS)["cells"] for run in cell["runs"]]
        missing = [identity for identity in wanted if identity not in done]
        if not missing:
            return set(done)
        done |= {identity: every[identity] for identity in missing}


def by_workers(plan, every, order, workers):
    """Workers that end in a random order, and now and then are killed with what they train."""
    done, held = {}, []
    while True:
        wanted = [run["identity"] for cell in with_needed_seeds(plan, done, RUNS)["cells"] for run in cell["runs"]]
        free = [identity for identity in wanted if identity not in done and identity not in held]
        while free and len(held) < workers:
            held.append(free.pop(order.randrange(len(free))))
        if not held:
            return set(done)
        if order.random() < 0.1:  # all are killed
            held = []
            continue
        ended = held.pop(order.randrange(len(held)))
        done[ended] = every[ended]


def random_study(number):
    draw = random.Random(number)
    cells = list(ALL)
    claims = []
    for _ in range(draw.randint(1, 4)):
        plus, minus, third = draw.sample(cells, 3)
        claims.append(above(plus, minus, draw.choice(["> 0", "< 0", "!= 0", "within 1"])))
        if draw.random() < 0.3:
            order = [ALL[cell] for cell in (plus, minus, third)]
            claims.append({"says": "O", "metric": "test_error", "order": order, "expect": "increasing"})
    plan = make_plan(claims=claims, seeds={"from": 3, "most": MOST})
    means = {cell: draw.choice([5.0, 5.3, 6.0, 8.0]) for cell in cells}
    return plan, records_of(plan, means, noise=0.7, seed=number)


@pytest.mark.parametrize("number", range(8))
def test_what_is_trained_in_the_end_never_depends_on_who_ends_first(number):
    """Nor is a run trained that would not be if every step waited for all its runs."""
    plan, every = random_study(number)
    before = copy.deepcopy((plan, every))
    wanted = synchronous(plan, every)
    for trial, workers in enumerate((2, 3)):
        assert by_workers(plan, every, random.Random(100 * number + trial), workers) == wanted
    assert (plan, every) == before


def test_studies_of_that_kind_end_at_different_numbers():
    counts = {len(synchronous(*random_study(number))) for number in range(8)}
    assert len(counts) > 4


def test_only_the_cells_of_open_claims_get_seeds():
    clear, unclear = above(("plain", 56), ("plain", 20)), above(("residual", 56), ("residual", 20))
    plan = make_plan(claims=[clear, unclear], seeds={"from": 3, "most": MOST})
    every = records_of(plan, {("plain", 56): 60.0}, noise=0.5, seed=1)
    many = planned(with_needed_seeds(plan, {key: every[key] for key in synchronous(plan, every)}, RUNS))
    assert many.pop(("residual", 56)) == many.pop(("residual", 20)) >= PATIENCE
    assert set(many.values()) == {3}


def test_seeds_are_added_one_at_a_time_up_to_the_most():
    plan = make_plan(claims=[above(("plain", 56), ("plain", 20), "!= 0")], seeds={"from": 3, "most": 5})
    every = records_of(plan, {}, noise=0.5, seed=3)
    done, seen = {}, []
    for _ in range(6):
        now = with_needed_seeds(plan, done, RUNS)
        seen.append(planned(now)["plain", 56])
        done = {run["identity"]: every[run["identity"]] for cell in now["cells"] for run in cell["runs"]}
    assert seen == [3, 4, 5, 5, 5, 5]


def test_where_many_more_are_needed_a_few_are_added_at_once():
    """A sixth of what is needed, at most four; from ten seeds on none, where thirty would hardly decide."""
    plan = make_plan(claims=[above(("plain", 56), ("plain", 20), "!= 0")], seeds={"from": 3, "most": 30})
    every = make_records(plan, lambda axes, s: 5.0 + (s + axes["depth"] // 4) % 2)  # differences of ±1
    done, seen = {}, []
    for _ in range(9):
        now = with_needed_seeds(plan, done, RUNS)
        seen.append(planned(now)["plain", 56])
        done = {run["identity"]: every[run["identity"]] for cell in now["cells"] for run in cell["runs"]}
    assert seen == [3, 7, 11, 11, 11, 11, 11, 11, 11]


def test_a_claim_with_a_prospect_gets_seeds_to_the_end():
    """Differences of 0.3 standard deviations: thirty seeds decide them in about one case of three."""
    plan = make_plan(claims=[above(("plain", 56), ("plain", 20), "!= 0")], seeds={"from": 3, "most": 30})
    every = make_records(plan, lambda axes, s: 5.0 + (axes["depth"] == 56) * (0.3 + (-1) ** s))
    counts = planned(with_needed_seeds(plan, {key: every[key] for key in synchronous(plan, every)}, RUNS))
    assert counts["plain", 56] == 30


def test_a_claim_that_stays_open_in_any_case_does_not_wait_for_others():
    """Of the first claim a run is missing. The second is at the middle of its region, whatever the first becomes."""
    claims = [above(("plain", 56), ("plain", 20)), above(("residual", 56), ("residual", 20))]
    plan = make_plan(claims=claims, seeds={"from": 3, "most": MOST})
    every = records_of(plan, {}, noise=0.5, seed=5)
    first = {run["identity"]: every[run["identity"]] for cell in plan["cells"] for run in cell["runs"]}
    waiting = {key: one for key, one in first.items() if one["label"] != "plain-56-s2"}
    assert planned(with_needed_seeds(plan, waiting, RUNS))["residual", 56] == 4
    assert planned(with_needed_seeds(plan, waiting, RUNS))["plain", 56] == 3


def test_a_claim_that_others_may_decide_waits():
    """Alone, p would be enough; under Holm's correction it is not yet: whether it gets a seed depends on the first."""
    claims = [above(("plain", 56), ("plain", 20)), above(("residual", 56), ("residual", 20))]
    plan = make_plan(claims=claims, seeds={"from": 3, "most": 7})
    values = {
        ("residual", 56): [6.0, 6.1, 6.95],
        ("residual", 20): [5.0, 5.05, 5.3],
        ("plain", 56): [60.0, 60.5, 61.0],
        ("plain", 20): [1.0, 1.2, 1.1],
    }
    every = make_records(plan, lambda axes, s: values.get((axes["block"], axes["depth"]), [5.0, 5.5, 6.0])[s % 3])
    first = {run["identity"]: every[run["identity"]] for cell in plan["cells"] for run in cell["runs"]}
    waiting = {key: one for key, one in first.items() if one["label"] != "plain-56-s2"}
    alone = judge(with_needed_seeds(plan, waiting, RUNS), waiting, runs=RUNS)[1]
    both = judge(with_needed_seeds(plan, first, RUNS), first, runs=RUNS)
    assert (alone.outcome, [one.outcome for one in both]) == ("inconclusive", ["supported", "supported"])
    assert set(planned(with_needed_seeds(plan, waiting, RUNS)).values()) == {3}


def test_a_claim_that_a_failed_run_holds_up_does_not_grow():
    plan = make_plan(claims=[above(("plain", 56), ("plain", 20), "!= 0")], seeds={"from": 3, "most": 7})
    for failed in (1, 3):
        every = records_of(plan, {}, noise=0.5, seed=3)
        for record in every.values():
            if (record["label"], record["seed"]) == (f"plain-20-s{failed}", failed):
                record |= {"status": "failed", "cause": "oom"}
        ended = synchronous(plan, every)
        many = planned(with_needed_seeds(plan, {key: every[key] for key in ended}, RUNS))
        assert many["plain", 20] == many["plain", 56] == max(3, failed + 1)


def test_a_list_of_seeds_never_grows():
    plan = make_plan(claims=[above(("plain", 56), ("plain", 20), "!= 0")], seeds=range(3))
    every = records_of(plan, {}, noise=0.5)
    assert with_needed_seeds(plan, every, RUNS) is plan
    assert expected_runs(plan, every, RUNS) == (18, 18, 18)


def test_as_many_runs_are_needed_as_was_foretold():
    """At least as many as the least number, at most the largest; at the end all three are what there is."""
    for number in range(6):
        plan, every = random_study(number)
        ended = synchronous(plan, every)
        least, expected, most = expected_runs(plan, {}, RUNS)
        assert least <= expected <= most
        assert least <= len(ended) <= most
        done = {key: every[key] for key in ended}
        now = with_needed_seeds(plan, done, RUNS)
        assert sum(planned(now).values()) == len(ended) == expected_runs(plan, done, RUNS)[0]
        assert expected_runs(plan, done, RUNS)[2] == len(ended) or any(one.open for one in judge(now, done, runs=RUNS))


@pytest.mark.parametrize(("context", "runs"), [(1, 1), (2, 2), (None, 3)])
def test_cells_that_no_claim_names_get_the_seeds_of_context_and_never_more(context, runs):
    design = seed_design({"from": 3, "most": 6, "context": context})

    def compose(point):
        network = {"_target_": f"lightning_modules.networks.blocks.{point['block'].capitalize()}", **point}
        return Run(axes=point, seed=0, config={"network": network, "data": {}, "recipe": {}}), [], {}

    cells, _ = planning.make_cells(list(ALL.values()), design, compose)
    study = {"seeds": design.as_written(), "claims": [above(("plain", 56), ("plain", 20), "!= 0")]}
    plan = planning.Plan("s", study, ["block", "depth"], "python run.py -m", cells)
    leave_context(plan, design)
    written = plan.as_json()
    for cell in written["cells"]:
        cell["epochs"] = None
    every = make_records(written, lambda axes, s: 5.0 + (s + axes["depth"] // 4) % 2)  # differences of ±1
    ended = planned(with_needed_seeds(written, {key: every[key] for key in synchronous(written, every)}, RUNS))
    assert ended.pop(("plain", 56)) == ended.pop(("plain", 20)) == 6
    assert set(ended.values()) == {runs}
    assert {len(cell["further"]) for cell in written["cells"]} == {3, 0}


def test_a_plan_grows_and_what_is_published_keeps_its_first_runs():
    """So that whoever reads it follows the same steps."""
    run = Run(axes={}, seed=0, config={"network": {}, "data": {}, "recipe": {}})
    design = seed_design({"from": 3, "most": 6})
    (cell,), _ = planning.make_cells([{}], design, lambda point: (run, [], {}))
    before = cell.entries()
    assert ([one["seed"] for one in before["runs"]], [one["seed"] for one in before["further"]]) == (
        [0, 1, 2],
        [3, 4, 5],
    )
    for seeds in (5, 4, 6, 3):
        cell.grow(seeds)
        assert (list(cell.runs), list(cell.further)) == (list(range(seeds)), list(range(seeds, 6)))
        assert cell.entries() == before
