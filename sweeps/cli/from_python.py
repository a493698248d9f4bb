"""Run the command line for a Python program, in a process of its own, and return what it made.

A record must be the same whoever asked for it. In a process of its own a training cannot meet what the caller has set,
such as torch's default dtype, its threads, warnings or Hydra, and it leaves nothing of that kind behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ablations.question.hydra_syntax import quoted, to_overrides
from ablations.records.provenance import ROOT
from sweeps.cli.import_path import VARIABLE

ANSWER = "SKIPBENCH_ANSWER"  # the file into which the process writes what it made
PROGRAM = ROOT / "skipbench.py"
ERROR = "error: "


def words_of(words: Sequence[str], settings: Mapping[str, Any], *, several: bool = False) -> list[str]:
    """Write settings as words of the command line, after the words given.

    Args:
        several: whether a list or a range stands for a run of each value.

    Raises:
        ValueError: a word is no text, or a list is empty.
    """
    if odd := [word for word in words if not isinstance(word, str)]:
        raise ValueError(f"{odd[0]!r} is not a word: write 'depth=8' or depth=8")
    found = list(words)
    for axis, value in settings.items():
        plain = value.tolist() if hasattr(value, "tolist") else value  # NumPy's
        if several and isinstance(plain, list | tuple | range):
            if not plain:
                raise ValueError(f"{axis} has no value")
            found.append(f"{axis}={','.join(map(quoted, plain))}")
        else:
            found += to_overrides({axis: list(plain) if isinstance(plain, range) else plain})
    return found


def call(words: list[str], *, quiet: bool) -> dict[str, str]:
    """Do what the command line does with these words, and print what it prints; return what it answered.

    Raises:
        ValueError: with the sentence that the command line prints.
        RuntimeError: with the traceback of another error.
        KeyboardInterrupt: the process has then saved its state, and ended.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(
            _typed(words), env=_environment({ANSWER: str(file)}), start_new_session=True, **pipes
        )
        said: list[str] = []
        try:
            for line in process.stdout or ():
                said.append(line.decode("utf-8", "replace"))
                if not quiet and not said[-1].startswith(ERROR):
                    print(said[-1], end="", flush=True)
            status = process.wait()
        except BaseException:
            process.communicate()  # closes its standard input, by which `end_with_caller` knows
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if status not in (0, 2) or not file.exists():
            _refuse("".join(said), words, status)
        return json.loads(file.read_text(encoding="utf-8"))


def composed_config(words: list[str]) -> str:
    """Return the composed configuration of a run as YAML; interpolations stay, since the data's sizes come later.

    Raises:
        ValueError, RuntimeError: as `call`.
    """
    asked = [*_typed(words), "--cfg", "job"]
    done = subprocess.run(asked, env=_environment({}), capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        _refuse(done.stderr, words, done.returncode)
    return done.stdout


def answer(**made: str) -> None:
    """Tell the Python program that started this process, if one did, what was made."""
    if file := os.environ.get(ANSWER):
        Path(file).write_text(json.dumps(made), encoding="utf-8")


def end_with_caller() -> None:
    """Interrupt this process when the program that started it ends, as a notebook does that is started anew."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing comes but the end
        os.kill(os.getpid(), signal.SIGTERM)

    if ANSWER in os.environ:
        threading.Thread(target=wait, daemon=True).start()


def _typed(words: list[str]) -> list[str]:
    return [sys.executable, str(PROGRAM), *words]


def _environment(more: dict[str, str]) -> dict[str, str]:
    """The environment of the process: what can be imported here can be imported there."""
    folders = [os.path.abspath(folder) for folder in sys.path if folder]
    found = {VARIABLE: os.pathsep.join([*filter(None, [os.environ.get(VARIABLE)]), *folders])}
    found |= {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", "COLUMNS": os.environ.get("COLUMNS", "100")}
    around = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}  # which is this process's
    return around | found | more


def _refuse(said: str, words: list[str], status: int) -> None:
    """Raise what the process ended with."""
    sentences = [line.removeprefix(ERROR) for line in said.splitlines() if line.startswith(ERROR)]
    if sentences:
        raise ValueError(sentences[-1])
    if status:
        raise RuntimeError(said.strip() or f"{' '.join(words)} ended with status {status}")
    raise ValueError(f"{' '.join(words) or 'this'} trains nothing: type it on the command line")
