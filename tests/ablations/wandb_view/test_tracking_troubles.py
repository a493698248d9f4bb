"""Whatever W&B does, nobody is asked, nothing is raised and training goes on; one line says why."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.report.answer import Answer
from ablations.wandb_view import tracking
from ablations.wandb_view.log import Log
from ablations.wandb_view.publish import publish_results
from ablations.wandb_view.tracking import Tracker
from tests.ablations.wandb_view.wandb_file import log_one, read_folder

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("nobody")


def test_a_run_that_raises_is_closed_as_failed_and_the_error_goes_on(tmp_path):
    def train():
        with Tracker(mode="offline").run(folder=tmp_path, name="x") as log:
            log.epochs([{"epoch": 1, "train_loss": 1.0}])
            raise KeyError("from training")

    with pytest.raises(KeyError, match="from training"):
        train()
    (run,) = read_folder(tmp_path)
    assert run["exit_code"] == 1
    assert len(run["history"]) == 1


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_without_credentials_nobody_is_asked_even_on_a_terminal(tmp_path, mode):
    """On a pseudo-terminal, where W&B would prompt."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    script = (
        "from pathlib import Path; from ablations.wandb_view.tracking import Tracker\n"
        f"with Tracker(mode={mode!r}).run(folder=Path({str(tmp_path)!r}), name='x') as log:\n"
        f"    log.epochs([{{'epoch': 1}}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    ) as child:
        os.close(theirs)
        assert child.wait(timeout=40) == 0
        os.set_blocking(ours, False)
        try:
            said = os.read(ours, 65536).decode()
        except OSError:  # nothing was said
            said = ""
        os.close(ours)
    assert ("no credentials" in said) == (mode == "online")
    assert "choice" not in said.lower()
    assert len(said.splitlines()) <= 1
    assert len(read_folder(tmp_path)) == 1


def test_any_error_of_wandb_is_one_warning(tmp_path, monkeypatch, warned):
    import wandb

    def broken(*_, **__):
        raise wandb.Error("the moon is full")

    monkeypatch.setattr(wandb, "init", broken)
    for label in ("a", "b"):
        log_one(Tracker(mode="offline"), tmp_path, label=label)
    assert warned() == ["no W&B, training goes on: the moon is full"]


def test_a_run_that_breaks_halfway_stops_logging_only(warned):
    calls = []

    class Broken:
        def __init__(self):
            self.summary = {}

        def log(self, _):
            calls.append("log")
            raise RuntimeError("lost the service")

        def finish(self, exit_code=0):
            calls.append(f"finish {exit_code}")
            raise OSError("still lost")

    log = Log(Broken())
    log.epochs([{"epoch": 1}])
    log.epochs([{"epoch": 2}])
    log.finish()
    assert calls == ["log", "finish 1"]
    assert warned() == ["W&B stopped, training goes on: lost the service"]


def test_a_folder_that_cannot_be_written_to_is_one_warning(tmp_path, warned):
    (tmp_path / "wandb").write_text("in the way", encoding="utf-8")
    log_one(Tracker(mode="auto"), tmp_path)
    assert warned() == [f"no W&B, training goes on: {tmp_path / 'wandb'}: File exists"]


def test_online_without_a_network_goes_on_offline_and_asks_once(tmp_path, monkeypatch, warned):
    import wandb

    asked = []

    def login(**_):
        asked.append(1)
        raise wandb.errors.CommError("no such host")

    monkeypatch.setattr(wandb, "login", login)
    for seed in (0, 1):
        log_one(Tracker(mode="online"), tmp_path, label=f"x-s{seed}")
    assert len(asked) == 1
    assert warned() == ["W&B goes offline: no such host"]
    assert len(read_folder(tmp_path)) == 2


def test_a_network_that_never_answers_is_waited_for_only_so_long(monkeypatch):
    import wandb

    monkeypatch.setattr(tracking, "INIT_TIMEOUT", 0.1)
    monkeypatch.setattr(wandb, "login", lambda **_: time.sleep(3))
    start = time.monotonic()
    assert tracking._obstacle() == "no answer within 0.1 s"
    assert time.monotonic() - start < 2


def test_a_connection_lost_after_the_login_falls_back_to_offline(tmp_path, monkeypatch, warned):
    import wandb

    real = wandb.init

    def init(*, mode, **rest):
        if mode == "online":
            raise wandb.errors.CommError("timed out")
        return real(mode=mode, **rest)

    monkeypatch.setattr(wandb, "login", lambda **_: True)
    monkeypatch.setattr(wandb, "init", init)
    log_one(Tracker(mode="online"), tmp_path)
    assert warned() == ["W&B goes offline: timed out"]
    assert len(read_folder(tmp_path)) == 1


def test_publishing_never_raises(tmp_path, plan, records, monkeypatch, warned):
    plan["study"]["claims"] = [{"says": "malformed"}]
    publish_results(Tracker(mode="offline"), Answer(plan, records, tmp_path))
    assert len(warned()) == 1
    assert "malformed" in warned()[0]
