"""What lies in a folder of one's own is found in every process, and hides nothing that is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.cli.import_path import VARIABLE, make_importable

ROOT = Path(__file__).parents[3]
LOOK = """
from sweeps.cli.import_path import extend_sys_path
extend_sys_path()
import random, mine
print(random.randint(1, 1), mine.x)
"""


def test_a_random_of_ones_own_is_not_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('this hides the standard library')")
    (tmp_path / "mine.py").write_text("x = 2")
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv(VARIABLE, "")
    make_importable([str(tmp_path), None])
    make_importable([str(tmp_path)])
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[-1] == str(tmp_path)
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.stderr) == ("1 2\n", "")


def test_a_run_of_ones_own_is_not_taken_for_the_program(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("raise SystemExit('this is another program')")
    program = Path(sys.executable).with_name("skipbench")
    asked = ["-m", "block=plain", "depth=8", "seed=0", "recipe.epochs=1", "tracker=none", "workers=1"]
    done = subprocess.run([program, *asked], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 1
