"""Workers that are forked from a process that has imported everything: no import is done twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.workers.forkserver import let_workers_end

PROGRAM = """
import os, signal, sys
from joblib import Parallel, delayed
from sweeps.workers.forkserver import fork_warm, start_forkserver

def worker(_):
    missing = {"torch", "pytorch_lightning", "wandb", "sweeps.one_run"} - set(sys.modules)
    return missing, os.environ["ASKED"], os.environ.get("OMP_NUM_THREADS"), signal.getsignal(signal.SIGTERM)

if __name__ == "__main__":
    os.environ["ASKED"] = "before"
    handler = signal.getsignal(signal.SIGINT)
    start_forkserver("joblib")
    assert "OMP_NUM_THREADS" not in os.environ, "only the process that is forked has one thread"
    assert signal.getsignal(signal.SIGINT) is handler
    assert not {"torch", "pytorch_lightning"} & set(sys.modules)
    fork_warm()
    for seen in Parallel(n_jobs=2)(delayed(worker)(k) for k in range(2)):
        assert seen == (set(), "before", "1", signal.SIG_DFL), seen
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_a_workers_imports_are_done_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    path = tmp_path / "run.py"
    path.write_text(PROGRAM.replace("import os,", "import sys; del sys.path[0]\nimport os,"))
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0, done.stderr


def test_workers_of_another_program_are_no_forks() -> None:
    from joblib.externals.loky.backend.context import get_start_method

    from sweeps.workers.forkserver import fork_warm

    fork_warm()
    assert get_start_method() == "loky", "which does not run this program's first lines again"


def test_only_joblibs_workers_are_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, bool]] = []

    class Executor:
        def shutdown(self, **how: bool) -> None:
            asked.append(how)

    monkeypatch.setattr("joblib.externals.loky.get_reusable_executor", lambda **_: Executor())
    for launcher in ("basic", "submitit_local", "joblib"):
        let_workers_end(launcher)
    assert asked == [{"wait": False}]


def test_other_launchers_start_their_own_processes() -> None:
    from multiprocessing import forkserver

    from sweeps.workers.forkserver import start_forkserver

    before = forkserver._forkserver._forkserver_pid
    start_forkserver("submitit_local")
    start_forkserver("basic")
    assert forkserver._forkserver._forkserver_pid == before
