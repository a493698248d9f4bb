"""The closing page: complete, honest about what is missing and why, and it says what to type next."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ablations.report.answer import Answer
from ablations.report.terminal import print_report
from tests.ablations.conftest import make_plan, make_records

CLAIM = {
    "says": "Deeper is worse.",
    "source": "He et al. 2015",
    "metric": "test_error",
    "contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "plain", "depth": 20}},
    "expect": "> 0",
}


def page(plan, records, width=100, runs="runs"):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_report(Answer(plan, records, Path(runs)), console)
    return console.file.getvalue()


def by_depth(axes, seed):
    return axes["depth"] + 0.5 * seed * (axes["depth"] > 20)


def test_the_page_of_a_finished_study():
    plan = make_plan(claims=[CLAIM])
    text = page(plan, make_records(plan, by_depth))
    assert plan["study"]["question"] in text
    assert "✓ Deeper is worse." in text
    assert "test error (mean of seeds like these) +36.50 points [+35.26, +37.74]" in text
    assert "n 3" in text
    assert "He et al. 2015" in text
    assert "18 records in runs/" in text
    assert "python -m ablations report headline" in text
    assert "until_decided" not in text
    assert "!" not in text
    assert "not trained" not in text
    assert "wandb" not in text


def test_what_failed_diverged_and_is_missing_is_named_with_its_cause(plan):
    fates = {
        (8, 0): {"status": "failed", "cause": "oom"},
        (20, 1): {"status": "diverged", "cause": "nan", "first_nonfinite": "stages.1 (output)"},
        (56, 2): None,
    }
    plan["invalid"] = [{"point": {"depth": 21}, "reason": "depth=21 is not 6n+2"}]
    text = page(plan, make_records(plan, lambda axes, seed: fates.get((axes["depth"], seed), 5.0)))
    assert "2 of 18 runs failed: plain-8-s0 (oom), residual-8-s0 (oom)" in text
    assert "2 of 18 runs diverged, counted as the worst: plain-20-s1 (stages.1 (output)), residual-20-s1" in text
    assert "2 of 18 runs not trained yet: plain-56-s2, residual-56-s2" in text
    assert "depth=21 is not 6n+2" in text
    assert "python run.py -m retry=failed" in text


def test_many_troubles_are_counted_rather_than_listed(plan):
    text = page(plan, make_records(plan, lambda axes, seed: {"status": "failed", "cause": "nan"}))
    assert "18 of 18 runs failed" in text
    assert "and 12 more" in text
    assert "No run of this study is finished yet." in text


def test_nothing_trained_yet_is_a_page_too():
    text = page(make_plan(claims=[CLAIM]), {})
    assert "No run" in text
    assert "a list of seeds is judged once, when all are trained; 0 of 3 seeds are there" in text
    assert "18 of 18 runs not trained yet" in text


def test_two_screens_are_enough():
    claim = CLAIM | {"metric": "train_error"}
    plan = make_plan({"block": ["plain", "residual", "highway"], "depth": [8, 20, 56]}, claims=[claim] * 4)
    text = page(plan, make_records(plan, by_depth), width=80)
    assert len(text.splitlines()) <= 48


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("python run.py -m", "python run.py -m seed=until_decided"),
        ("python run.py -m study=x seed=0,1,2", "python run.py -m study=x seed=until_decided"),
        (
            "python run.py -m depth=8 seed=range(3) block=plain",
            "python run.py -m depth=8 block=plain seed=until_decided",
        ),
        ("python run.py -m depth=8 'seed=range(3)' retry=failed", "python run.py -m depth=8 seed=until_decided"),
    ],
)
def test_an_open_claim_is_given_seeds_by_one_command(command, again):
    plan = make_plan(claims=[CLAIM | {"expect": "!= 36"}])
    plan["command"] = command
    assert f"seeds until decided  {again}\n" in page(plan, make_records(plan, by_depth))


def test_the_folder_is_named(plan, records):
    text = page(plan, records, runs="else where")
    assert "--runs 'else where'" in text


def test_brackets_in_a_question_are_letters(plan, records):
    plan["study"]["question"] = "Is [bold] a word?"
    assert "Is [bold] a word?" in page(plan, records)
