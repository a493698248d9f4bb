"""A command that is typed in the process of the tests: what it is refused with, without two seconds to begin."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeps.cli.import_path import VARIABLE
from sweeps.cli.program import command_line

Typed = Callable[..., str]


@pytest.fixture
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a program may do to its own process is undone in this one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("HYDRA_FULL_ERROR", VARIABLE):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    log, term = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    handlers, level = log.handlers[:], log.level
    yield
    for handler in set(log.handlers) - set(handlers):
        handler.close()
    log.handlers[:] = handlers
    log.setLevel(level)
    signal.signal(signal.SIGTERM, term)


@pytest.fixture
def refused(
    as_before: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """Types a command in the folder of the test; returns the sentence that it is refused with."""

    def type_(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        with pytest.raises(SystemExit) as stopped:
            command_line()
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert stopped.value.code == 1
        assert line.startswith("error: ")
        assert not list(tmp_path.glob("**/record.json"))
        return line.removeprefix("error: ")

    return type_
