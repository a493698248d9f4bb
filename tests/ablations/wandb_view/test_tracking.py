"""What W&B is told is what was logged, and nothing that W&B needs is left behind in this process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ablations.analysis.results import result_rows
from ablations.records.recorder import Stopped
from ablations.report.answer import Answer
from ablations.wandb_view.offline import sync_command
from ablations.wandb_view.publish import publish_results
from ablations.wandb_view.tracking import Tracker
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.wandb_view.wandb_file import log_one, read_folder

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("nobody")


def environment():
    """Without the one variable in which W&B tells its child processes where its service listens."""
    return {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}


@pytest.mark.parametrize("mode", ["offline", "auto"])
def test_the_file_holds_exactly_what_was_logged(tmp_path, mode, warned):
    before = environment()
    log_one(Tracker(mode=mode), tmp_path)
    (run,) = read_folder(tmp_path)
    about = {key: run[key] for key in ("id", "name", "group", "job_type", "tags", "project", "exit_code")}
    assert about == {
        "id": "residual-A-d20-s0",
        "name": "residual-A-d20-s0",
        "group": "headline",
        "job_type": "run",
        "tags": ["residual", "digits"],
        "project": "skipbench",
        "exit_code": 0,
    }
    assert {k: v for k, v in run["config"].items() if k != "_wandb"} == {"block": "residual", "depth": 20, "seed": 0}
    history = [{k: v for k, v in row.items() if not k.startswith("_")} for row in run["history"]]
    assert history[0] == {"epoch": 1, "train_loss": 1.5, "val_error": 50.0}
    assert math.isnan(history[1].pop("train_loss"))
    assert history[1] == {"epoch": 2, "val_error": 25.125}
    assert run["summary"]["test_error"] == 24.5
    assert run["summary"]["status"] == "finished"
    assert run["metrics"]["*"] == "epoch"
    assert environment() == before
    assert warned() == []


def test_a_pruned_trial_has_not_failed(tmp_path, warned):
    def train():
        with Tracker(mode="offline").run(tmp_path, name="x", tags=["plain"]) as log:
            log.epochs([{"epoch": 1, "train_loss": 1.0}])
            raise Stopped

    with pytest.raises(Stopped):
        train()
    (run,) = read_folder(tmp_path)
    assert (run["exit_code"], run["summary"]["status"]) == (0, "pruned")
    assert run["tags"] == ["plain", "pruned"]
    assert [row["train_loss"] for row in run["history"]] == [1.0]
    assert warned() == []


def test_the_next_run_does_not_log_into_the_first(tmp_path):
    for seed in (0, 1):
        log_one(Tracker(mode="offline"), tmp_path, label=f"plain-s{seed}")
    assert sorted((run["name"], len(run["history"])) for run in read_folder(tmp_path)) == [
        ("plain-s0", 2),
        ("plain-s1", 2),
    ]


def test_a_label_of_any_letters_makes_an_id(tmp_path):
    with Tracker(mode="offline").run(folder=tmp_path, name="a/b c:d?é=1"):
        pass
    (run,) = read_folder(tmp_path)
    assert run["name"] == "a/b c:d?é=1"
    assert not set(run["id"]) & set("/\\#?%: ")


def test_mode_none_imports_no_wandb_and_writes_nothing(tmp_path):
    script = (
        "import sys; from pathlib import Path; from ablations.wandb_view.tracking import Tracker\n"
        f"with Tracker(mode='none').run(folder=Path({str(tmp_path)!r}), name='x') as log:\n"
        f"    log.epochs([{{'epoch': 1}}])\n"
        "assert 'wandb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True, timeout=60)
    assert not list(tmp_path.iterdir())


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="allowed are auto, none, offline, online"):
        Tracker(mode="of")


def test_results_hold_a_row_a_cell_a_row_a_run_pictures_and_verdicts(tmp_path, warned):
    sides = {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "plain", "depth": 8}}
    claims = [{"says": "Deeper is worse.", "metric": "test_error", "contrast": sides, "expect": "> 0"}]
    plan = make_plan(claims=claims)
    lost = {"status": "diverged", "cause": "nan", "error": 90.0}
    records = make_records(
        plan, lambda axes, s: lost if (axes["depth"], s) == (20, 2) else axes["depth"] + s * axes["depth"] / 100
    )
    rows = result_rows(plan, records)
    publish_results(Tracker(mode="offline"), Answer(plan, records, tmp_path))
    (run,) = read_folder(tmp_path)
    assert warned() == []
    assert (run["job_type"], run["group"], run["name"]) == ("results", "headline", "headline results")
    tables = {
        p.name.split("_0_")[0]: json.loads(p.read_text(encoding="utf-8")) for p in run["folder"].rglob("*.table.json")
    }
    assert set(tables) == {"results", "runs"}
    results = [dict(zip(tables["results"]["columns"], line, strict=True)) for line in tables["results"]["data"]]
    assert [(line["block"], line["depth"], line["n"]) for line in results] == [
        (row.shown["block"], row.shown["depth"], row.n) for row in rows
    ]
    assert [line["test_error_mean"] for line in results] == [row.metrics["test_error"].mean for row in rows]
    assert len(tables["runs"]["data"]) == 18
    assert run["summary"]["verdict_1"] == "supported: Deeper is worse."
    assert run["summary"]["best"] == {"block": "plain", "depth": 8}
    assert list(run["folder"].rglob("*.png"))


def test_sweeps_that_joined_each_other_show_one_answer_and_a_fuller_one_beside_it(tmp_path):
    plan = make_plan(claims=[])
    records = make_records(plan, lambda axes, s: axes["depth"] + s)
    early = {key: record for key, record in records.items() if record["seed"] < 2}
    for known in (early, early, records, records):
        publish_results(Tracker(mode="offline"), Answer(plan, known, tmp_path))
    one, other = read_folder(tmp_path)
    assert one["id"] != other["id"]
    assert (one["summary"]["runs"], other["summary"]["runs"]) == (12, 18)
    assert one["summary"]["best"] == other["summary"]["best"] == {"block": "plain", "depth": 8}


def test_the_sync_line_names_what_is_waiting_and_nothing_else(tmp_path):
    assert sync_command(tmp_path) is None
    for name in ("20260101_000000-old", "20260102_000000-a-s0", "20260102_000001-b", "20260103_000001-b-2"):
        (tmp_path / "wandb" / f"offline-run-{name}").mkdir(parents=True)
    _old, a, b, again = sorted((tmp_path / "wandb").iterdir())
    assert sync_command(tmp_path) == f"wandb sync {tmp_path / 'wandb'}"
    assert sync_command(tmp_path, of=["a=s0", "b"]) == f"wandb sync {a} {b} {again}"
    assert sync_command(tmp_path, of=["c"]) is None
    (b / "run-b.wandb.synced").touch()
    assert sync_command(tmp_path, of=["b"]) == f"wandb sync {again}"


@pytest.mark.parametrize("mode", ["auto", "none", "offline", "online"])
def test_a_choice_of_tracker_is_named_after_its_mode_and_heeds_the_project(mode, monkeypatch):
    choice = OmegaConf.load(ROOT / f"conf/tracker/{mode}.yaml")
    assert choice.pop("_target_") == "ablations.wandb_view.tracking.Tracker"
    assert Tracker(**choice) == Tracker(mode, "skipbench")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert Tracker(**choice) == Tracker(mode, "mine")
    monkeypatch.setenv("WANDB_PROJECT", "")
    assert Tracker(**choice) == Tracker(mode, "skipbench")


def test_two_runs_open_at_once_keep_apart(tmp_path):
    tracker = Tracker(mode="offline")
    with tracker.run(folder=tmp_path, name="outer") as outer, tracker.run(folder=tmp_path, name="inner") as inner:
        outer.epochs([{"epoch": 1, "train_loss": 1.0}])
        inner.epochs([{"epoch": 1, "train_loss": 2.0}])
    found = {run["name"]: [row["train_loss"] for row in run["history"]] for run in read_folder(tmp_path)}
    assert found == {"outer": [1.0], "inner": [2.0]}
