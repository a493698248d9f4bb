"""Before a run is trained, what lies in its folder is looked at: what does not answer it is kept aside."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from ablations.identity.run import Run
from ablations.records.files import OtherSchema
from ablations.records.recorder import Recorder
from ablations.records.run_folder import folder_of, known, unbegun_removed
from lightning_modules.training.fit import Outcome

RUN = Run(axes={"block": "plain"}, seed=0, config={"network": {}, "data": {}, "recipe": {}})
SIZES = {"params": 1, "macs": 1, "note": "", "data_digest": "d"}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    recorder = Recorder(RUN, tmp_path / RUN.folder)
    recorder.begin(**SIZES)
    return recorder


def test_a_record_answers_its_own_run_alone(recorder: Recorder) -> None:
    written = recorder.fail(ValueError("x"))
    assert known(recorder.folder, RUN) == json.loads(json.dumps(written))
    assert known(recorder.folder, Run(axes=RUN.axes, seed=1, config=RUN.config)) is None


@pytest.mark.parametrize("text", ["", '{"schema": 1', '{"schema": 1}'])
def test_a_damaged_record_is_kept_aside_when_its_run_begins(
    recorder: Recorder, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = recorder.folder / "record.json"
    for count in (1, 2):
        path.write_text(text)
        assert known(recorder.folder, RUN) is None
        recorder.begin(**SIZES)
        assert not path.exists()
        assert (recorder.folder / f"record.damaged-{count}.json").read_text() == text
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 2
    assert str(path) in warned[0]


def test_a_good_record_stays_where_it_is_until_there_is_a_new_one(recorder: Recorder) -> None:
    recorder.fail(ValueError("x"))
    before = (recorder.folder / "record.json").read_bytes()
    recorder.begin(**SIZES)
    assert (recorder.folder / "record.json").read_bytes() == before


def test_a_record_of_other_images_is_kept_aside_when_they_are_trained_on(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    done = Outcome({"val_error": 1.0}, epochs=2, steps=20, seconds=4.0, diverged=False, device="cpu")
    recorder.finish(done, batch_size=16)
    recorder.begin(**SIZES)
    assert (recorder.folder / "record.json").exists()
    recorder.begin(**SIZES | {"data_digest": "e"})
    assert not (recorder.folder / "record.json").exists()
    assert "is of other images: kept as record.stale-1.json, and the run trained again" in caplog.text
    assert recorder.finish(done, batch_size=16)["data_digest"] == "e"


def test_a_record_of_a_newer_version_is_not_touched(recorder: Recorder) -> None:
    (recorder.folder / "record.json").write_text('{"schema": 2}')
    with pytest.raises(OtherSchema, match="schema 2"):
        recorder.begin(**SIZES)
    assert (recorder.folder / "record.json").read_text() == '{"schema": 2}'


def test_a_checkpoint_is_gone_on_from_or_kept_aside(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    def looked_at(_: Path, origin: Mapping[str, str]) -> None:
        assert origin == {"identity": RUN.identity, "data_digest": "d"}

    assert recorder.resume(lambda *_: pytest.fail("there is none to look at")) == recorder.checkpoint
    recorder.checkpoint.write_text("state")
    assert recorder.resume(looked_at).read_text() == "state"
    recorder.curve([{"epoch": 1, "seconds": 2.0}])
    assert not recorder.resume(lambda *_: "is too short").exists()
    assert (recorder.folder / "last.unused-1.ckpt").read_text() == "state"
    assert "last.ckpt is too short; it is kept as last.unused-1.ckpt, and the run begins anew" in caplog.text
    assert not (recorder.folder / "curve.csv").exists(), "its epochs will be trained again"


@pytest.mark.parametrize("cause", ["oom", "error: my own mistake", "killed 3 times"])
def test_a_failed_run_keeps_its_checkpoint_and_says_how_far_it_came(recorder: Recorder, cause: str) -> None:
    recorder.checkpoint.write_text("state")
    recorder.curve([{"epoch": 1, "seconds": 2.0}, {"epoch": 2, "seconds": 4.5}])
    if cause == "oom":
        record = recorder.fail(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    elif cause.startswith("error"):
        record = recorder.fail(RuntimeError("my own mistake"))
    else:
        record = recorder.give_up(cause)
    assert (record["status"], record["cause"]) == ("failed", cause)
    assert (record["epochs"], record["seconds"], record["steps"]) == (2, 4.5, None)
    assert recorder.checkpoint.read_text() == "state"
    assert known(recorder.folder, RUN) == json.loads(json.dumps(record))


@pytest.mark.parametrize("diverged", [False, True])
def test_a_run_that_ended_by_itself_keeps_none(recorder: Recorder, diverged: bool) -> None:
    recorder.checkpoint.write_text("state")
    done = Outcome({"val_error": 1.0}, epochs=2, steps=20, seconds=4.0, diverged=diverged, device="cpu")
    assert recorder.finish(done, batch_size=16)["status"] == ("diverged" if diverged else "finished")
    assert not recorder.checkpoint.exists()


def test_a_run_is_found_whatever_it_was_called(tmp_path: Path) -> None:
    """In other words it has another label; a record comes first, then what an interruption left."""
    assert folder_of(tmp_path, RUN) == tmp_path / RUN.folder
    other = tmp_path / f"in-other-words-s0-{RUN.identity[:8]}"
    Recorder(RUN, other).checkpoint.parent.mkdir()
    assert folder_of(tmp_path, RUN) == tmp_path / RUN.folder, "an empty folder says nothing"
    (other / "last.ckpt").write_text("state")
    assert folder_of(tmp_path, RUN) == other
    third = Recorder(RUN, tmp_path / f"again-s0-{RUN.identity[:8]}")
    third.give_up("killed 3 times")
    assert folder_of(tmp_path, RUN) == third.folder
    assert folder_of(tmp_path, RUN.with_seed(1)) == tmp_path / RUN.with_seed(1).folder


@pytest.mark.parametrize("reason", ["ENOSPC", "EDQUOT", "EFBIG"])
def test_a_full_disk_is_no_result_of_a_run(recorder: Recorder, reason: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        recorder.fail(OSError(getattr(errno, reason), "No space left on device"))
    assert not (recorder.folder / "record.json").exists()
    assert recorder.fail(OSError(errno.ENOENT, "no such file"))["status"] == "failed"
    recorder.begin(params=1, macs=1, note="", data_digest="d")
    assert not (recorder.folder / "traceback.txt").exists(), "of a training before this"


def test_a_folder_that_held_anything_else_is_not_removed(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "overrides.yaml").write_text("[]")
        (folder / "run.log").touch()
    (theirs / "thesis.tex").write_text("years of work")
    for folder in (ours, theirs):
        with pytest.raises(ValueError, match="typo"), unbegun_removed(folder):
            raise ValueError("typo")
    assert not ours.exists()
    assert [path.name for path in theirs.rglob("*")] == ["thesis.tex"]
