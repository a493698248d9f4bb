"""docs/judging-other-results.md: its files are those in examples/judge, and its commands do what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablations.elsewhere.budget import level_of
from tests.pages import FILES, ROOT, TEXTS, Command, commands, is_shown

PAGE = "docs/judging-other-results.md"
TYPED = [one for one in commands() if one.page == PAGE]


def test_the_files_it_shows_are_those_there_are() -> None:
    assert {*FILES[PAGE]} == {f"examples/judge/{name}" for name in ("claims.yaml", "collect.py", "wandb.yaml")}
    assert all((ROOT / name).read_text() == text for name, text in FILES[PAGE].items())
    core = re.findall(r"```text\n(status=0\n.*?)```", TEXTS[PAGE], re.DOTALL)[0].splitlines()
    loop = [line.strip() for line in (ROOT / "examples" / "judge" / "loop.sh").read_text().splitlines()]
    at = loop.index("status=0")
    assert loop[at : at + len(core)] == [line.strip() for line in core]


def test_the_levels_it_shows_are_those_of_the_questions() -> None:
    numbers, levels = (
        re.findall(rf"^\| {head} \| (.*) \|$", TEXTS[PAGE], re.MULTILINE)[0] for head in ("question", "level")
    )
    shown = zip(numbers.split(" | "), levels.split(" | "), strict=True)
    assert all(float(level) == float(f"{level_of(int(number)):.2g}") for number, level in shown)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and the digits, in which the commands are typed one after the other."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(ROOT / "examples" / "judge", folder / "examples" / "judge")
    (folder / "lightning_modules" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "lightning_modules" / "data" / "digits.npz", folder / "lightning_modules" / "data")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("one", TYPED, ids=lambda one: one.text)
def test_a_command_does_what_it_shows(place: Path, one: Command) -> None:
    around = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    env = os.environ | around | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(one.text, shell=True, cwd=place, env=env, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_shown(one.shows, done.stdout), done.stdout
