"""A published number is shown with what it is of, and a study on other data says that only the direction compares."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ablations.analysis.claim_schema import ClaimError, read_claim
from ablations.analysis.results import result_rows
from ablations.catalog.studies import written_studies
from ablations.charts.claim_figures import claim_figures
from ablations.elsewhere.as_json import as_json
from ablations.html.page import page
from ablations.question.references import Reference, references
from ablations.report.answer import Answer
from ablations.report.comparability import publications, published_settings
from ablations.report.markdown import answer_markdown
from ablations.report.terminal import print_report
from ablations.report.verdict_list import cells, evidence_words, print_list
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


def test_a_number_in_another_unit_is_shown_with_its_unit_and_does_not_compare(tmp_path, monkeypatch):
    """BLEU beside an error: no view shows the number alone, and no chart draws it on the axis of the errors."""
    foreign = Reference(27.3, "BLEU (test)", "primary", "A book", "wmt", "as it was")
    monkeypatch.setitem(references(), "bleu", foreign)
    plan = study(CLAIM | {"reference": "bleu"}, data="digits")
    answer = Answer(plan, make_records(plan, lambda axes, seed: {"error": 5.0 + seed}), tmp_path)
    (verdict,) = answer.verdicts
    assert "published 27.3 BLEU (in BLEU and not in % error: the numbers do not compare; on wmt" in evidence_words(
        verdict
    )
    assert "only the direction" not in verdict.setting
    assert cells(verdict)[-1] == "27.3 BLEU"
    assert as_json(plan["study"], [verdict])["verdicts"][0]["published_unit"] == "BLEU"
    assert {number for figure in claim_figures(answer) for number in figure.rows["published"]} == {None}


def test_agreement_with_a_number_in_another_unit_cannot_be_claimed(monkeypatch):
    monkeypatch.setitem(references(), "bleu", Reference(27.3, "BLEU", "primary", "A book", "wmt", "as it was"))
    for expect in ("within 0.5 of published", "within 0.5"):
        with pytest.raises(ClaimError, match=r"is in BLEU, and test_error in % error: expect a direction, as \"> 0\""):
            read_claim(ONE | {"reference": "bleu", "expect": expect})
    assert read_claim(ONE | {"reference": "bleu", "expect": "within 0.5 of 5"}).published.unit == "BLEU"


def test_every_reference_of_a_study_is_in_the_unit_of_its_metric():
    claims = [
        read_claim(claim, study.get("metrics"))
        for study in filter(None, written_studies().values())
        for claim in study.get("claims") or []
        if claim.get("reference")
    ]
    assert len(claims) > 50
    assert {claim.published.unit for claim in claims} == {""}


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
        print_list(answer.verdicts, console, answer.footnotes)
        text = console.file.getvalue()
    assert "on cifar10, n not stated, n 5, primary; here digits, he2015: only the direction compares" in text
    if kind in ("page", "markdown"):
        assert "Published for claim 1: He et al. 2015, arXiv 1512.03385: CIFAR-10 50k train / 10k test" in text
