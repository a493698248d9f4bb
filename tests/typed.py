"""`python run.py …` as it is typed; in a fork of a process that has imported everything it costs half a second, not 4.

The process has also met the grammars of overrides and interpolations, and parsed the source of which every run takes
a fingerprint. A fork shares its hash seed with the others: where processes must agree in what they compute, one of them
is `cold`, and so it is where imports, their warnings or their time are the point. A copy of the project is imported
anew.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
LIBRARIES = "torch", "pytorch_lightning", "optuna", "scipy.stats", "statsmodels.api", "hydra.main", "rich.table"
OURS = (
    *("sweeps.cli.program", "sweeps.sweep", "sweeps.workers.worker", "ablations.report.run_summary"),
    *("lightning_modules.networks.cifar", "lightning_modules.networks.blocks", "lightning_modules.networks.bodies"),
    *("lightning_modules.training.progress", "lightning_modules.training.weights", "lightning_modules.training.fit"),
    *("lightning_modules.inspection.diagnostics", "lightning_modules.vmapped.fused", "lightning_modules.data.digits"),
)
PACKAGES = "ablations", "lightning_modules", "sweeps", "skipbench", "hydra_plugins"
Done = subprocess.CompletedProcess[str]


def typed(*words: object, at: Path, root: Path = ROOT, cold: bool = False, timeout: float = 300, **env: str) -> Done:
    """What became of `python run.py words…`, typed in the folder `at`, with `env` in its environment.

    Args:
        root: the folder of the project, or of a copy of it.
        cold: in a new process, which imports everything itself.
    """
    return ended(start(*words, at=at, root=root, cold=cold, **env), timeout)


def start(*words: object, at: Path, root: Path = ROOT, cold: bool = False, **env: str) -> Begun:
    """Type it, in a process group of its own, and do not wait."""
    call, around = [str(root / "run.py"), *map(str, words)], surroundings() | {"COLUMNS": "200", "PYTHONPATH": ""} | env
    if not cold:
        return Fork(call, at, around)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *call], cwd=at, env=around, start_new_session=True, **pipes)


def surroundings() -> dict[str, str]:
    """The environment without what W&B leaves there for children of this process: its service has other folders."""
    return {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}


def ended(process: Begun, timeout: float = 300) -> Done:
    """What became of it, once it has ended."""
    stdout, stderr = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess("run.py", process.returncode, stdout, stderr)


class Fork:
    """What there is of `subprocess.Popen` for a process that another one has begun."""

    def __init__(self, call: list[str], at: Path, env: dict[str, str]) -> None:
        self.said = TemporaryDirectory()
        self.pid = ask({"call": call, "at": str(at), "env": env, "said": self.said.name})
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        if self.returncode is None:
            self.returncode = ask(self.pid)
        return self.returncode

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        """What it has said, once it has ended."""
        late = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > late:
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.01)
        with self.said as place:
            return Path(place, "1").read_text(), Path(place, "2").read_text()

    def send_signal(self, sent: signal.Signals) -> None:
        """To it alone."""
        os.kill(self.pid, sent)


Begun = subprocess.Popen[str] | Fork


@cache
def imported() -> subprocess.Popen[str]:
    """The process to fork, which ends with this one."""
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def ask(what: dict[str, Any] | int) -> Any:
    """Begin a fork, and its id; or of an id the exit status, if there is one by now."""
    process = imported()
    print(json.dumps(what), file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def main() -> None:
    """Import everything, then answer what is asked."""
    gc.disable()
    sys.path[0] = str(ROOT)
    for name in (*LIBRARIES, *OURS):
        import_module(name)
    parse_once()
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            ended, status = os.waitpid(asked, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        elif not (answer := os.fork()):
            return become(**asked)
        print(json.dumps(answer), flush=True)


def parse_once() -> None:
    """Parse the source of every run, and what has most of the syntax of overrides and interpolations.

    ANTLR keeps what it learns of a grammar.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    from ablations.identity.code_hash import fingerprint

    words = ["a=b,c", "+d=range(2)", "a.e=[1,{f: -1.5e3}]", "g=/h-i.j", "k='l m'", "hydra/launcher=null", "~n"]
    OverridesParser.create().parse_overrides(words)
    tree = {"a": "${b}/${oc.env:NONE,data}", "b": "${oc.select:c.d,null}", "c": {"d": "${..e}"}, "e": 1}
    OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    fingerprint(())


def become(call: list[str], at: str, env: dict[str, str], said: str) -> None:
    """Go on as a process that was started so."""
    import numpy as np

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    np.random.seed()  # as a new process has it; torch and random see to it themselves
    os.environ.clear()
    os.environ.update(env)
    os.chdir(at)
    for k, path in enumerate((os.devnull, f"{said}/1", f"{said}/2")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), k)
    if Path(call[0]).parent != ROOT:
        for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
            del sys.modules[name]
    sys.argv = call
    sys.path[0:1] = [str(Path(call[0]).parent), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    runpy.run_path(call[0], run_name="__main__")


if __name__ == "__main__":
    main()
