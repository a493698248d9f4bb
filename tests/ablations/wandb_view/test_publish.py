"""A study's side of W&B is made from its records alone, completely, and once."""

from __future__ import annotations

import json
import math

import pytest

from ablations.__main__ import main
from ablations.report.answer import Answer
from ablations.wandb_view import tracking
from ablations.wandb_view.offline import logged_ids
from ablations.wandb_view.publish import publish_study
from ablations.wandb_view.tracking import Tracker
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import write_curve, write_study
from tests.ablations.wandb_view.wandb_file import read_folder

pytestmark = pytest.mark.usefixtures("nobody")
GRID = {"block": ["plain", "residual"]}


@pytest.fixture
def study(tmp_path):
    plan = make_plan(GRID, seeds=(0, 1))
    states = {("plain", 1): {"status": "diverged", "cause": "nan"}, ("residual", 1): {"status": "failed"}}
    records = make_records(plan, lambda axes, seed: states.get((axes["block"], seed), 5.0))
    write_study(tmp_path, plan, records.values())
    return plan, records


def test_publishing_logs_every_run_of_the_records_and_the_answer(study, tmp_path):
    plan, records = study
    assert publish_study(Answer(plan, records, tmp_path), Tracker("offline")) == (4, 0, None)
    logged = {run["id"]: run for run in read_folder(tmp_path)}
    assert {record["folder"] for record in records.values()} < set(logged)
    assert len(logged) == 5
    for record in records.values():
        run = logged[record["folder"]]
        assert run["name"] == record["label"]
        assert run["config"].items() >= {**record["axes"], "seed": record["seed"]}.items()
        assert run["group"] == "headline"
        assert run["summary"]["status"] == record["status"]
        assert [row["epoch"] for row in run["history"]] == [1, 2, 3]
        assert run["history"][1]["val_error"] == 35 + record["seed"]
        assert run["exit_code"] == (record["status"] == "failed")
    answer = next(run for run in logged.values() if run["job_type"] == "results")
    assert answer["history"][0]["results._type"] == "table-file"


def test_the_answer_has_a_figure_though_no_axis_is_a_number_and_its_page(study, tmp_path):
    plan, records = study
    publish_study(Answer(plan, records, tmp_path), Tracker("offline"))
    (run,) = [run for run in read_folder(tmp_path) if run["job_type"] == "results"]
    shown = {key.removesuffix(".path") for key in run["summary"] if key.endswith(".path")}
    assert shown >= {"figure", "page", "results", "runs"}
    page = run["folder"] / "files" / run["summary"]["page.path"]
    assert plan["study"]["question"] in page.read_text(encoding="utf-8")
    assert (run["folder"] / "files" / run["summary"]["figure.path"]).read_bytes().startswith(b"\x89PNG")


def test_what_was_measured_inside_the_networks_is_published_too(study, tmp_path):
    plan, records = study
    write_study(tmp_path, plan, records.values(), blocks=2)
    publish_study(Answer(plan, records, tmp_path), Tracker("offline"))
    logged = [run for run in read_folder(tmp_path) if run["job_type"] == "run"]
    name = "diagnostics/gradient_norm/stages/0/1"
    for run in logged:
        assert [(row["epoch"], row[name]) for row in run["history"] if name in row] == [
            (epoch, pytest.approx(math.exp(1 / 5) / epoch)) for epoch in (1, 2, 3)
        ]
        assert [row["epoch"] for row in run["history"] if "val_error" in row] == [1, 2, 3]
    assert len(logged) == 4


def test_publishing_twice_adds_nothing_and_a_new_run_only_itself_and_the_answer(study, tmp_path):
    plan, records = study
    for _ in range(2):
        publish_study(Answer(plan, records, tmp_path), Tracker("offline"))
    before = logged_ids(tmp_path)
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == len(before) == 5
    more = make_plan(GRID, seeds=(0, 1, 2))
    known = make_records(more, lambda axes, seed: None if (axes["block"], seed) == ("plain", 2) else 5.0)
    known = records | {key: record for key, record in known.items() if record["seed"] == 2}
    assert publish_study(Answer(more, known, tmp_path), Tracker("offline"))[:2] == (1, 4)
    added = logged_ids(tmp_path) - before
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 7
    assert any(name.startswith("residual-s2-") for name in added)
    assert len(added) == 2


def test_a_run_that_was_trained_again_is_published_again(study, tmp_path):
    plan, records = study
    publish_study(Answer(plan, records, tmp_path), Tracker("offline"))
    (failed,) = [record for record in records.values() if record["status"] == "failed"]
    path = tmp_path / failed["folder"] / "record.json"
    path.rename(path.with_name("record.failed-1.json"))  # as `retry=failed` does
    mended = records | {failed["identity"]: failed | {"status": "finished", "cause": None}}
    assert publish_study(Answer(plan, mended, tmp_path), Tracker("offline"))[:2] == (1, 3)
    states = {run["id"]: run["summary"]["status"] for run in read_folder(tmp_path) if run["job_type"] == "run"}
    assert (states[failed["folder"]], states[f"{failed['folder']}-2"]) == ("failed", "finished")


