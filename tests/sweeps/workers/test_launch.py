"""Workers elsewhere: processes of submitit's, a Slurm array, GPUs; and what becomes of a run that kills its worker."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ablations.question.study import StudyError
from sweeps.workers.resources import device_of, threads_of, worker_count
from tests.typed import Begun, start, typed

QUICK = ["block=plain", "depth=8", "tracker=none"]


def records(runs: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in runs.glob("*/record.json")]
    return {record["label"]: record for record in found}


def lease(runs: Path, process: Begun, *, begun: str = "curve.csv") -> dict:
    """The lease of a run whose training has begun, once there is one."""
    while True:
        assert process.poll() is None, process.communicate()
        for path in runs.glob("*/lease.json"):
            if (path.with_name(begun)).exists():
                try:
                    return json.loads(path.read_text())
                except (OSError, ValueError):
                    continue
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("launcher", "settings", "asked", "gpus", "count"),
    [
        ("basic", {}, None, 4, 1),
        ("joblib", {"n_jobs": -1}, None, 0, 16),
        ("joblib", {"n_jobs": -2}, None, 0, 15),
        ("joblib", {"n_jobs": 3}, None, 0, 3),
        ("joblib", {"n_jobs": -1}, None, 2, 6),
        ("joblib", {"n_jobs": -1}, 5, 2, 5),
        ("submitit_local", {}, None, 0, 16),
        ("submitit_local", {}, None, 2, 6),
        ("submitit_slurm", {"array_parallelism": 64}, None, 0, 64),
        ("ray", {}, 8, 0, 8),
    ],
)
def test_the_launcher_says_how_many_workers(
    launcher: str, settings: dict, asked: int | None, gpus: int, count: int
) -> None:
    assert worker_count(launcher, settings, asked=asked, cores=16, gpus=gpus, per_gpu=3) == count


def test_one_process_is_one_worker() -> None:
    with pytest.raises(StudyError, match="choose joblib"):
        worker_count("basic", {}, asked=2, cores=2, gpus=0, per_gpu=1)


@pytest.mark.parametrize(
    ("said", "share", "threads"), [("", 4, 4), ("2", 4, 2), ("8", 4, 4), ("4,2", 3, 3), ("1", 0, 1)]
)
def test_threads_are_a_share_of_the_cores_but_no_more_than_the_environment_allows(
    monkeypatch: pytest.MonkeyPatch, said: str, share: int, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert threads_of(share) == threads


def test_gpus_are_shared_round_robin() -> None:
    names = ["0", "2", "GPU-abc"]
    devices = [device_of(k, names) for k in range(9)]
    assert devices == names * 3
    assert device_of(5, []) is None, "without GPUs, or where the scheduler assigns them"


@pytest.mark.long
def test_submitit_workers_train_and_go_on_where_they_were_preempted(tmp_path: Path) -> None:
    asked = [*QUICK, "seed=0,1", "recipe.epochs=40", "hydra/launcher=submitit_local", "workers=2"]
    process = start("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    first = lease(tmp_path, process, begun="last.ckpt")
    os.kill(first["pid"], signal.SIGUSR2)  # as Slurm does before it takes the machine away
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert "killed" not in stdout
    assert len(records(tmp_path)) == 2
    assert not list(tmp_path.glob("*/lease.json"))
    logs = "".join(path.read_text() for path in tmp_path.glob(".submitit/*/*_log.err"))
    assert "this job is preempted" in logs
    pids = {record["provenance"]["pid"] for record in records(tmp_path).values()}
    assert len(pids) == 2
    assert first["pid"] not in pids, "the run was given up and taken up again"
    assert all(record["epochs"] == 40 for record in records(tmp_path).values())


@pytest.mark.long
def test_submitit_workers_end_with_the_sweep_that_started_them(tmp_path: Path) -> None:
    asked = [*QUICK, "seed=0,1", "recipe.epochs=2000", "hydra/launcher=submitit_local", "workers=2"]
    process = start("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    pid = lease(tmp_path, process)["pid"]
    process.send_signal(signal.SIGINT)  # to this process alone: no terminal tells the workers
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in stderr
    assert not list(tmp_path.glob("*/lease.json"))
    assert not list(tmp_path.glob("*/attempts.json")), "to be stopped is no attempt"
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("a worker goes on alone")


SLURM = {
    "sbatch": """#!/usr/bin/env bash
        last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1"); cp "$1" "$SLURM_FAKE/script.sh"
        for k in $(seq 0 "$last"); do
          (export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$k SLURM_NTASKS=1 SLURM_JOB_NODELIST=here
           export SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 SLURM_LOCALID=0
           bash "$1"; touch "$SLURM_FAKE/ended_$k") >"$SLURM_FAKE/out_$k" 2>&1 </dev/null &
        done
        echo Submitted batch job 7""",
    "srun": """#!/usr/bin/env bash
        while [[ $1 == --* ]]; do [[ $1 == --unbuffered ]] && shift || shift 2; done
        exec "$@" """,
    "sacct": """#!/usr/bin/env bash
        echo 'JobID|State|NodeList'
        for k in 0 1; do
          [[ -e $SLURM_FAKE/ended_$k ]] && echo "7_$k|COMPLETED|here" || echo "7_$k|RUNNING|here"
        done""",
}


def test_a_slurm_array_of_workers(tmp_path: Path) -> None:
    fake, runs = tmp_path / "slurm", tmp_path / "runs"
    fake.mkdir()
    runs.mkdir()
    for name, text in SLURM.items():
        (fake / name).write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
        (fake / name).chmod(0o755)
    env = {"PATH": f"{fake}{os.pathsep}{os.environ['PATH']}", "SLURM_FAKE": str(fake)}
    asked = [*QUICK, "seed=range(3)", "recipe.epochs=2", "hydra/launcher=submitit_slurm"]
    asked += ["hydra.launcher.array_parallelism=2", "hydra.launcher.partition=short", "hydra.launcher.cpus_per_task=1"]
    done = typed("-m", f"runs={runs}", *asked, at=runs, **env)
    assert done.returncode == 0, done.stderr
    assert len(records(runs)) == 3
    script = (fake / "script.sh").read_text()
    flags = {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}
    assert {"array=0-1%2", "partition=short", "cpus-per-task=1", "requeue", "signal=USR2@120"} <= flags
    assert f"{sys.executable} -u -m submitit.core._submit" in script
    assert all(record["provenance"]["device"] == "cpu, 1 thread" for record in records(runs).values())


KILLER = (
    "import os, signal\nfrom lightning_modules.networks.blocks import Plain\n\n\n"
    "class Killer(Plain):\n    def join(self, x, fx):\n        if self.training and not x.is_meta:\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n        return super().join(x, fx)\n"
)


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_fails_and_the_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(KILLER)
    asked = ["block=plain", "block._target_=mine.Killer,lightning_modules.networks.blocks.Plain", "depth=8", "seed=0"]
    asked += ["recipe.epochs=1", "tracker=none", "workers=2"]
    done = typed("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    assert done.returncode == 2, done.stderr
    found = records(tmp_path)
    failed = {label: record["cause"] for label, record in found.items() if record["status"] == "failed"}
    assert len(found) == 2
    assert list(failed.values()) == ["killed 3 times"]
    assert all("Killer" in label for label in failed)
    assert "killed 3 times" in " ".join(done.stdout.split())
    assert not list(tmp_path.glob("*/attempts.json")), "the record says it now"


@pytest.mark.long
@pytest.mark.slow
def test_attempts_outlive_a_sweep(tmp_path: Path) -> None:
    from ablations.records.worker_deaths import count_death, deaths_of

    (tmp_path / "mine.py").write_text(KILLER)
    asked = ["block=plain", "block._target_=mine.Killer", "depth=8", "seed=0", "recipe.epochs=1", "tracker=none"]
    asked += ["max_consecutive_failures=1"]
    done = typed("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    assert done.returncode == 1
    assert "workers were killed 1 times" in done.stderr
    (folder,) = [path.parent for path in tmp_path.glob("*/attempts.json")]
    assert deaths_of(folder) == 1
    count_death(folder)
    typed("-m", f"runs={tmp_path}", *asked, at=tmp_path)
    (record,) = records(tmp_path).values()
    assert record["cause"] == "killed 3 times"
