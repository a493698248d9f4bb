"""Weights take room, which a report says and `prune` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.identity.run import Run
from ablations.records.kept import kept_in, short_bytes
from ablations.records.lease import claim
from ablations.records.recorder import Recorder
from lightning_modules.training.fit import Outcome

DONE = Outcome({"val_error": 1.0}, epochs=2, steps=20, seconds=4.0, diverged=False, device="cpu")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs with weights of 1, 2 and 3 kB; the last has a state of 10 kB too."""
    for seed in (1, 2, 3):
        run = Run(axes={}, seed=seed, config={"network": {}, "data": {}, "recipe": {}})
        recorder = Recorder(run, tmp_path / run.folder)
        recorder.begin(params=1, macs=1, note="", data_digest="d")
        recorder.finish(DONE, batch_size=16, weights=b"x" * 1000 * seed)
    (recorder.folder / "state.ckpt").write_bytes(b"x" * 10_000)
    return tmp_path


def names(runs: Path) -> list[str]:
    return sorted(path.name for path in runs.glob("*/*") if path.name in ("weights.safetensors", "state.ckpt"))


def test_nothing_is_removed_that_was_not_asked_for(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(runs)
    assert main(["prune", "--runs", str(runs)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["13", "kB"], ["2", "kB"], ["1", "kB"]], "the largest first"
    assert "weights, state" in lines[0]
    assert "16 kB of 3 runs" in last
    assert "add --yes" in last
    assert names(runs) == before
    assert main(["prune", "--state", "--yes", "--runs", str(runs)]) == 0
    assert names(runs) == ["weights.safetensors"] * 3
    records = {path: path.read_bytes() for path in runs.glob("*/record.json")}
    training = next(runs.glob("s1-*"))
    with claim(training):
        assert main(["prune", "--yes", "--runs", str(runs)]) == 0
    assert "5 kB of 2 runs removed" in capsys.readouterr().out
    assert [path.parent for path in runs.glob("*/weights.safetensors")] == [training], "what is being trained stays"
    assert {path: path.read_bytes() for path in runs.glob("*/record.json")} == records
    assert main(["prune", "--yes", "--runs", str(runs)]) == 0
    assert main(["prune", "--yes", "--runs", str(runs)]) == 0
    assert "No run keeps weights" in capsys.readouterr().out


def test_sizes_are_added_up_and_written_shortly(runs: Path) -> None:
    assert sum(one.size for one in kept_in(sorted(runs.iterdir()))) == 16_000
    assert [short_bytes(size) for size in (1, 81_234, 2_100_000, 3_000_000_000)] == [
        "1 kB",
        "82 kB",
        "2.1 MB",
        "3.0 GB",
    ]
