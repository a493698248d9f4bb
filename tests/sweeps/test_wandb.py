"""W&B as it is left on disk by `python run.py -m`, really typed and offline: read back, it equals the records."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ablations.__main__ import main
from ablations.analysis.results import CALIBRATION, METRICS, Row, result_rows
from ablations.records.record import plans, read_plan, read_records
from tests.ablations.wandb_view.wandb_file import read_folder
from tests.typed import typed

pytestmark = pytest.mark.slow

BASIC = "hydra/launcher=basic"
ROOT = Path(__file__).parents[2]
KEPT = ("status", "cause", "epochs", "steps", "seconds", "params", "macs")


def somebody(runs: Path) -> dict[str, str]:
    """The environment of somebody without a W&B account."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return env | {"HOME": str(runs.parent), "NETRC": str(runs.parent / "none")}


def start(*arguments: str, runs: Path) -> subprocess.Popen[str]:
    """`python run.py …`, with standard input closed."""
    env = somebody(runs)
    call = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, str(ROOT / "run.py"), *arguments, f"runs={runs}"]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=runs.parent, env=env)


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    return out


def logged(values: dict[str, Any]) -> dict[str, Any]:
    """Without what W&B adds: `_step`, `_timestamp`, `_runtime`, `_wandb`."""
    return {key: value for key, value in values.items() if not key.startswith("_")}


def curve(runs: Path, record: dict[str, Any]) -> list[dict[str, float]]:
    with open(runs / record["folder"] / "curve.csv", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


class Sweep(NamedTuple):
    runs: Path
    out: str
    plan: dict[str, Any]
    rows: list[Row]
    records: dict[str, dict[str, Any]]  # by label
    tracked: dict[str, dict[str, Any]]  # by name
    results: dict[str, Any]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    runs = tmp_path_factory.mktemp("sweep") / "runs"
    asked = ["block=plain,residual", "depth=8", "seed=0,1", "recipe.epochs=2", "tracker=offline"]
    out = finished(start("-m", BASIC, *asked, runs=runs))
    (name,) = plans(runs)
    plan, (records, problems) = read_plan(runs, name), read_records(runs)
    assert (len(records), problems) == (4, [])
    found = read_folder(runs)
    assert len(found) == 4 + 1
    (results,) = [run for run in found if run["job_type"] == "results"]
    tracked = {run["name"]: run for run in found if run["job_type"] == "run"}
    by_label = {record["label"]: record for record in records.values()}
    return Sweep(runs, out, plan, result_rows(plan, records), by_label, tracked, results)


def table(run: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The lines of a W&B table, by the file that the run's summary names."""
    content = json.loads((run["folder"] / "files" / run["summary"][f"{name}.path"]).read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], line, strict=True)) for line in content["data"]]


def test_every_record_is_one_run_of_its_name_in_the_group_of_the_study(sweep: Sweep) -> None:
    keys = ("id", "group", "job_type", "project", "exit_code")
    found = {label: {key: run[key] for key in keys} for label, run in sweep.tracked.items()}
    common = {"group": sweep.plan["name"], "job_type": "run", "project": "skipbench", "exit_code": 0}
    assert found == {
        label: {"id": record["folder"].replace("=", "-"), **common} for label, record in sweep.records.items()
    }
    for label, run in sweep.tracked.items():
        record = sweep.records[label]
        assert logged(run["config"]) == {**record["axes"], "seed": record["seed"]}
        assert run["tags"] == [record["axes"]["block"], "digits", "digits_quick"]


def curve_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a run's history that are epochs of its curve, not what was measured inside the network."""
    return [logged(row) for row in run["history"] if not any(key.startswith("diagnostics/") for key in row)]


def test_the_history_is_the_curve_epoch_by_epoch(sweep: Sweep) -> None:
    for label, run in sweep.tracked.items():
        rows = curve(sweep.runs, sweep.records[label])
        assert [row["epoch"] for row in rows] == [1, 2]
        assert curve_of(run) == rows
        inside = [row["epoch"] for row in run["history"] if "diagnostics/gradient_ratio" in row]
        assert inside == [1, 2]
        assert run["metrics"]["*"] == "epoch", "the x-axis of every curve"


def test_the_summary_is_the_record(sweep: Sweep) -> None:
    for label, run in sweep.tracked.items():
        record = sweep.records[label]
        last = curve(sweep.runs, record)[-1]
        assert set(record["metrics"]) == {*METRICS, *CALIBRATION}
        summary = {key: value for key, value in logged(run["summary"]).items() if not key.startswith("diagnostics/")}
        assert summary == last | record["metrics"] | {key: record[key] for key in KEPT}


