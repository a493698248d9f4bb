"""Runs of other code than today's are said to be so wherever their numbers are shown, with what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.identity.code_hash import fingerprint, targets
from ablations.identity.run import digest
from ablations.plan.staleness import outdated
from ablations.records.files import write_json
from ablations.records.record import plan_path
from tests.ablations.conftest import make_plan, make_records

BLOCKS = "lightning_modules/networks/blocks.py"
SAID = f"3 of 6 runs were trained by other code than today's ({BLOCKS} changed): python run.py -m trains them again."


def config(block: str) -> dict:
    target = f"lightning_modules.networks.blocks.{block.capitalize()}"
    return {"network": {"_target_": target}, "data": {}, "recipe": {}}


def record_of(block: str, code: dict) -> dict:
    return {"identity": block, "config": config(block), "code": code}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two cells, of which one was trained before blocks.py changed."""
    folder = tmp_path_factory.mktemp("runs")
    plan = make_plan({"block": ["plain", "residual"]})
    records = list(make_records(plan).values())
    for cell in plan["cells"]:
        block = cell["axes"]["block"]
        about = {"config": config(block), "code": dict(fingerprint(targets(config(block))))}
        about["code"] |= {BLOCKS: "0" * 16} if block == "plain" else {}
        cell["cell"], before = digest(about), cell["cell"]
        for run in cell["runs"]:
            (record,) = [one for one in records if one["identity"] == run["identity"] and one["cell"] == before]
            run["identity"] = digest({"cell": cell["cell"], "seed": run["seed"]})
            record |= about | {"cell": cell["cell"], "identity": run["identity"]}
            write_json(folder / run["folder"] / "record.json", record)
    write_json(plan_path(folder, "headline"), plan)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        *(["list"], ["status", "headline"], ["report", "headline"], ["verdict", "headline"]),
        *(["export", "headline", "--format", kind] for kind in ("md", "report", "tex", "html")),
    ],
    ids=" ".join,
)
def test_it_is_said_wherever_numbers_are_shown(words, runs, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")
    assert main([*words, "--runs", str(runs)]) == 0
    said = capsys.readouterr().out.replace("\\_", "_").replace("&#x27;", "'")
    here = SAID.replace("run.py -m", f"run.py -m runs={runs}")  # what is published names no folder
    assert said.count(SAID if words[0] == "export" else here) == 1


def test_code_that_cannot_be_found_or_read_is_not_called_changed(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    for target in ("nowhere.Mine", "broken.Mine", "..", ""):
        record = record_of("plain", {"mine.py": "0" * 16}) | {"config": {"network": {"_target_": target}}}
        assert outdated([record]) == {}, target
    assert outdated([{"identity": "a record of another program"}]) == {}
