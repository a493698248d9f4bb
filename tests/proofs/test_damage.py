"""A sweep over damaged files: each is named in a sentence, the rest goes on, what is damaged is kept aside."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ablations.__main__ import main
from ablations.identity.run import digest
from ablations.records.record import plan_path, plans, read_records
from tests.proofs.sweeps import finish, planned, results, start, table

ASKED = ("block=plain", "depth=8", "recipe.epochs=2", "hydra/launcher=basic")
SEEDS = "seed=range(7)"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, bait: Path) -> None:
        self.bait = bait

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.bait}",)


def stranger(bait: Path) -> dict[str, Any]:
    """A whole record, of a config that would do harm if somebody built it."""
    config = {"network": {"_target_": "pathlib.Path.touch", "self": str(bait)}, "recipe": {"_target_": "os.system"}}
    cell = digest({"config": config, "code": {}})
    record = {"schema": 1, "identity": digest({"cell": cell, "seed": 0}), "cell": cell, "config": config, "code": {}}
    record |= {"label": "stranger-s0", "folder": "stranger-s0", "status": "finished", "axes": {}, "seed": 0}
    return record | {"metrics": {"val_error": 0.0}, "params": 1, "macs": 1, "epochs": 1, "cause": None}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of an undisturbed sweep."""
    runs = tmp_path_factory.mktemp("whole")
    finish(runs, *ASKED, SEEDS)
    return runs


@pytest.mark.slow
def test_a_sweep_over_damaged_and_hostile_files(whole: Path, tmp_path: Path) -> None:
    runs, bait = tmp_path / "runs", tmp_path / "bait"
    folders = [runs / record["folder"] for record in results(whole).values()]
    for folder in folders:
        folder.mkdir(parents=True)
    good = json.loads((whole / folders[0].name / "record.json").read_text())
    (folders[0] / "record.json").write_text(json.dumps(good)[:400])
    (folders[1] / "record.json").write_text(json.dumps(stranger(bait)))
    (folders[2] / "last.ckpt").write_bytes(pickle.dumps(Bomb(bait)))
    torch.save({"state_dict": Bomb(bait)}, folders[3] / "last.ckpt")
    (folders[4] / "last.ckpt").touch()
    (folders[5] / "lease.json").write_text('{"host": "elsewhere", "pid": 1}')
    os.utime(folders[5] / "lease.json", (0, 0))
    (folders[5] / "curve.csv").write_bytes(b"\xff\x00garbage")
    for place, text in (("nan", json.dumps(good).replace(str(good["params"]), "NaN")), ("empty", "")):
        (runs / place).mkdir()
        (runs / place / "record.json").write_text(text)
    (runs / "far").mkdir()
    (runs / "far" / "record.json").write_text(json.dumps(stranger(bait)))
    plan_path(runs, "torn").parent.mkdir(parents=True)
    plan_path(runs, "torn").write_text('{"schema"')

    said = finish(runs, *ASKED, SEEDS)
    assert not bait.exists()
    plain = " ".join(said.split())
    for words in (
        f"{folders[0] / 'record.json'}: damaged, not whole JSON",
        f"{runs / 'nan' / 'record.json'}: holds NaN",
        f"{runs / 'empty' / 'record.json'}: damaged",
        f"{folders[1] / 'record.json'} is damaged or another run's: kept as record.damaged-1.json",
        f"{folders[2] / 'last.ckpt'} is no whole checkpoint",
        f"{folders[3] / 'last.ckpt'} holds more than numbers and names, which is not executed",
        f"{folders[4] / 'last.ckpt'} is no whole checkpoint",
    ):
        assert words in plain, words
    for folder, kept in zip(folders, ["record.json"] * 2 + ["last.ckpt"] * 3, strict=False):
        why = "unused" if kept.endswith("ckpt") else "damaged"
        assert list(folder.glob(f"{Path(kept).stem}.{why}-1.*")), "what was damaged is kept"
    records, problems = read_records(runs)
    assert planned(whole) <= set(records)
    assert len(problems) == 2, "those that no run of this study has asked for stay as they are"
    assert main(["doctor", "--repair", "--runs", str(runs)]) == 0
    assert plans(runs) == plans(whole), "the torn one is away"
    assert table(runs) == table(whole)
    for record in results(whole).values():
        assert records[record["identity"]]["metrics"] == record["metrics"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system to fill, and not in every container")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, *, but: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(max(0, free - but)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "room",
    [
        pytest.param(0, id="at the start", marks=pytest.mark.long),
        pytest.param(64 * 1024, id="in the midst of a training"),
    ],
)
def test_a_full_disk_is_named_and_nothing_recorded_is_lost(whole: Path, small_disk: Path, room: int) -> None:
    runs = small_disk / "runs"
    for record in whole.glob("*-s[01]-*/record.json"):
        shutil.copytree(record.parent, runs / record.parent.name)
    before = {path: path.read_bytes() for path in runs.glob("*/record.json")}
    assert len(before) == 2
    fill(small_disk, but=room)
    process = start(runs, *ASKED, "seed=range(3)")
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, stdout + stderr
    (sentence,) = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert "No space left on device" in sentence
    assert "Traceback" not in stderr
    assert {path: path.read_bytes() for path in runs.glob("*/record.json")} == before
    assert not list(runs.glob("*/lease*.json")), "the run is free for who has room"
    (small_disk / "filler").unlink()
    assert "1 to train, 2 reused" in finish(runs, *ASKED, "seed=range(3)")
    assert len(results(runs)) == 3
    assert before.items() <= {path: path.read_bytes() for path in runs.glob("*/record.json")}.items()
