"""The page of claims says what the studies' pages say, and how each row is trained again."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ablations.__main__ import main
from ablations.catalog.choices import config_files
from ablations.catalog.claims_page import publication

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "docs" / "results"
ROW = re.compile(r"\| . (\w+) \| \[(.*)\]\(([\w/]+)\.md\) \| .* \| `python run\.py -m study=([\w/]+)` \|")
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
    for outcome, says, study, command in rows:
        assert command == study
        page = (RESULTS / f"{study}.md").read_text().replace("\\", "").replace("&gt;", ">").replace("&lt;", "<")
        assert f"**{outcome.replace('open', 'inconclusive')}**: {says}" in page
    for name in (name for name in STUDIES if (RESULTS / f"{name}.md").exists()):
        claims = yaml.safe_load(STUDIES[name].read_text())["study"].get("claims") or []
        theirs = {one["says"] for one in claims if not str(one.get("source", "ours")).startswith("ours")}
        assert theirs == {says for _, says, study, _ in rows if study == name}
    outcomes = [outcome for outcome, *_ in rows]
    assert outcomes == sorted(outcomes, key=["contradicted", "open", "supported"].index), "failed ones first"


def test_a_publication_is_its_authors_and_year():
    assert publication("He et al. 2015 (PReLU, arXiv 1502.01852), Sec. 2.2") == "He et al. 2015"
    assert publication("Dive into Deep Learning, Sec. 8.6 (Fashion-MNIST)") == "Dive into Deep Learning"
