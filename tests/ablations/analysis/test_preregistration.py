"""The ledger remembers claims and lists of seeds: what was known when they were planned, and what was looked at."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ablations.analysis.preregistration import LEDGER, register
from ablations.analysis.verdicts import judge, level_of
from ablations.records.files import RecordError
from ablations.report.verdict_list import evidence_words
from tests.ablations.analysis.test_verdicts import DEEP, SHALLOW, claim
from tests.ablations.conftest import make_plan, make_records

OTHER = claim(plus={"block": "residual", "depth": 56}, minus={"block": "residual", "depth": 20})
BOUND = {"says": "Good.", "metric": "test_error", "cell": DEEP, "expect": "< 8"}
COUNT = claim(metric="params", expect="> 0")
GROWING = {"from": 3, "most": 30}


@pytest.fixture
def ledger(tmp_path):
    """ledger(claims, seeds, known, day): what is said of a study of which so many seeds have records."""

    def entered(claims, seeds=(0, 1, 2), known=0, day="2026-01-01", **study):
        plan = make_plan(claims=claims, seeds=seeds)
        plan["study"] |= study
        records = make_records(make_plan(seeds=range(9)), lambda axes, seed: 5.0 + seed if seed < known else None)
        return register(plan, records, tmp_path, day)

    return entered


def days(said):
    return [(one["day"], one["known"]) for one in said["planned"]]


def test_a_claim_keeps_the_day_on_which_it_was_first_planned(ledger):
    assert days(ledger([claim()], day="2026-01-01")) == [("2026-01-01", 0)]
    later = ledger([OTHER, claim(says="In other words.", source="B")], known=3, day="2026-02-02")
    assert days(later) == [("2026-02-02", 3), ("2026-01-01", 0)]


def test_what_is_claimed_otherwise_is_another_claim(ledger):
    ledger([claim()])
    for changed in (claim("> 5"), claim(metric="val_error"), claim(plus=SHALLOW, minus=DEEP)):
        assert days(ledger([changed], known=1, day="2026-02-02")) == [("2026-02-02", 1)]


def test_a_claim_after_its_records_is_marked_in_its_verdict(ledger):
    plan = make_plan(claims=[claim(), OTHER])
    ledger([claim()], day="2026-01-01")
    plan["study"] |= ledger([claim(), OTHER], known=3, day="2026-02-02")
    before, after = judge(plan, make_records(plan))
    assert ((before.planned, before.after_the_fact), (after.planned, after.after_the_fact)) == (
        ("2026-01-01", False),
        ("2026-02-02", True),
    )
    assert "planned 2026-01-01" in evidence_words(before)
    assert "planned 2026-02-02 after the fact" in evidence_words(after)


def test_failed_runs_and_counts_are_no_knowledge(tmp_path):
    plan = make_plan(claims=[claim(), COUNT])
    records = make_records(plan, lambda axes, seed: {"status": "failed"})
    said = register(plan, records, tmp_path, "2026-01-01")
    assert days(said) == [("2026-01-01", 0), ("2026-01-01", 0)]


def test_numbers_of_one_cell_are_known_numbers(tmp_path):
    plan = make_plan(claims=[claim()])
    records = make_records(plan, lambda axes, seed: {"status": "failed"} if axes["depth"] == 56 else 5.0)
    assert days(register(plan, records, tmp_path, "2026-01-01")) == [("2026-01-01", 3)]


def test_a_list_that_leaves_known_seeds_out_is_not_judged(tmp_path):
    plan = make_plan(claims=[claim()], seeds=(1, 2, 4))
    every = make_records(make_plan(claims=[claim()], seeds=range(6)))
    said = register(plan, every, tmp_path, "2026-01-01")
    assert (said["left_out"], said["looked"]) == ([0, 3, 5], True)
    (verdict,) = judge({**plan, "study": plan["study"] | said}, every)
    assert (verdict.outcome, verdict.reason) == ("no verdict", "the list leaves out seeds that were known: 0, 3, 5")


def test_the_seed_that_chose_a_winner_is_not_one_that_the_list_leaves_out(tmp_path):
    plan = make_plan(claims=[claim()], seeds=(1, 2, 4))
    plan["study"] |= {"space": {"recipe.lr": [0.1, 1]}, "search": {"seeds": [0], "replicate": {"seeds": [1, 2, 4]}}}
    searched = make_records(make_plan(claims=[claim()], seeds=[0]))
    said = register(plan, searched, tmp_path, "2026-01-01")
    assert (said["left_out"], said["looked"], days(said)) == ([], False, [("2026-01-01", 0)])


def test_a_design_that_follows_on_known_numbers_has_a_tenth_of_the_level(tmp_path):
    """So has a larger bound; a bound that is chosen before there are numbers has the whole."""
    levels = []
    for most, known in ((3, 0), (4, 0), (5, 3), (6, 3)):
        plan = make_plan(claims=[claim()], seeds={"from": 3, "most": most})
        every = make_records(make_plan(claims=[claim()], seeds=range(known))) if known else {}
        levels.append(level_of(plan["study"] | register(plan, every, tmp_path, "2026-01-01")))
    assert levels == pytest.approx([0.05, 0.05, 0.005, 0.0025])


def test_another_published_number_is_another_claim(tmp_path):
    for number, known in ((6.61, 0), (20.1, 3)):
        plan = make_plan(claims=[claim() | {"published": number}])
        said = register(plan, make_records(plan) if known else {}, tmp_path, f"2026-01-0{1 + (known > 0)}")
    assert days(said) == [("2026-01-02", 3)]


def test_the_same_list_is_not_looked_at_however_often_it_is_planned(ledger):
    for known in (0, 1, 2, 3):
        assert not ledger([claim()], known=known)["looked"]


@pytest.mark.parametrize("other", [(0, 1, 2, 3, 4), (0, 1, 2, 5), GROWING])
def test_a_second_list_is_looked_at_and_the_first_one_stays_as_it_was(ledger, other):
    assert not ledger([claim()], other)["looked"]
    assert ledger([claim()], (0, 1, 2, 6))["looked"]
    assert ledger([claim()], (0, 1, 2, 6), known=3)["looked"]
    assert not ledger([claim()], other, known=3)["looked"]


def test_a_list_of_which_a_part_was_known_is_looked_at(ledger):
    assert ledger([claim()], (0, 1, 2, 3, 4), known=3)["looked"]


def test_claims_that_were_judged_and_then_taken_out_count(ledger):
    assert ledger([claim(), OTHER, BOUND])["family"] == 3
    assert ledger([claim()], known=2)["family"] == 1  # nobody could judge the others
    assert ledger([claim()], known=3)["family"] == 3
    assert ledger([claim(), claim("> 5")], known=3)["family"] == 4
    assert ledger([claim(), OTHER, BOUND], known=3)["family"] == 4


def test_counts_are_no_part_of_the_family_and_claims_that_were_not_typed_are(ledger):
    assert ledger([claim(), COUNT])["family"] == 1
    assert ledger([claim()], family=5)["family"] == 5


def test_a_claim_without_a_cell_is_kept_too(ledger):
    assert days(ledger([claim(plus={"block": "highway"})], known=3)) == [("2026-01-01", 0)]


def test_terminals_that_plan_at_once_lose_no_claim_of_each_other(ledger, tmp_path):
    ready = Barrier(8)

    def plan(bound):
        ready.wait()
        ledger([claim(f"> {bound}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(plan, range(8)))
    assert len(json.loads((tmp_path / LEDGER).read_text())["claims"]) == 8


def test_nothing_is_written_where_nothing_is_new(ledger, tmp_path):
    ledger([claim()])
    before = (tmp_path / LEDGER).stat().st_mtime_ns, (tmp_path / LEDGER).read_bytes()
    ledger([claim()], known=2, day="2026-05-05")
    assert ((tmp_path / LEDGER).stat().st_mtime_ns, (tmp_path / LEDGER).read_bytes()) == before


DAMAGES = {
    "torn": lambda text, data: text[: len(text) // 2],
    "empty": lambda text, data: "",
    "a list": lambda text, data: "[]",
    "no claims": lambda text, data: json.dumps({key: data[key] for key in data if key != "claims"}),
    "designs no list": lambda text, data: json.dumps({**data, "designs": {}}),
    "a design no object": lambda text, data: json.dumps({**data, "designs": [1]}),
    "a design without seeds": lambda text, data: json.dumps({**data, "designs": [{"day": "x"}]}),
    "a design without looked": lambda text, data: json.dumps({**data, "designs": [{"seeds": [0, 1, 2]}]}),
    "a claim no object": lambda text, data: json.dumps({**data, "claims": dict.fromkeys(data["claims"], 3)}),
    "a claim without a day": lambda text, data: json.dumps({**data, "claims": {key: {} for key in data["claims"]}}),
    "another claim no object": lambda text, data: json.dumps({**data, "claims": {"x": []}}),
    "cells no list": lambda text, data: json.dumps({**data, "claims": {"x": {"day": "", "known": 0, "cells": 3}}}),
    "cells of lists": lambda text, data: json.dumps({**data, "claims": {"x": {"day": "", "known": 0, "cells": [[]]}}}),
    "known no number": lambda text, data: json.dumps(
        {**data, "claims": {key: {**one, "known": "x"} for key, one in data["claims"].items()}}
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_is_named_in_one_sentence(ledger, tmp_path, damage):
    ledger([claim()])
    path = tmp_path / LEDGER
    text = path.read_text()
    path.write_text(DAMAGES[damage](text, json.loads(text)))
    with pytest.raises(RecordError) as caught:
        ledger([claim()], known=1)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
