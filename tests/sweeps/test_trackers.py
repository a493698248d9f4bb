"""Trackers other than W&B: one's own, results table included; TensorBoard's files, read back; a missing package."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ablations.records.record import plans, read_records
from ablations.records.recorder import Stopped
from ablations.wandb_view import protocol
from ablations.wandb_view.mlflow import MLflow
from ablations.wandb_view.tensorboard import TensorBoard
from tests.pages import FILES, commands
from tests.typed import typed

ASKED = ["-m", "block=plain", "depth=8", "seed=0", "recipe.epochs=2", "hydra/launcher=basic"]
OWN = """
import json
from contextlib import contextmanager


class Log:
    def __init__(self, told):
        self.told = told

    def epochs(self, rows):
        self.told["epochs"] += [row["epoch"] for row in rows]

    def diagnostics(self, rows):
        self.told["inside"] += [row["epoch"] for row in rows]

    def record(self, record):
        self.told["status"] = record["status"]


class Mine:
    def __init__(self, word):
        self.word = word

    @contextmanager
    def track(self, run, folder, *, group):
        told = {"word": self.word, "group": group, "epochs": [], "inside": []}
        yield Log(told)
        (folder.parent / "told.json").write_text(json.dumps(told))

    def results(self, answer):
        (answer.runs / "results.json").write_text(json.dumps([row.n for row in answer.rows]))
"""


def test_a_tracker_of_ones_own_is_told_everything(tmp_path: Path) -> None:
    (tmp_path / "own_tracker.py").write_text(OWN)
    (tmp_path / "own" / "tracker").mkdir(parents=True)
    (tmp_path / "own" / "tracker" / "mine.yaml").write_text("_target_: own_tracker.Mine\nword: hello\n")
    done = typed(*ASKED, "tracker=mine", "--config-dir", "own", "runs=r", at=tmp_path)
    assert done.returncode == 0, done.stderr
    (study,) = plans(tmp_path / "r")
    told = json.loads((tmp_path / "r" / "told.json").read_text())
    assert told == {"word": "hello", "group": study, "epochs": [1, 2], "inside": [1, 2], "status": "finished"}
    assert json.loads((tmp_path / "r" / "results.json").read_text()) == [1]


def test_the_tracker_of_the_page_writes_a_line_a_run(tmp_path: Path) -> None:
    for name, text in FILES["docs/trackers.md"].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (command,) = [one.text for one in commands() if one.page == "docs/trackers.md" and "own" in one.text]
    done = typed(*shlex.split(command)[2:], "hydra/launcher=basic", at=tmp_path)
    assert done.returncode == 0, done.stderr
    *runs, last = (tmp_path / "runs" / "lines.txt").read_text(encoding="utf-8").splitlines()
    records = read_records(tmp_path / "runs")[0].values()
    assert sorted(runs) == sorted(f"{one['folder']} 2 {one['metrics']['test_error']}" for one in records)
    assert (len(runs), last) == (2, "2 cells")
    assert "cat runs/lines.txt" in done.stdout


def test_results_that_a_tracker_cannot_take_lose_nothing(tmp_path: Path) -> None:
    wrong = {"answer.rows": "answer.nothing", 'self.told["epochs"] +=': 'self.told["nothing"] +='}
    code = OWN
    for right, other in wrong.items():
        code = code.replace(right, other)
    (tmp_path / "own_tracker.py").write_text(code)
    words = ["tracker._target_=own_tracker.Mine", "+tracker.word=x", "~tracker.mode", "~tracker.project"]
    done = typed(*ASKED, *words, "runs=r", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the tracker did not take the results: AttributeError" in done.stdout
    assert "the tracker stopped, training goes on: KeyError: 'nothing'" in done.stderr
    assert [one["status"] for one in read_records(tmp_path / "r")[0].values()] == ["finished"]


@pytest.mark.parametrize("where", ["call", "enter", "exit"])
def test_a_tracker_that_raises_when_it_begins_or_ends_stops_nothing(tmp_path: Path, where: str) -> None:
    class Raising:
        @contextmanager
        def track(self, run: Any, folder: Path, *, group: str | None) -> Iterator[None]:
            assert where != "enter"
            yield
            assert where != "exit"

    tracker: Any = Raising() if where != "call" else object()
    run: Any = None
    with protocol.tracked(tracker, run, tmp_path, group=None) as log:
        log.record({})
    with pytest.raises(Stopped), protocol.tracked(tracker, run, tmp_path, group=None):
        raise Stopped


@pytest.mark.parametrize("kind", [TensorBoard, MLflow])
def test_a_missing_package_is_said_before_anything_trains(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs (tensorboard|mlflow): pip install (tensorboard|mlflow-skinny)"):
        kind()


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_the_files_of_tensorboard_hold_the_curve(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = typed(*ASKED, "tracker=tensorboard", "runs=r", at=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = read_records(tmp_path / "r")[0].values()
    (study,) = plans(tmp_path / "r")
    found = EventAccumulator(str(tmp_path / "r" / "tensorboard" / study / record["folder"]), {"tensors": 0}).Reload()
    with open(tmp_path / "r" / record["folder"] / "curve.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in ("train_loss", "val_error"):
        told = {event.step: float(event.tensor_proto.float_val[0]) for event in found.Tensors(name)}
        assert told == pytest.approx({int(row["epoch"]): float(row[name]) for row in rows})
    assert (tmp_path / "r" / "tensorboard" / study / "results").is_dir()
    assert "--logdir r/tensorboard" in done.stdout


@pytest.mark.skipif(find_spec("mlflow") is None, reason="mlflow is not installed: pip install mlflow-skinny")
def test_the_files_of_mlflow_hold_the_curve_and_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = typed(*ASKED, "tracker=mlflow", "runs=r", at=tmp_path, MLFLOW_TRACKING_URI="")
    assert done.returncode == 0, done.stderr
    assert "the tracker did not take" not in done.stdout
    assert "mlflow ui --backend-store-uri r/mlruns" in done.stdout
    (record,) = read_records(tmp_path / "r")[0].values()
    (study,) = plans(tmp_path / "r")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # to read them here: the run had to do without
    client = import_module("mlflow").MlflowClient((tmp_path / "r" / "mlruns").as_uri())
    known = client.get_experiment_by_name(study)
    found = {run.info.run_name: run for run in client.search_runs([known.experiment_id])}
    assert set(found) == {record["label"], "results"}
    run = found[record["label"]]
    assert (run.info.status, run.data.params["seed"]) == ("FINISHED", "0")
    assert run.data.params["block"] == "plain"
    assert run.data.metrics["final/test_error"] == pytest.approx(record["metrics"]["test_error"])
    with open(tmp_path / "r" / record["folder"] / "curve.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = {one.step: one.value for one in client.get_metric_history(run.info.run_id, "val_error")}
    assert told == pytest.approx({int(row["epoch"]): float(row["val_error"]) for row in rows})
    (table,) = (tmp_path / "r" / "mlruns").rglob("results.json")
    assert len(json.loads(table.read_text(encoding="utf-8"))["rows"]) == 1


def test_the_protocols_are_what_w_and_b_has() -> None:
    from ablations.wandb_view.log import Log
    from ablations.wandb_view.tracking import Tracker

    tracker: protocol.RunTracker = Tracker("none")
    log: protocol.RunLog = Log()
    assert callable(tracker.track)
    assert callable(log.record)