def test_a_run_reused_from_another_study_is_published_with_this_one(study, tmp_path):
    plan, records = study
    publish_study(Answer(make_plan({"block": ["plain"]}, name="other"), records, tmp_path), Tracker("offline"))
    elsewhere = tmp_path / "copy"
    write_study(elsewhere, plan, records.values())
    assert publish_study(Answer(plan, records, elsewhere), Tracker("offline"))[0] == 4


def test_a_run_that_is_half_there_is_completed(study, tmp_path, monkeypatch):
    logged = []

    class Half:
        """A run of which the server has two epochs."""

        offline, entity, project, starting_step, tags = False, "me", "skipbench", 3, ()

        def __init__(self):
            self.summary = {"epoch": 2}

        def log(self, row):
            logged.append(row.get("epoch"))

        def finish(self, exit_code):
            pass

    monkeypatch.setattr(tracking, "_online", lambda asked: True)
    monkeypatch.setattr(tracking, "_init", lambda mode, project, folder, about: Half())
    plan, records = study
    answer = Answer(plan, records, tmp_path)
    assert publish_study(answer, Tracker()) == (4, 0, ("me", "skipbench"))
    assert logged == [3, 3, 3, 3]
    for record in records.values():
        write_curve(tmp_path / record["folder"], epochs=2)
    assert publish_study(answer, Tracker()) == (0, 4, ("me", "skipbench"))


def test_the_command_ends_with_the_line_that_uploads(study, tmp_path, capsys):
    assert main(["publish", "headline", "--runs", str(tmp_path), "--mode", "offline"]) == 0
    out = capsys.readouterr().out
    assert "4 runs logged or completed, 0 were there already." in out
    assert f"wandb sync {tmp_path / 'wandb'}" in out


@pytest.mark.filterwarnings("ignore:Pydantic V1 style:DeprecationWarning")  # of wandb-workspaces itself
def test_the_views_are_valid_without_a_server(study, tmp_path):
    pytest.importorskip("wandb_workspaces", reason="pip install 'skipbench[wandb-reports]' brings it")
    from ablations.wandb_view.workspaces import report, workspace

    plan, records = study
    view = json.loads(
        workspace(Answer(plan, records, tmp_path), "me", "skipbench")._to_model().model_dump_json(by_alias=True)
    )
    banks = view["spec"]["section"]["panelBankConfig"]["sections"]
    assert [bank["name"] for bank in banks[:2]] == ["Does it fit?", "Does it generalise?"]
    lines = [panel["config"] for bank in banks[:2] for panel in bank["panels"]]
    assert {line["metrics"][0] for line in lines} == {"train_error", "train_loss", "val_error", "val_loss"}
    assert all(line["groupArea"] == "minmax" and line["aggregate"] for line in lines)
    runs = view["spec"]["section"]["runSets"][0]
    assert [group["name"] for group in runs["grouping"]] == ["block.value"]
    labels = {record["label"] for record in records.values()}
    assert set(runs["filters"]["filters"][0]["value"]) == labels
    claim = {"says": "Plain is worse.", "source": "He", "metric": "test_error", "expect": "> 0"}
    plan["study"]["claims"] = [{**claim, "contrast": {"plus": {"block": "plain"}, "minus": {"block": "residual"}}}]
    answer = Answer(plan, records, tmp_path)
    (verdict,) = answer.verdicts
    page = report(answer, "me", "skipbench")._to_model().model_dump_json(by_alias=True)
    assert f"**{verdict.outcome}**: Plain is worse." in page
    view = workspace(answer, "me", "skipbench")._to_model().model_dump_json(by_alias=True)
    assert f"**{verdict.outcome}**: Plain is worse." in view
    assert json.loads(page)["displayName"] == "headline"
    assert all(label in page for label in labels)
    assert plan["study"]["question"] in page
    assert "test error %" in page


def test_runs_of_one_label_are_runs_of_their_own_and_those_of_an_older_version_are_told(study, tmp_path, capsys):
    """Changed code gives a run with the label of the one before; an older version took labels for ids."""
    plan, records = study
    moved = {identity[::-1]: {**record, "identity": identity[::-1]} for identity, record in records.items()}
    for record in moved.values():
        record["folder"] = f"{record['label']}-{record['identity'][:8]}"
    after = json.loads(json.dumps(plan))
    for run in (run for cell in after["cells"] for run in cell["runs"]):
        run["identity"] = run["identity"][::-1]
        run["folder"] = f"{run['label']}-{run['identity'][:8]}"
    write_study(tmp_path, after, moved.values())
    for one, known in ((plan, records), (after, moved)):
        assert publish_study(Answer(one, known, tmp_path), Tracker("offline"))[:2] == (4, 0)
    ids = [run["id"] for run in read_folder(tmp_path) if run["job_type"] == "run"]
    assert len(set(ids)) == len(ids) == 8
    with Tracker("offline").run(folder=tmp_path, name="plain-s0"):
        pass
    assert main(["publish", "headline", "--runs", str(tmp_path), "--mode", "offline"]) == 0
    assert "1 of them are in W&B under an older id too, their label" in capsys.readouterr().out
