"""Seeds are added where claims are open: typed, killed and typed again, from two terminals, to the same end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from ablations.monitor.status import Watch, headline
from ablations.records.record import read_plan, read_records
from tests.sweeps.conftest import Typed
from tests.typed import ended, start, typed

pytestmark = pytest.mark.slow

STUDY = """# @package _global_
# a study of eight layers
study:
  name: small
  question: Is a residual net of eight layers better than a plain one?
  grid: {block: [plain, residual, highway], depth: 8}
  seeds: {from: 3, most: 8, context: 1}
  fixed: {data: digits, recipe: digits_quick, recipe.epochs: 1}
  claims:
    - says: Plain and residual nets err alike, within a point.
      metric: train_error
      contrast: {plus: {block: plain}, minus: {block: residual}}
      expect: within 1
    - says: Residual nets of eight layers have a median error below 60%.
      metric: train_error
      cell: {block: residual}
      expect: "< 60"
"""
BASIC = "hydra/launcher=basic"  # trains the same in this process, without the seconds that workers take to begin
WORDS = ("-m", "study=small", "tracker=none", "diagnostics=false")


def trained(place: Path) -> dict[tuple[str, int], float]:
    """The training error of each run there, by block and seed."""
    records, problems = read_records(place / "runs")
    assert not problems
    return {(one["axes"]["block"], one["seed"]): one["metrics"]["train_error"] for one in records.values()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study."""
    place = tmp_path_factory.mktemp("conf")
    (place / "study").mkdir()
    (place / "study" / "small.yaml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study was carried out at once."""
    place = tmp_path_factory.mktemp("whole")
    done = typed("--config-dir", folder, *WORDS, BASIC, at=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def test_only_the_cells_of_open_claims_get_further_seeds(whole: Path) -> None:
    counts = {block: sum(one == block for one, _ in trained(whole)) for block in ("plain", "residual", "highway")}
    assert counts["highway"] == 1
    assert 3 <= counts["plain"] <= counts["residual"] <= 8
    assert counts["residual"] > 5  # a median is not shown by fewer


def test_what_was_typed_in_other_words_counts_and_is_not_trained_again(
    whole: Path, folder: Path, tmp_path: Path
) -> None:
    """Other words, another folder: here of the first seeds and of one that followed. The others are missing."""
    shutil.copytree(whole / "runs", tmp_path / "runs")
    records, _ = read_records(tmp_path / "runs")
    for one in records.values():
        path = tmp_path / "runs" / one["folder"]
        if one["seed"] < 3 or one["seed"] == 4:
            path.rename(tmp_path / "runs" / f"typed-otherwise-{one['identity'][:8]}")
        else:
            shutil.rmtree(path)
    again = typed("--config-dir", folder, *WORDS, BASIC, at=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert trained(tmp_path) == trained(whole)
    assert len(list(tmp_path.glob("runs/*/record.json"))) == len(trained(whole)), "none twice"


def test_the_plan_holds_what_may_follow_and_a_report_what_followed(whole: Path, folder: Path) -> None:
    plan = read_plan(whole / "runs", "small")
    assert [(len(cell["runs"]), len(cell["further"])) for cell in plan["cells"]] == [(3, 5), (3, 5), (1, 0)]
    again = typed("--config-dir", folder, *WORDS, "plan=true", at=whole)
    many = len(trained(whole))
    assert f"0 to train, {many} reused" in again.stdout
    assert "until every claim is decided" not in again.stdout, "they are"


def test_meanwhile_it_says_how_many_runs_it_may_become(whole: Path, tmp_path: Path) -> None:
    watch = Watch(read_plan(whole / "runs", "small"), tmp_path)
    assert headline(watch.look(), left=40) == "0 of 7 runs, 17 at most, 40 s left or more"
    watch = Watch(read_plan(whole / "runs", "small"), whole / "runs")
    assert headline(watch.look(), left=0) == f"{len(trained(whole))} of {len(trained(whole))} runs"


@pytest.mark.long
def test_a_killed_sweep_typed_again_trains_the_same_runs(whole: Path, folder: Path, tmp_path: Path) -> None:
    for left in (2, 6):
        process = start("--config-dir", folder, *WORDS, at=tmp_path)
        wait_for(tmp_path, left)
        os.killpg(process.pid, signal.SIGKILL)
        ended(process)
    done = typed("--config-dir", folder, *WORDS, at=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert trained(tmp_path) == trained(whole)


@pytest.mark.long
def test_two_terminals_train_the_same_runs_once(whole: Path, folder: Path, tmp_path: Path) -> None:
    both = [start("--config-dir", folder, *WORDS, "workers=1", at=tmp_path) for _ in range(2)]
    said = [ended(process) for process in both]
    assert [one.returncode for one in said] == [0, 0], said
    assert trained(tmp_path) == trained(whole)
    logs = [path.read_text().count("training begins") for path in (tmp_path / "runs").glob("*/*.log")]
    assert set(logs) == {1}
    assert verdicts(said[0].stdout) == verdicts(said[1].stdout)


def test_a_failed_run_is_waited_for_and_named_first(whole: Path, folder: Path, tmp_path: Path) -> None:
    records, _ = read_records(whole / "runs")
    failed = next(one for one in records.values() if one["axes"]["block"] == "plain" and one["seed"] == 1)
    for record in records.values():
        path = tmp_path / "runs" / record["folder"] / "record.json"
        path.parent.mkdir(parents=True)
        changed = {"status": "failed", "cause": "oom", "metrics": {}} if record is failed else {}
        path.write_text(json.dumps({**record, **changed}))
    done = typed("--config-dir", folder, *WORDS, BASIC, at=tmp_path)
    assert done.returncode == 2
    assert f"no verdict: waits for {failed['label']}, which failed (oom): retry=failed" in done.stdout
    again = typed("--config-dir", folder, *WORDS, BASIC, "retry=failed", at=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert trained(tmp_path) == trained(whole)


def test_bad_designs_are_refused_before_training(folder: Path, refused: Typed) -> None:
    for word, says in {
        "most=2": "most=2 is fewer than the first 3 seeds",
        "+study.seeds.form=4": "unknown field 'form'; did you mean from",
        "study.seeds.context=9": "from 1 to 3 seeds",
        "study.seeds.from=2": "a verdict needs at least 3 seeds",
        "+study.level=0.5": "study.level is not a study's to say",
    }.items():
        assert says in refused("--config-dir", str(folder), *WORDS, BASIC, word)


def wait_for(place: Path, records: int) -> None:
    """Wait until so many runs have a record."""
    late = time.monotonic() + 120
    while len(list(place.glob("runs/*/record.json"))) < records and time.monotonic() < late:
        time.sleep(0.02)


def verdicts(said: str) -> list[str]:
    """The lines of a report from its claims on."""
    return said[said.index("Claims") :].splitlines()[:8]
