"""The commands that the program prints run as they are printed, from where the person is who reads them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import typed

pytestmark = pytest.mark.slow

MINE = """# @package _global_
# A study with an open claim.
study:
  name: mine
  question: Which is best?
  grid: [{block: [own, residual], depth: [8]}]
  seeds: [0]
  fixed: {data: digits, recipe: digits_quick, recipe.epochs: 1}
  claims:
    - says: Mine is worse.
      metric: train_error
      contrast: {plus: {block: own}, minus: {block: residual}}
      expect: "> 0"
"""
BLOCK = "_target_: own_block.Own\n_partial_: true\nbody: ${body}\nactivation: ${activation}\n"
OWN = """from lightning_modules.networks.blocks import Plain


class Own(Plain):
    mine = True
"""
COMMAND = re.compile(
    r"(?:python -m ablations|python \S*run\.py|skipbench -m) .+?(?= trains them again|$)", re.MULTILINE
)


@cache
def shell(command: str, at: Path) -> str:
    """What a command prints that is typed in the folder `at`, once, with nothing but what is installed."""
    python, program, *words = shlex.split(command)
    if program.endswith("run.py"):
        assert python == "python"
        done = typed.typed(*words, at=at, root=(at / program).resolve().parent, COLUMNS="300")
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = typed.surroundings() | {"PATH": path, "COLUMNS": "300"}
    done = subprocess.run(command, shell=True, cwd=at, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `my work` with choices, data and runs of one's own."""
    work = tmp_path_factory.mktemp("week") / "my work"
    (work / "own" / "study").mkdir(parents=True)
    (work / "own" / "study" / "mine.yaml").write_text(MINE, encoding="utf-8")
    (work / "own" / "block").mkdir()
    (work / "own" / "block" / "own.yaml").write_text(BLOCK, encoding="utf-8")
    (work / "own" / "own_block.py").write_text(OWN, encoding="utf-8")
    words = ["--config-dir", "own", "-m", "study=mine", "tracker=none", "runs=my runs", "data_dir=here"]
    done = typed.typed(*words, "hydra/launcher=basic", at=work)
    assert done.returncode == 0, done.stderr
    (work.parent / "said.txt").write_text(done.stdout, encoding="utf-8")
    return work


def hints_of(said: str) -> list[str]:
    return list(dict.fromkeys(COMMAND.findall(said)))


def type_each(hints: list[str], at: Path) -> None:
    """Type every hint; one that trains is only asked for its plan, which must find the two runs."""
    for hint in hints:
        if "-m ablations" in hint:
            shell(hint, at)
        else:
            assert "2 reused" in shell(f"{hint} plan=true", at), hint


def test_the_footer_of_a_sweep_runs_where_it_was_typed(week: Path) -> None:
    hints = hints_of((week.parent / "said.txt").read_text(encoding="utf-8"))
    assert {hint.split()[3] for hint in hints if "ablations" in hint} == {"report", "export", "prune"}
    assert any("until_decided" in hint for hint in hints)
    type_each(hints, week)


@pytest.mark.parametrize("ask", ["report mine", "verdict mine"])
def test_what_a_report_says_runs_from_another_folder(week: Path, ask: str) -> None:
    said = shell(f"python -m ablations {ask} --runs 'my work/my runs'", week.parent)
    hints = hints_of(said)
    assert any("until_decided" in hint for hint in hints)
    type_each(hints, week.parent)


def test_staleness_names_a_command_that_runs(week: Path) -> None:
    code = week / "own" / "own_block.py"
    code.write_text(OWN + "    other = True\n", encoding="utf-8")
    try:
        asks = ("status mine", "list", "report mine")
        said = [shell(f"python -m ablations {ask} --runs '../my runs'", week / "own") for ask in asks]
        lines = [line for one in said for line in one.splitlines() if "trains them again" in line]
        assert len(lines) == len(asks)
        (hint,) = {*hints_of("\n".join(lines))}
        assert "1 reused" in shell(f"{hint} plan=true", week / "own")
    finally:
        code.write_text(OWN, encoding="utf-8")


def test_a_study_that_has_not_been_run_is_run_by_what_the_error_says(week: Path) -> None:
    call = ["python", "-m", "ablations", "report", "shortcuts", "--runs", "my work/my runs"]
    done = subprocess.run([sys.executable, *call[1:]], cwd=week.parent, capture_output=True, text=True, timeout=60)
    (hint,) = hints_of(done.stderr.strip())
    assert "to train" in shell(f"{hint} plan=true", week.parent)
    assert (week / "my runs" / ".studies" / "shortcuts").is_dir() or "my work/my runs" in hint
