"""A study that is still running says so in every view; a complete one in none."""

from __future__ import annotations

import pytest

from ablations.__main__ import main
from ablations.analysis.results import result_rows
from ablations.records.files import write_json
from ablations.records.lease import claim
from ablations.records.record import plan_path
from ablations.report.completeness import incomplete
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records

VIEWS = {
    "terminal": ["report", "headline"],
    "report": ["export", "headline", "--format", "report"],
    "md": ["export", "headline", "--format", "md"],
    "tex": ["export", "headline", "--format", "tex"],
    "html": ["export", "headline", "--format", "html"],
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_says_how_much_is_missing_and_whether_it_is_trained(tmp_path, capsys, monkeypatch, view):
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")
    plan = make_plan()
    write_json(plan_path(tmp_path, "headline"), plan)
    left = plan["cells"][0]["runs"][0]

    def said():
        assert main([*VIEWS[view], "--runs", str(tmp_path)]) == 0
        return " ".join(capsys.readouterr().out.split())

    for record in make_records(plan).values():
        if record["identity"] != left["identity"]:
            write_json(tmp_path / record["folder"] / "record.json", record)
    assert "Not complete: 1 of 18 runs is missing (none in training now)" in said()
    with claim(tmp_path / left["folder"]) as ours:
        assert ours
        assert "Not complete: 1 of 18 runs is missing (1 in training now)" in said()
    write_json(tmp_path / left["folder"] / "record.json", make_records(plan)[left["identity"]])
    assert "Not complete" not in said()


def test_a_search_counts_its_trials(tmp_path):
    plan = make_plan({"block": ["plain"]})
    plan["study"] |= {"space": {"depth": [8, 20]}, "search": {"trials": 3, "objectives": ["val_error"]}}
    plan["study"]["tunings"] = [{"name": "t-12345678", "point": {}}]
    rows = result_rows(plan, make_records(plan))
    assert incomplete(plan, rows, tmp_path)[0].startswith("Not complete: 3 of 3 trials are missing")
    for number in range(3):
        about = {"tuning": "t-12345678", "number": number, "state": "complete", "values": {"val_error": 3.0}}
        about |= {"suggested": {}, "constraints": {}, "runs": [], "cell": f"c{number}", "label": "l", "point": {}}
        write_trial(trial_folder(tmp_path, plan["name"], "t-12345678", number), about)
    assert incomplete(plan, rows, tmp_path) == []
