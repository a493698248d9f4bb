"""A study, a comparison and a search of a regression: all show and use the metric that the task is judged by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import skipbench
from ablations.__main__ import main
from ablations.analysis.results import best_row
from ablations.monitor.status import Watch, picture
from ablations.records.record import read_plan
from ablations.wandb_view.publish import _summary
from ablations.wandb_view.workspaces import curves_of
from tests.sweeps.conftest import Typed
from tests.typed import typed

pytestmark = pytest.mark.slow

QUICK = ("tracker=none", "trainer=cpu", "trainer.threads=1", "hydra/launcher=basic", "workers=1")
STUDY = """# @package _global_
# some layers on the centres of digits
study:
  name: centres
  question: Does a residual net find the centre?
  grid: {block: [plain, residual], depth: [8, 14]}
  seeds: {from: 3, most: 10}
  fixed: {data: digits_centre, recipe: digits_quick, recipe.epochs: 2}
  claims:
    - says: Residual nets are better than three times the variance.
      metric: test_r2
      cell: {block: residual, depth: 8}
      expect: "> -3"
    - says: The squared error of plain nets is huge.
      metric: val_mse
      cell: {block: plain, depth: 8}
      expect: "> 5"
"""
SEARCH = """# @package _global_
# two trials
study:
  name: hunt
  question: Which rate?
  grid: []
  fixed: {data: digits_centre, recipe: digits_quick, recipe.epochs: 2, depth: 8}
  space: {recipe.lr: [0.001, 0.1]}
  search: {trials: 2, replicate: {top: 1, seeds: [7]}%s}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study has been run."""
    place = tmp_path_factory.mktemp("judged")
    (place / "own" / "study").mkdir(parents=True)
    (place / "own" / "study" / "centres.yaml").write_text(STUDY)
    done = typed("--config-dir", "own", "-m", "study=centres", *QUICK, at=place, COLUMNS="160")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lowest val_mse" in done.stdout
    assert "validation error" not in done.stdout
    return place


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def test_claims_on_its_metrics_get_verdicts(place: Path) -> None:
    verdicts = skipbench.study("centres").verdicts()
    assert list(verdicts.verdict) == ["supported", "contradicted"], verdicts.to_string()


def test_what_is_shown_is_what_the_task_is_judged_by(place: Path) -> None:
    study = skipbench.study("centres")
    assert "val_mse" in study._repr_html_()
    curves = study.figures["curves"]
    assert {*curves.data.part} == {"training", "validation"}
    assert '"title": ["mse"]' in json.dumps(curves.spec)
    assert "(%)" not in json.dumps(curves.spec)
    assert "test MSE" in json.dumps(study.figure("errors").spec) or "mse" in json.dumps(study.figure("errors").spec)
    summary = _summary(study.answer)
    best: Any = best_row(study.answer.rows)
    assert summary["best_val_mse"] == best.metrics["val_mse"].mean
    assert curves_of(study.answer)["Does it generalise?"] == ["val_mse", "val_loss"]
    status = Watch(read_plan(place / "runs", "centres"), place / "runs").look()
    assert status.judged == "val_mse"
    assert status.best is not None
    assert status.best[1] == min(study.records().val_mse)
    assert picture(status)


@pytest.mark.parametrize(
    "words",
    [
        ("effects", "centres"),
        ("path", "centres", "block=plain depth=8", "block=residual depth=14"),
        ("report", "centres", "--html", "report.html"),
        ("export", "centres", "--format", "csv"),
        ("export", "centres", "--format", "md"),
        ("status", "centres"),
        ("verdict", "centres"),
    ],
    ids=" ".join,
)
def test_every_command_reads_it(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert not main(words)
    said = capsys.readouterr().out
    assert "_error" not in said, "no column is empty in every line"
    assert "mse" in said or words[0] in ("status", "report", "verdict")


def test_two_folders_are_compared_by_the_task_s_metric(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(place / "runs", place / "other")
    assert not main(["compare", "centres", "centres", "--with-runs", "other", "--json"])
    assert json.loads(capsys.readouterr().out)["metric"] == "test_mse"


def test_a_search_optimises_it_in_its_direction(place: Path) -> None:
    (place / "own" / "study" / "hunt.yaml").write_text(SEARCH % "")
    words = ("--config-dir", "own", "-m", "study=hunt", *QUICK, "runs=hunt")
    assert "minimises val_mse" in typed(*words, "plan=true", at=place, COLUMNS="160").stdout

    (place / "own" / "study" / "hunt.yaml").write_text(SEARCH % ", objectives: [val_r2]")
    done = typed(*words, at=place, COLUMNS="160")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "minimises -val_r2" in done.stdout
    trials = [json.loads(path.read_text()) for path in (place / "hunt").glob(".studies/*/trials/*/*/trial.json")]
    best = min(trials, key=lambda trial: trial["values"]["-val_r2"])
    assert best["point"]["recipe.lr"] == 0.1
    records = [json.loads(path.read_text()) for path in (place / "hunt").glob("*/record.json")]
    (winner,) = [one for one in records if one["seed"] == 7]
    assert winner["config"]["recipe"]["lr"] == 0.1
    found = skipbench.study("hunt", place / "hunt")
    assert "search" in found.figures
    assert found._repr_html_()


def test_a_metric_that_the_task_lacks_is_refused(tmp_path: Path, refused: Typed) -> None:
    (tmp_path / "own" / "study").mkdir(parents=True)
    (tmp_path / "own" / "study" / "hunt.yaml").write_text(SEARCH % ", objectives: [val_eror]")
    for words, says in (
        ("data=digits", "did you mean val_error"),
        ("data=digits_centre", "judged by val_mse and has no"),
    ):
        assert says in refused("--config-dir", "own", "-m", "study=hunt", words, "plan=true")
