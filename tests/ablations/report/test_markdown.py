"""The whole answer as Markdown: what a reader of the file alone must be told."""

from pathlib import Path

import pytest

from ablations.report.answer import Answer
from ablations.report.markdown import answer_markdown
from tests.ablations.conftest import make_plan, make_records

CLAIM = {
    "says": "Plain nets <fail>.",
    "source": "A & B 2020",
    "metric": "train_error",
    "contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}},
    "expect": "> 0",
    "published": 20.5,
}


def errors(axes, seed):
    return 40.0 + seed if axes["block"] == "plain" else 5.0 + 2 * seed


@pytest.fixture
def answer():
    plan = make_plan(claims=[CLAIM])
    return lambda values=errors, picture=None: answer_markdown(
        Answer(plan, make_records(plan, values), Path("nowhere")), picture=picture
    )


def test_it_has_the_question_a_row_a_cell_and_the_verdict_with_its_evidence(answer):
    text = answer()
    assert text.startswith("# headline\n\nDoes depth still help when the shortcut is taken away?\n")
    assert sum(line.startswith("| plain |") for line in text.splitlines()) == 3
    assert "- ✓ **supported**: Plain nets &lt;fail&gt;." in text
    assert "train error (mean of seeds like these) +34.00 points" in text
    assert "published 20.5" in text
    assert "A &amp; B 2020" in text


def test_what_all_cells_share_is_said_where_they_share_something():
    plan = make_plan()
    single = {**plan, "cells": plan["cells"][:1], "swept": []}
    apart, shared = (answer_markdown(Answer(one, {}, Path("nowhere"))) for one in (plan, single))
    assert "\n\nWith block=plain depth=" in shared
    assert "With" not in apart


def test_what_is_missing_is_counted(answer):
    assert "What is missing" not in answer()
    lacking = answer(lambda axes, seed: None if (axes["depth"], seed) == (8, 2) else 5.0)
    assert "- 2 of 18 runs not trained yet" in lacking


def test_it_says_how_to_get_the_same_and_names_no_machine(answer):
    text = answer()
    assert "- python run.py -m\n" in text
    assert "- 18 runs, " in text
    for private in ("nowhere", "/tmp", "/home"):
        assert private not in text


def test_a_picture_is_shown_where_there_is_one(answer):
    assert "![" not in answer()
    assert "(headline.png)" in answer(picture="headline.png")