def test_one_more_run_holds_the_results_a_row_a_cell_and_a_row_a_run(sweep: Sweep) -> None:
    run, name = sweep.results, sweep.plan["name"]
    assert (run["name"], run["group"], run["exit_code"]) == (f"{name} results", name, 0)
    cells = table(run, "results")
    assert len(cells) == 2
    for line, row in zip(cells, sweep.rows, strict=True):
        spreads = {
            f"{key}_{part}": getattr(row.metrics[key], part)
            for key in (*METRICS, *CALIBRATION)
            for part in ("mean", "sd")
        }
        counts = {"n": 2, "planned": 2, "diverged": 0, "failed": 0, "params": row.params, "macs": row.macs}
        assert line == {**row.shown, **spreads, **counts, "seconds": row.seconds.mean, "cell": row.cell}
    lines = {line["label"]: line for line in table(run, "runs")}
    assert len(table(run, "runs")) == 4
    assert lines.keys() == sweep.records.keys()
    for label, record in sweep.records.items():
        keys = ("label", "seed", "status", "cause", "epochs", "seconds", "folder", "cell", "identity")
        same = {key: record[key] for key in keys} | record["axes"] | record["metrics"]
        assert lines[label].items() >= same.items()


def test_the_results_are_drawn_and_summed_up(sweep: Sweep) -> None:
    run = sweep.results
    figure = run["folder"] / "files" / run["summary"]["figure.path"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    best = min(sweep.rows, key=lambda row: row.metrics["val_error"].mean)
    assert run["summary"]["best"] == best.shown
    assert (run["summary"]["runs"], run["summary"]["planned"]) == (4, 4)


def test_the_line_to_type_names_every_folder_that_waits(sweep: Sweep) -> None:
    (line,) = [line for line in sweep.out.splitlines() if "wandb sync" in line]
    *_, paths = line.partition("wandb sync ")
    named = [Path(path) for path in shlex.split(paths)]
    assert all(path.is_dir() for path in named)
    waiting = {folder for path in named for folder in (path, *path.iterdir()) if folder.match("offline-run-*")}
    found = [*sweep.tracked.values(), sweep.results]
    assert waiting == {run["folder"] for run in found}
    call = [str(Path(sys.executable).with_name("wandb")), "sync", "--dry-run", *map(str, named)]
    done = subprocess.run(call, capture_output=True, text=True, env=somebody(sweep.runs), timeout=60, check=True)
    assert f"Would sync {len(found)} run(s)" in done.stdout + done.stderr
    assert all(f"/run-{run['id']}.wandb" in done.stdout + done.stderr for run in found)


def test_publishing_what_a_sweep_has_shown_adds_nothing(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    folders = sorted((sweep.runs / "wandb").glob("offline-run-*"))
    assert main(["publish", sweep.plan["name"], "--runs", str(sweep.runs), "--mode", "offline"]) == 0
    assert "0 runs logged or completed, 4 were there already." in capsys.readouterr().out
    assert sorted((sweep.runs / "wandb").glob("offline-run-*")) == folders


@pytest.mark.long
def test_a_resumed_run_shows_all_epochs(tmp_path: Path) -> None:
    runs, asked = tmp_path / "runs", ["depth=8", "recipe.epochs=12", "tracker=offline"]
    process = start(*asked, runs=runs)
    while not list(runs.glob("*/last.ckpt")):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    finished(start(*asked, runs=runs))
    (record,) = read_records(runs)[0].values()
    broken, resumed = read_folder(runs)
    assert broken["id"] == resumed["id"] == record["folder"].replace("=", "-")
    assert (broken["exit_code"], resumed["exit_code"]) == (1, 0)
    rows = curve(runs, record)
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert curve_of(resumed) == rows
    before = curve_of(broken)
    assert 0 < len(before) < 12
    for row, again in zip(before, rows, strict=False):
        assert row | {"seconds": 0} == again | {"seconds": 0}, "an epoch cut off before its checkpoint is trained again"


def test_no_tracker_leaves_no_trace(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    asked = ["block=plain", "depth=8", "seed=0", "recipe.epochs=1", "tracker=none", BASIC]
    done = typed("-m", *asked, f"runs={runs}", at=tmp_path, **somebody(runs))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(read_records(runs)[0]) == 1
    assert not [path for path in tmp_path.rglob("*") if "wandb" in path.name]
    assert "wandb" not in done.stdout
