"""The page of claims says what the studies' pages say, and how each row is trained again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ablations.__main__ import main
from ablations.catalog.choices import config_files
from ablations.catalog.claims_page import VERDICT, publication
from ablations.report.table import in_markdown

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "docs" / "results"
ROW = re.compile(r"\| . (\w+) \| \[(.*)\]\(([\w/]+)\.md\) \| .* \| `python run\.py -m study=([\w/]+)[^`]*` \| (.*) \|")
STUDIES = config_files(ROOT / "conf/study")


def test_the_page_is_what_the_command_prints(capsys):
    assert main(["list", "claims", "--markdown"]) == 0
    said = capsys.readouterr().out
    assert (RESULTS / "claims.md").read_text() == said, (
        "python -m ablations list claims --markdown > docs/results/claims.md"
    )


def test_every_claim_of_a_publication_that_a_page_judges_is_a_row():
    lines = (RESULTS / "claims.md").read_text().splitlines()
    rows = [ROW.fullmatch(line).groups() for line in lines if "python run.py -m study=" in line]
    for outcome, says, study, command, on_gpu in rows:
        assert command == study
        larger = re.fullmatch(r"`study=([\w/]+)`, \d+ (min|h|d)", on_gpu)
        assert (larger and larger[1] in STUDIES) or f"cifar/{study}" not in STUDIES
        page = (RESULTS / f"{study}.md").read_text().replace("\\", "").replace("&gt;", ">").replace("&lt;", "<")
        assert f"**{outcome.replace('open', 'inconclusive')}**: {says}" in page
    for name in (name for name in STUDIES if (RESULTS / f"{name}.md").exists()):
        claims = yaml.safe_load(STUDIES[name].read_text())["study"].get("claims") or []
        theirs = {one["says"] for one in claims if not str(one.get("source", "ours")).startswith("ours")}
        assert theirs == {says for _, says, study, *_ in rows if study == name}
    outcomes = [outcome for outcome, *_ in rows]
    assert outcomes == sorted(outcomes, key=["contradicted", "open", "supported"].index), "failed ones first"


def test_a_row_is_of_what_its_study_still_states():
    """Metric, expectation and source; of a contrast of errors also the cells, by the page's table."""
    compared = 0
    for line in (RESULTS / "claims.md").read_text().splitlines():
        if not (row := ROW.fullmatch(line)):
            continue
        _, says, study, *_ = row.groups()
        (claim,) = (one for one in claims_of(study) if one["says"] == says)
        text = (RESULTS / f"{study}.md").read_text()
        (evidence,) = (evidence for _, said, evidence in VERDICT.findall(text) if said == in_markdown(says))
        assert evidence.startswith(in_markdown(f"{claim['metric']} (".replace("_", " "))), says
        assert in_markdown(f"expected {claim['expect']}") in evidence, says
        assert evidence.endswith(f"· {in_markdown(claim['source'])}"), says
        if (found := re.match(r".*? \(mean[^)]*\) ([-+][\d.]+) points", evidence)) and "contrast" in claim:
            by_table, near = difference(claim["contrast"], text, claim["metric"])
            compared += by_table is not None
            assert by_table is None or abs(by_table - float(found[1])) < near, says
    assert compared > 40


def claims_of(study: str) -> list[dict[str, Any]]:
    return yaml.safe_load(STUDIES[study].read_text())["study"].get("claims") or []


def difference(contrast: dict[str, Any], text: str, metric: str) -> tuple[float | None, float]:
    """What the table of a page says of a contrast, if it says it, and how far the claim's number may be from it.

    That is a rounding; where one cell has more seeds, of which the claim takes the common ones, what they scatter.
    """
    head, *lines = ([cell.strip(" *") for cell in line.split("|")] for line in text.splitlines() if line[:2] == "| ")
    rows, column = [dict(zip(head, line, strict=True)) for line in lines], metric.replace("_error", " error %")

    def of(cell: dict[str, Any]) -> dict[str, str]:
        found = [row for row in rows if all(row.get(axis, str(value)) == str(value) for axis, value in cell.items())]
        return found[0] if len(found) == 1 else {}

    plus, minus = of(contrast["plus"]), of(contrast["minus"])
    if "plus" in contrast["plus"] or column not in plus or column not in minus:
        return None, 0.0
    (high, *_), (low, *_, sd) = (cell[column].split() for cell in (plus, minus))
    many, few = (int(cell["n"].partition("/")[0]) for cell in (plus, minus))
    if many > few:
        sd = plus[column].split()[-1]
    scatter = 2 * float(sd) * abs(1 / many - 1 / few) ** 0.5  # of the mean of its first seeds about that of all
    return float(high) - float(low), 0.05 if plus["n"] == minus["n"] else max(0.5, scatter)


def test_a_publication_is_its_authors_and_year():
    assert publication("He et al. 2015 (PReLU, arXiv 1502.01852), Sec. 2.2") == "He et al. 2015"
    assert publication("Dive into Deep Learning, Sec. 8.6 (Fashion-MNIST)") == "Dive into Deep Learning"
