"""The README is true to the letter: its files work, and every command in it runs, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SHARED = ROOT.parent / "shared" / "data"
FILES = re.findall(r"`([\w/]+\.(?:py|yaml))`[^\n]*:\n\n```(?:python|yaml)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    re.sub(r"\s+#.*", "", line)
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a fresh clone has it, with this environment as its .venv, and the README's files written."""
    place = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split("\n"):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    bin_folder = place / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (bin_folder / "python").chmod(0o755)
    (place / ".venv" / ".run").touch()
    for name, content in FILES:
        (place / name).write_text(content)
    return place


def test_there_is_something_to_run() -> None:
    assert {name for name, _ in FILES} == {
        "conf/study/warmth.yaml",
        "lightning_modules/networks/scaled.py",
        "conf/block/scaled.yaml",
    }
    assert "make run" in COMMANDS
    assert len(COMMANDS) > 10


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, "python run.py -m study=warmth"])
def test_a_command_of_the_readme_runs(copy: Path, command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = f"{copy / '.venv' / 'bin'}:{os.environ['PATH']}"
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")} | {"PATH": path}
    if "data=cifar10" in command:
        if not SHARED.exists():
            pytest.skip("no real CIFAR-10 beside the project")
        env["SKIPBENCH_DATA"] = str(unpacked(copy, tmp_path_factory))
    done = subprocess.run(command, shell=True, cwd=copy, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def unpacked(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.getbasetemp() / "real"
    if not target.exists():
        subprocess.run([sys.executable, SHARED / "unpack.py", target], check=True, capture_output=True)
    return target


def test_the_table_is_pasted_from_a_run_with_everything_a_number_needs() -> None:
    table = TEXT[TEXT.index("| block | depth |") : TEXT.index("![")]
    assert "seeds" in table
    assert "torch" in table
    assert re.search(r"\| plain \| 56 \| 3 \| [6-9]\d\.", table), "plain-56 fails to fit"
    assert re.search(r"residual \| 56 \| 3 \| 0\.", table), "residual-56 fits"


def test_the_picture_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT):
        assert (ROOT / target).exists()
