"""Ways in which files under `runs` come to harm, each with the words that name it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ablations.identity.run import digest
from ablations.records.lease import EXPIRES
from ablations.records.record import plan_path

AN_HOUR = 3600.0


def one(runs: Path) -> Path:
    """The folder that a test damages."""
    return sorted(path for path in runs.iterdir() if not path.name.startswith("."))[4]


def changed(runs: Path, **changes: object) -> None:
    path = one(runs) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def text(content: bytes, name: str = "record.json") -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        (one(runs) / name).write_bytes(content)

    return damage


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = one(runs) / "record.json"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return damage


def truncated(runs: Path) -> None:
    path = one(runs) / "record.json"
    os.truncate(path, path.stat().st_size // 2)


def another_config(runs: Path) -> None:
    record = json.loads((one(runs) / "record.json").read_text())
    cell = digest({"config": {"lr": 1}, "code": {}})
    changed(runs, config={"lr": 2}, code={}, cell=cell, identity=digest({"cell": cell, "seed": record["seed"]}))


def checkpoint(content: bytes | None, name: str = "last.ckpt") -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = one(runs) / name
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", b"x" * 1000)
        whole = path.read_bytes()
        path.write_bytes(whole[:-50] if content is None else content)

    return damage


def weights(content: bytes | None = None, **about: object) -> Callable[[Path], None]:
    """A file of weights of the run, torn unless `content` or something `about` it is said."""

    def damage(runs: Path) -> None:
        changed(runs, params=10)
        record = json.loads((one(runs) / "record.json").read_text())
        said = {"identity": record["identity"], "length": 10} | about
        whole = save({"w": np.zeros(said.pop("length"), np.float32)}, {"identity": json.dumps(said["identity"])})
        torn = whole[:-5] if not about else whole
        (one(runs) / "weights.safetensors").write_bytes(torn if content is None else content)

    return damage


def plan_text(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = plan_path(runs, "headline")
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return damage


def lease(age: float, **holder: object) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = one(runs) / "lease.json"
        path.write_text(json.dumps(holder))
        os.utime(path, (time.time() - age, time.time() - age))

    return damage


def dead(runs: Path) -> None:
    """A process claims the run and ends without giving it up."""
    code = "import os, sys; from pathlib import Path; from ablations.records.lease import claim\n"
    code += "kept = claim(Path(sys.argv[1])); kept.__enter__(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(one(runs))], check=True, cwd=Path(__file__).parents[2])


def twice(runs: Path) -> None:
    shutil.copytree(one(runs), runs / (one(runs).name + " (copy)"))


def renamed(runs: Path) -> None:
    one(runs).rename(runs / "from elsewhere")


def instead_of_the_record(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = one(runs) / "record.json"
        path.unlink()
        make(path)

    return damage


def torn_plan(runs: Path) -> None:
    plan_path(runs, "headline").write_text('{"schema": 1, "na')


def in_the_journal(tail: bytes) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        (runs / ".studies" / "headline" / "journal.log").write_bytes(b'{"op_code":0,"worker_id":"a"}\n' * 3 + tail)

    return damage


def in_a_tuning(name: str, content: str, age: float = 0.0) -> Callable[[Path], None]:
    def damage(runs: Path) -> None:
        path = runs / ".studies" / "headline" / "trials" / "all" / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
        os.utime(path, (time.time() - age, time.time() - age))

    return damage


def old_lock(runs: Path) -> None:
    path = runs / ".studies" / "headline" / "journal.log.lock"
    path.touch()
    os.utime(path, (0, 0))


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated record": (truncated, "damaged, not whole JSON"),
    "empty record": (text(b""), "damaged, not whole JSON"),
    "record of zeros": (text(bytes(512)), "damaged, not whole JSON"),
    "not a number": (replaced('"params": 269722', '"params": NaN'), "holds NaN"),
    "infinity": (replaced('"params": 269722', '"params": -Infinity'), "holds -Infinity"),
    "infinity by size": (replaced('"params": 269722', '"params": 1e999'), "holds 1e999"),
    "a number too large": (replaced('"params": 269722', f'"params": {"9" * 400}'), "params is 9999"),
    "a number of a book": (replaced('"params": 269722', f'"params": {"9" * 5000}'), "no JSON of ours"),
    "brackets": (text(b"[" * 100_000), "no JSON of ours"),
    "words for numbers": (lambda runs: changed(runs, metrics={"val_error": "low"}), "val_error is 'low'"),
    "axes as a list": (lambda runs: changed(runs, axes=[1]), "axes is [1]"),
    "another's identity": (another_config, "its identity is not that of the config"),
    "an escaping label": (lambda runs: changed(runs, label="../../evil"), "could leave its folder"),
    "an escaping folder": (lambda runs: changed(runs, folder="/tmp/evil"), "could leave its folder"),
    "a pipe for a record": (
        instead_of_the_record(os.mkfifo),
        "not a plain file",
    ),
    "a folder for a record": (
        instead_of_the_record(os.mkdir),
        "cannot be read",
    ),
    "garbage count of deaths": (text(b"3", "attempts.json"), "holds a int, not an object"),
    "torn trial": (in_a_tuning("0003/trial.json", '{"schema": 1, "tun'), "damaged, not whole JSON"),
    "torn warm start": (in_a_tuning("warm_start.json", '{"schema": 1, "tri'), "damaged, not whole JSON"),
    "trial of no state": (in_a_tuning("0003/trial.json", '{"schema": 1}'), "has no tuning"),
    "part of a trial": (in_a_tuning("0003/.trial.json.12.abcdef", "{"), "part of a file whose writer was killed"),
    "lease of a dead trial": (in_a_tuning("0003/lease.json", "{}", age=AN_HOUR), "sent no sign"),
    "garbage curve": (text(b"epoch,loss\n1,\xff\x00", "curve.csv"), "no table of numbers"),
    "torn curve": (text(b"epoch,train_error\n1,80\n2,7\n3", "curve.csv"), "no table of numbers"),
    "empty checkpoint": (checkpoint(b""), "no whole checkpoint"),
    "truncated checkpoint": (checkpoint(None), "no whole checkpoint"),
    "truncated state": (checkpoint(None, "state.ckpt"), "no whole state"),
    "garbage predictions": (text(b"PK", "predictions.npz"), "predictions.npz"),
    "truncated weights": (weights(), "no whole safetensors file"),
    "empty weights": (weights(b""), "no whole safetensors file"),
    "weights of another run": (weights(identity="0" * 64), "holds the weights of another run"),
    "weights of another network": (weights(length=9), "holds 9 numbers, and the network has 10 parameters"),
    "part of a record": (text(b"{", ".record.json.4711"), "part of a file whose writer was killed"),
    "part of a checkpoint": (text(b"PK", ".last.ckpt.part"), "part of a file whose writer was killed"),
    "torn plan": (
        torn_plan,
        "damaged, not whole JSON",
    ),
    "plan without cells": (plan_text(lambda plan: plan.pop("cells")), "cells is None"),
    "plan that escapes": (
        plan_text(lambda plan: plan["cells"][0]["runs"][0].update(folder="../../etc")),
        "could leave its folder",
    ),
    "plan of another name": (plan_text(lambda plan: plan.update(name="../x")), "is the plan of '../x'"),
    "lease of a dead process": (dead, "has ended"),
    "lease without a beat": (lease(EXPIRES + 5, host="elsewhere", pid=1), "sent no sign"),
    "lease of the future": (lease(-AN_HOUR, host="elsewhere", pid=1), "lies in the future"),
    "garbage lease": (lease(AN_HOUR), "sent no sign"),
    "a folder copied": (twice, "another folder holds as well"),
    "a folder renamed": (renamed, "holds the record of"),
    "torn journal": (in_the_journal(b'{"op_code":1,"wor'), "last line is torn or garbage"),
    "garbage in the journal's last line": (in_the_journal(b"\x00\xffgarbage\n"), "last line is torn or garbage"),
    "garbage inside the journal": (in_the_journal(b'what\n{"op_code":1,"worker_id":"a"}\n'), "garbage in line 4"),
    "lock of a killed writer": (old_lock, "the lock of a process that was killed"),
}
