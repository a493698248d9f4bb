"""How far a study is can be read from its files at any moment."""

import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablations.monitor.status import Pace, Status, Training, TrialWatch, Watch, headline, picture, span
from ablations.question.search_space import read_search
from ablations.records.files import write_json
from ablations.records.lease import claim
from ablations.report.search_report import ended
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.records.test_record import WHOLE

PLAN = {
    "cells": [
        {"cost": 30, "epochs": 10, "runs": [{"folder": "deep", "label": "plain-d56-s0"}], "further": []},
        {
            "cost": 10,
            "epochs": 10,
            "runs": [{"folder": f"f{k}", "label": f"plain-d8-s{k}"} for k in range(3)],
            "further": [],
        },
    ]
}


def record(runs: Path, folder: str, status: str = "finished", error: float | None = 5.0) -> None:
    made = {**WHOLE, "status": status, "label": folder, "metrics": {"val_error": error}}
    write_json(runs / folder / "record.json", made)


def test_done_is_weighed_by_cost_and_unfinished_epochs_count(tmp_path: Path) -> None:
    watch = Watch(PLAN, tmp_path)
    assert watch.look().share == 0
    record(tmp_path, "f0")
    assert watch.look().share == pytest.approx(10 / 60)
    with claim(tmp_path / "deep") as ours:
        assert ours
        (tmp_path / "deep" / "curve.csv").write_text("epoch,train_error\n1,80\n2,70.5\n")
        status = watch.look()
    assert status.share == pytest.approx((10 + 30 * 0.2) / 60)
    assert status.training == (Training("plain-d56-s0", 2, 10, 70.5, worker=str(os.getpid())),)
    assert watch.look().training == (), "nobody trains it any more"


def test_what_went_wrong_is_counted_and_only_a_finished_run_can_be_the_best(tmp_path: Path) -> None:
    record(tmp_path, "f0", "diverged", 1.0)
    record(tmp_path, "f1", "failed", None)
    record(tmp_path, "f2", "finished", 9.0)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "record.json").write_text("{")
    status = Watch(PLAN, tmp_path).look()
    assert (status.planned, status.done, status.diverged, status.failed) == (4, 3, 1, 1), "a damaged record is none"
    assert status.best == ("f2", 9.0)
    assert status.share == pytest.approx(30 / 60)
    assert headline(status) == "3 of 4 runs, 1 diverged, 1 failed"


def test_the_time_left_follows_the_pace_once_a_run_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ablations.monitor.status.time.monotonic", lambda: now[0])
    pace = Pace()

    def left(seconds: float, share: float, done: int, *training: Training) -> float | None:
        now[0] += seconds
        return pace.left(Status(10, done, 0, 0, training, share, None))

    run = Training("a-run", 1, 10, None)
    assert left(0, 0.5, 5) is None, "what was there before is no pace"
    assert left(30, 0.5, 5) is None, "nor is the time in which the workers start"
    assert left(1, 0.5, 5, run) is None
    assert left(5, 0.55, 5, run) is None, "of no run is it known how long it takes"
    assert left(5, 0.6, 6) == pytest.approx(40)
    pace = Pace()
    left(1, 0.0, 0, run)
    assert left(20, 0.05, 0, run) is None
    assert left(20, 0.1, 0, run) == pytest.approx(360), "the first run takes long: its epochs tell"
    assert [span(s) for s in (40, 720, 12600)] == ["40 s", "12 min", "3.5 h"]


SEARCH = {"name": "s", "study": {"tunings": [{"name": "t"}], "space": {"depth": [8, 14]}, "search": {"trials": 4}}}


def test_of_a_search_the_running_trials_are_shown_with_their_epochs(tmp_path: Path) -> None:
    trial: Any = {"tuning": "t", "number": 0, "state": "running", "point": {}, "suggested": {}, "cell": "c"}
    trial |= {"label": "plain-d8", "runs": [{"seed": 0, "folder": "f", "label": "plain-d8-s0"}], "epochs": 3}
    write_trial(trial_folder(tmp_path, "s", "t", 0), {**trial, "values": {}, "constraints": {}})
    with claim(tmp_path / "f"):
        (tmp_path / "f" / "curve.csv").write_text("epoch,train_error\n1,80\n2,70\n3,60\n")
        (now,) = TrialWatch(SEARCH, tmp_path).look().training
    assert (now.label, now.epoch, now.epochs) == ("plain-d8-s0", 3, 3)
    with open(tmp_path / "out", "w+") as out:
        Console(file=out, width=90).print(picture(Status(4, 0, 0, 0, (now,), 0.0, None)))
        out.seek(0)
        assert "epoch 3 of 3, training error 60.0%" in out.read(), "it is being tested"


def test_of_a_search_whose_trials_were_lowered_all_that_ended_were_planned(tmp_path: Path) -> None:
    about: Any = {"state": "pruned", "point": {}, "suggested": {}, "cell": "c", "label": "plain-d8", "runs": []}
    done = [{**about, "tuning": "t", "number": k, "values": {}, "constraints": {}} for k in range(6)]
    for trial in done:
        write_trial(trial_folder(tmp_path, "s", "t", trial["number"]), trial)
    study = {**SEARCH["study"], "tunings": [{"name": "t"}, {"name": "not begun"}]}
    status = TrialWatch({**SEARCH, "study": study}, tmp_path).look()
    assert (headline(status), status.share) == ("6 of 10 trials", 0.6)
    assert ended(done, read_search(study)) == "6 trials, 4 asked for: 6 pruned"


def test_the_picture_names_who_trains_what(tmp_path: Path) -> None:
    training = (Training("plain-batch-d56-s0", 3, 10, 78.1),)
    status = Status(27, 12, 0, 1, training, 0.4, ("residual-d20-s1", 1.3))
    with open(tmp_path / "out", "w+") as out:
        Console(file=out, width=90).print(picture(status, 40.0))
        out.seek(0)
        text = out.read()
    assert "12 of 27 runs, 1 failed, about 40 s left" in text
    assert "plain-batch-d56-s0" in text
    assert "epoch 4 of 10, training error 78.1%" in text
    assert "best so far residual-d20-s1: validation error 1.30%" in text
