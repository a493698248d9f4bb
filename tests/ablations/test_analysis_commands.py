"""`effects` and `path` on the command line: the same records, one sentence for every mistake."""

from __future__ import annotations

import json
import re

import pytest

from ablations.__main__ import main
from ablations.analysis_commands import choice
from ablations.records.files import write_json
from ablations.records.record import plan_path
from tests.ablations.conftest import make_plan, make_records

CLAIMS = [
    {
        "says": "Deeper plain nets fit the training set worse, which is what degradation means.",
        "metric": "train_error",
        "contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "plain", "depth": 20}},
        "expect": "> 0",
        "published": 12.5,
    },
    {
        "says": "It hardly matters.",
        "metric": "val_error",
        "contrast": {"plus": {"block": "residual", "depth": 56}, "minus": {"block": "residual", "depth": 20}},
        "expect": "within 38",
    },
    {
        "says": "Not there.",
        "metric": "train_loss",
        "cell": {"block": "highway"},
        "expect": "< 1",
    },
]


@pytest.fixture
def runs(tmp_path):
    plan = make_plan(claims=CLAIMS)
    write_json(plan_path(tmp_path, "headline"), plan)
    for record in make_records(plan, lambda axes, seed: axes["depth"] + 3.0 * seed * (axes["depth"] > 20)).values():
        write_json(tmp_path / record["folder"] / "record.json", record)
    return tmp_path


def call(capsys, *words):
    status = main(list(map(str, words)))
    said = capsys.readouterr()
    return status, said.out, said.err


def test_effects_of_a_study_and_of_a_part_of_it(runs, capsys):
    _, whole, _ = call(capsys, "effects", "headline", "--runs", runs)
    assert "block × depth" in whole
    assert "18 runs in 6 cells, 3 a cell, paired by seed." in whole
    _, part, _ = call(capsys, "effects", "headline", "block=plain", "--metric", "train_error", "--runs", runs)
    assert "effect on train_error" in part
    assert "block" not in part


def test_effects_for_programs(runs, capsys):
    _, text, _ = call(capsys, "effects", "headline", "--json", "--runs", runs)
    found = json.loads(text)
    assert {tuple(term["axes"]): term["df"] for term in found["terms"]}["block", "depth"] == 2
    assert all(0 < term["adjusted"] <= 1 for term in found["terms"])
    assert found["levels"]["depth"] == {"8": 8, "20": 20, "56": 59}


def test_a_path_of_a_study(runs, capsys):
    _, text, _ = call(capsys, "path", "headline", "block=plain depth=56", "block=residual depth=20", "--runs", runs)
    assert "depth: 56 → 20" in text
    assert "+39.00" in text


def test_verdicts_have_a_line_each(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    _, text, _ = call(capsys, "verdict", "headline", "--runs", runs)
    lines = [line for line in text.splitlines() if line.startswith(("✓", "✗", "?"))]
    first, second, third, *notes = lines
    assert first.startswith("✓  Deeper plain nets fit")
    assert "…" in first
    assert [word in first for word in ("+39.00", "[+31.55, +46.45]", " 3 ", "12.5")] == [True] * 4
    assert second.startswith("?  It hardly matters.")
    assert third.split() == ["?", "Not", "there.", "–", "–", "–", "–", "–", "–"]
    assert any("would hardly decide it" in note or "more seed" in note for note in notes)
    assert "no such cell in this study: block=highway" in text
    assert "Failures that are not excluded where none was seen: 3 seeds 63% of all seeds." in text
    assert all(len(line) <= 100 for line in lines[:3])


def test_an_open_claim_ends_with_the_command_that_trains_more_seeds(runs, capsys):
    plan = make_plan(claims=[CLAIMS[0] | {"expect": "> 36"}])
    write_json(plan_path(runs, "headline"), plan)
    _, text, _ = call(capsys, "verdict", "headline", "--runs", runs)
    assert "inconclusive: about " in text
    assert re.search(r"^  .+ -m seed=until_decided", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("effects", "headline", "plain"), "'plain' is not AXIS=VALUE"),
        (("effects", "headline", "--metric", "speed"), "no metric 'speed'"),
        (("path", "headline", "block=plain", "block=residual"), "matches 3 cells; name also depth"),
    ],
)
def test_a_mistake_is_one_sentence(runs, capsys, words, said):
    status, out, error = call(capsys, *words, "--runs", runs)
    assert (status, out) == (1, "")
    assert said in error
    assert error.count("\n") == 1


def test_values_are_read_as_yaml():
    assert choice("block=plain depth=56 recipe.lr=0.1") == {"block": "plain", "depth": 56, "recipe.lr": 0.1}
    assert choice("") == {}
