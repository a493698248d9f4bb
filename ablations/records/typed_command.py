"""Change a recorded command so that it runs from the current folder.

Commands are recorded and published as `python run.py …`, with folders relative to where they were typed.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ablations.records.provenance import FOLDER_FLAGS, ROOT

STARTS = (["python", "run.py"], ["skipbench"])


def program_here() -> str:
    """Return how Skipbench is started from the current folder, as a shell takes it."""
    run = ROOT / "run.py"
    if Path("run.py").resolve() == run and run.exists():
        return "python run.py"
    if Path(sys.argv[0]).name == "skipbench" or not run.exists():
        return "skipbench"
    return f"python {shlex.quote(sys.argv[0] if Path(sys.argv[0]).resolve() == run else str(run))}"


def from_here(command: str, runs: Path) -> str:
    """Change a command so that it trains into `runs` from the current folder, with the data and choices it named.

    Folders typed relative to another current folder are found by `runs`, which was typed there too.
    """
    start = next((start for start in STARTS if command.startswith(shlex.join(start))), None)
    if start is None:
        return command
    words = shlex.split(command)[len(start) :]
    typed = next((word.removeprefix("runs=") for word in words if word.startswith("runs=")), "runs")
    there = _folder_typed_in(Path(runs).resolve(), typed)
    found = []
    for before, word in zip(["", *words], words, strict=False):
        name, _, value = word.partition("=")
        if before in FOLDER_FLAGS:
            word = _from(there, word)
        elif name == "data_dir" and value[:1] not in ("'", '"'):
            word = f"{name}={_from(there, value)}"
        found.append(word)
    if Path(typed).resolve() != Path(runs).resolve():
        found = [*(word for word in found if not word.startswith("runs=")), f"runs={runs}"]
    return f"{program_here()} {shlex.join(found)}".rstrip()


def _folder_typed_in(runs: Path, typed: str) -> Path:
    """Return the folder from which `typed` is `runs`; the current one, if that is so or none can be told."""
    length = len(Path(typed).parts)
    if Path(typed).resolve() == runs or ".." in Path(typed).parts or runs.parts[-length:] != Path(typed).parts:
        return Path.cwd()
    return runs.parents[length - 1]


def _from(folder: Path, path: str) -> str:
    """Return a path that was typed in `folder` as it is typed here."""
    if folder == Path.cwd() or Path(path).is_absolute():
        return path
    return os.path.relpath(folder / path)
