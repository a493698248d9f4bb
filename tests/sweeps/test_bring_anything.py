"""Every command of docs/bring-anything.md is typed, with the files that the page shows."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import FILES, commands
from tests.typed import typed

pytestmark = pytest.mark.slow

PAGE = "docs/bring-anything.md"
COMMANDS = [one for one in commands() if one.page == PAGE]
THINGS = "data", "block", "network", "optimizer", "loss", "metric", "task", "augment", "tracker", "study"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and the data that its script writes."""
    place = tmp_path_factory.mktemp("page")
    for name, text in FILES[PAGE].items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    subprocess.run([sys.executable, "arrays.py"], cwd=place, check=True)
    return place


def test_there_is_an_example_of_each() -> None:
    typed_there = " ".join(one.text for one in COMMANDS)
    assert not [thing for thing in THINGS if f"{thing}=" not in typed_there and f"{thing}._target_=" not in typed_there]


@pytest.mark.parametrize("one", COMMANDS[1:], ids=lambda one: one.text)
def test_a_command_of_the_page_trains(one, place: Path) -> None:
    words = [*shlex.split(one.text)[2:], "recipe.epochs=1"]
    words += [] if "tracker=" in one.text else ["tracker=none"]
    done = typed(*words, *(["hydra/launcher=basic"] if "-m" in words else []), at=place)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout or "report.html" in done.stdout
    if "tracker=lines" in words:
        (told,) = place.glob("runs/*/lines.txt")
        assert told.read_text().startswith("epoch 1: ")
