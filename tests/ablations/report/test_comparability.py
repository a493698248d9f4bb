"""A published number is shown with what it is of, and a study on other data says that only the direction compares."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ablations.analysis.results import result_rows
from ablations.html.page import page
from ablations.report.answer import Answer
from ablations.report.comparability import publications, published_settings
from ablations.report.markdown import answer_markdown
from ablations.report.terminal import print_report
from ablations.report.verdict_list import print_list
from tests.ablations.conftest import make_plan, make_records

SIDES = {"contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}}}
CLAIM = {"says": "Plain is worse.", "metric": "test_error", "expect": "> 0", **SIDES}
DEEP = {"plus": "he2015.cifar10.test_err.resnet1202", "minus": "he2015.cifar10.test_err.resnet110.mean"}
ONE = {"says": "As published.", "metric": "test_error", "expect": "< 8", "cell": {"block": "residual", "depth": 56}}


def study(claim, **about):
    plan = make_plan(claims=[claim])
    for cell in plan["cells"]:
        cell["axes"] |= {"recipe": "he2015", **about}
    return plan


def said(plan, **about):
    records = make_records(plan, lambda axes, seed: {"error": 5.0 + seed, **about})
    return published_settings(plan, result_rows(plan, records))


def test_on_other_data_only_the_direction_compares():
    (words,) = said(study(CLAIM | {"reference": DEEP}, data="digits"))
    assert words == "on cifar10, n not stated, n 5, primary; here digits, he2015: only the direction compares"


def test_on_the_published_data_what_is_held_out_and_changed_in_the_recipe_is_named():
    plan = study(ONE | {"reference": "he2015.cifar10.test_err.resnet110.mean"}, data="cifar10")
    for cell in plan["cells"]:
        cell["axes"]["recipe.lr"] = 0.02
    (words,) = said(plan, config={"data": {"held_out": 5000}})
    assert words == "on cifar10, n 5, sd 0.16, primary; here cifar10, 5,000 images held out, he2015, recipe.lr=0.02"
    (words,) = said(plan, note="each image went through JPEG")
    assert words.endswith(
        "here cifar10, each image went through JPEG, he2015, recipe.lr=0.02: only the direction compares"
    )


def test_a_count_compares_wherever_it_is_made_and_what_refers_to_nothing_says_nothing():
    count = ONE | {"metric": "params", "expect": "within 50000", "reference": "he2015.cifar10.params.resnet110"}
    assert said(study(count)) == ["primary"]
    assert said(study(CLAIM | {"published": 3.5})) == [""]
    assert publications(study(CLAIM)) == []


@pytest.mark.parametrize("kind", ["page", "markdown", "terminal", "list"])
def test_every_view_says_it(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")
    plan = study(CLAIM | {"reference": DEEP}, data="digits")
    answer = Answer(plan, make_records(plan), tmp_path)
    console = Console(file=io.StringIO(), width=300)
    if kind == "page":
        text = page(answer)
    elif kind == "markdown":
        text = answer_markdown(answer)
    elif kind == "terminal":
        print_report(answer, console)
        text = console.file.getvalue()
    else:
        print_list(answer.verdicts, console, answer.settings, answer.footnotes)
        text = console.file.getvalue()
    assert "on cifar10, n not stated, n 5, primary; here digits, he2015: only the direction compares" in text
    if kind in ("page", "markdown"):
        assert "Published for claim 1: He et al. 2015, arXiv 1512.03385: CIFAR-10 50k train / 10k test" in text
