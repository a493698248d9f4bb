"""W&B online, from end to end: what a stand-in for its server is sent equals the records, and nothing is sent twice."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablations.records.record import plans, read_records
from ablations.wandb_view.offline import run_id
from tests import typed
from tests.ablations.wandb_view.stand_in import StandIn, stand_in

pytestmark = pytest.mark.slow

GRID = ["-m", "block=plain", "depth=8", "seed=0,1", "recipe.epochs=2", "hydra/launcher=basic", "runs=r"]
NEVER_ANSWERED = {"ArtifactType", "ServerFeaturesQuery", "CreateArtifact"}  # a table's second copy, as an artifact


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server
        assert set(server.puzzled) <= NEVER_ANSWERED


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the grid was trained without a network, and what was printed."""
    place = tmp_path_factory.mktemp("offline")
    done = typed.typed(*GRID, "tracker=offline", at=place)
    (place / "said.txt").write_text(done.stdout)
    return place


def ablations(*words: str, at: Path, server: StandIn, **env: str) -> str:
    """What `python -m ablations words…` prints, with `env` in its environment."""
    call = [sys.executable, "-m", "ablations", *words]
    env = typed.surroundings() | server.environment(at) | {"PYTHONPATH": str(typed.ROOT)} | env
    done = subprocess.run(call, cwd=at, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


def epochs_of(run: dict[str, Any]) -> list[dict[str, float]]:
    """The curve of a run on the server."""
    rows = [json.loads(run["history"][k]) for k in sorted(run["history"])]
    rows = [{key: row[key] for key in row if not key.startswith("_")} for row in rows]
    return [row for row in rows if "train_loss" in row]


def curve_of(folder: Path) -> list[dict[str, float]]:
    with open(folder / "curve.csv", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def is_the_record(server: StandIn, runs: Path, record: dict[str, Any]) -> None:
    """Its id is made of the record's folder; curve, config and summary are the record's."""
    run = server.runs[run_id(record["folder"])]
    assert epochs_of(run) == [pytest.approx(row) for row in curve_of(runs / record["folder"])]
    config = {key: value["value"] for key, value in json.loads(run["config"]).items() if key != "_wandb"}
    assert config == {**record["axes"], "seed": record["seed"]}
    summary = json.loads(run["summaryMetrics"])
    assert {key: summary[key] for key in record["metrics"]} == pytest.approx(record["metrics"])
    assert (run["displayName"], run["project"], summary["status"]) == (record["label"], "skipbench", "finished")


def holds_the_tables(run: dict[str, Any]) -> None:
    """The results, a row a cell and a row a run, are files of the run that its summary names."""
    summary = json.loads(run["summaryMetrics"])
    rows = {name: json.loads(run["files"][summary[name]["path"]])["data"] for name in ("results", "runs")}
    assert (len(rows["results"]), len(rows["runs"])) == (1, 2)
    assert run["files"][summary["figure"]["path"]].startswith(b"\x89PNG")


def test_a_live_sweep_arrives_and_publishing_it_twice_adds_nothing(tmp_path: Path, server: StandIn) -> None:
    done = typed.typed(*GRID, "tracker=online", at=tmp_path, **server.environment(tmp_path))
    assert done.returncode == 0, done.stderr
    (study,), (records, _) = plans(tmp_path / "r"), read_records(tmp_path / "r")
    assert len(records) == 2
    for record in records.values():
        is_the_record(server, tmp_path / "r", record)
        assert server.runs[run_id(record["folder"])]["groupName"] == study
    (results,) = [run for run in server.runs.values() if run["jobType"] == "results"]
    holds_the_tables(results)
    before = {id: dict(run["history"]) for id, run in server.runs.items()}
    views = []
    for _ in range(2):
        said = ablations("publish", study, "--runs", "r", at=tmp_path, server=server)
        assert "0 runs logged or completed, 2 were there already." in said
        assert {id: run["history"] for id, run in server.runs.items()} == before
        views.append(sorted(server.views))
        assert len(views[-1]) == 2
    assert views[0] == views[1], "a workspace and a report are replaced, not added"
    for record in records.values():
        is_the_record(server, tmp_path / "r", record)


def test_the_line_that_uploads_sends_what_was_trained_offline(offline: Path, server: StandIn) -> None:
    (line,) = [line for line in (offline / "said.txt").read_text().splitlines() if "wandb sync" in line]
    words = shlex.split(line[line.index("wandb sync") :])
    call = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    env = typed.surroundings() | server.environment(offline)
    for _ in range(2):
        synced = subprocess.run(call, cwd=offline, env=env, capture_output=True, text=True, timeout=120)
        assert synced.returncode == 0, synced.stderr
        records, _ = read_records(offline / "r")
        for record in records.values():
            is_the_record(server, offline / "r", record)
        assert len(server.runs) == 3
    holds_the_tables(next(run for run in server.runs.values() if run["jobType"] == "results"))


def test_a_resumed_run_keeps_its_id_and_has_each_epoch_once(tmp_path: Path, server: StandIn) -> None:
    words, env = ["depth=8", "recipe.epochs=12", "tracker=online", "runs=r"], server.environment(tmp_path)
    process = typed.start(*words, at=tmp_path, **env)
    while not list((tmp_path / "r").glob("*/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert typed.ended(process).returncode == 130
    (id,) = server.runs
    done = typed.typed(*words, at=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert list(server.runs) == [id]
    (record,) = read_records(tmp_path / "r")[0].values()
    assert [row["epoch"] for row in epochs_of(server.runs[id])] == list(range(1, 13))
    assert server.runs[id]["exits"] == [1, 0]
    is_the_record(server, tmp_path / "r", record)


def test_publishing_heeds_the_variables_of_w_and_b_and_views_that_are_refused_are_one_line(
    offline: Path, tmp_path: Path, server: StandIn
) -> None:
    shutil.copytree(offline / "r", tmp_path / "r", ignore=shutil.ignore_patterns("wandb"))  # as with tracker=none
    (study,) = plans(tmp_path / "r")
    server.on_UpsertView2 = lambda asked: None
    words, place = ("publish", study, "--runs", "r"), {"WANDB_PROJECT": "mine", "WANDB_ENTITY": "team"}
    said = ablations(*words, at=tmp_path, server=server, **place)
    assert {(run["entity"], run["project"]) for run in server.runs.values()} == {("team", "mine")}
    server.puzzled.remove("UpsertView2")
    assert "2 runs logged or completed, 0 were there already." in said
    assert "their views were not saved" in said
