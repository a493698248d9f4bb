"""The source of a block that is not Skipbench's is kept with its records, with its own commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ablations.identity.run import Run
from ablations.records.provenance import git_version
from ablations.records.record import read_record, read_records
from ablations.records.recorder import Recorder
from lightning_modules.training.fit import Outcome

BLOCK = "from theirs_layers import scale\n\n\nclass Block:\n    gain = scale(3)\n"
LAYERS = "def scale(x):\n    return 2 * x\n"
DONE = Outcome({"val_error": 1.0}, epochs=2, steps=20, seconds=4.0, diverged=False, device="cpu")


def git(folder: Path, *words: str) -> str:
    name = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    return subprocess.run(["git", "-C", folder, *name, *words], check=True, capture_output=True, text=True).stdout


def test_foreign_source_is_kept_once_with_the_commit_of_its_own_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "theirs_block.py").write_text(BLOCK)
    (theirs / "theirs_layers.py").write_text(LAYERS)
    git(theirs, "init", "-q")
    git(theirs, "add", "theirs_block.py")
    git(theirs, "commit", "-qm", "A block")
    commit = git(theirs, "rev-parse", "--short=12", "HEAD").strip()
    monkeypatch.syspath_prepend(theirs)
    config = {"network": {"block": {"_target_": "theirs_block.Block"}}, "data": {}, "recipe": {}}
    runs = tmp_path / "runs"
    for seed in (0, 1):
        run = Run(axes={"block": "mine"}, seed=seed, config=config)
        recorder = Recorder(run, runs / run.folder)
        recorder.begin(params=1, macs=1, note="", data_digest="d")
        recorder.finish(DONE, batch_size=16)
    records, problems = read_records(runs)
    assert (len(records), problems) == (2, [])
    for record in records.values():
        assert {name: kept["git"] for name, kept in record["sources"].items()} == {
            "theirs_block.py": commit,
            "theirs_layers.py": None,  # not committed
        }
        assert record["provenance"]["git"] == git_version() != commit
        texts = [(runs / ".sources" / f"{kept['sha256'][:16]}.py").read_text() for kept in record["sources"].values()]
        assert texts == [BLOCK, LAYERS]
    assert len(list((runs / ".sources").iterdir())) == 2


def test_a_run_of_skipbench_alone_keeps_no_source(tmp_path: Path) -> None:
    run = Run(axes={}, seed=0, config={"network": {}, "data": {}, "recipe": {}})
    recorder = Recorder(run, tmp_path / run.folder)
    recorder.begin(params=1, macs=1, note="", data_digest="d")
    recorder.finish(DONE, batch_size=16)
    assert "sources" not in read_record(tmp_path / run.folder / "record.json")
    assert not (tmp_path / ".sources").exists()
