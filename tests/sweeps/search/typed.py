"""A study that searches, written into a folder and really typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import typed

STUDY = """# @package _global_
# A search for a test.
study:
  name: {name}
  question: Which is best?
  grid: {grid}
  space: {space}
  search: {search}
  claims: {claims}
  fixed: {{data: digits, recipe: digits_quick, recipe.epochs: 1, depth: 8}}
"""


def asked(runs: Path, launcher: str = "basic") -> list[str]:
    found = ["--config-dir", str(runs / "mine"), "-m", "study=mine", f"runs={runs / 'runs'}", "tracker=none"]
    return [*found, f"hydra/launcher={launcher}"]


def start(runs: Path, *arguments: str, launcher: str = "basic", cold: bool = False) -> typed.Begun:
    return typed.start(*asked(runs, launcher), *arguments, at=runs, cold=cold)


def search(runs: Path, *arguments: str, launcher: str = "basic", cold: bool = False) -> typed.Done:
    return typed.ended(start(runs, *arguments, launcher=launcher, cold=cold))


def write_study(runs: Path, *, space: str, grid: str = "[]", search: str = "{trials: 6}", claims: str = "[]") -> None:
    folder = runs / "mine" / "study"
    folder.mkdir(parents=True, exist_ok=True)
    text = STUDY.format(name="mine", space=space, grid=grid, search=search, claims=claims)
    (folder / "mine.yaml").write_text(text)


def trials_of(runs: Path) -> list[dict[str, Any]]:
    paths = sorted((runs / "runs" / ".studies" / "mine" / "trials").glob("*/*/trial.json"))
    return [json.loads(path.read_text()) for path in paths]


def plan_of(runs: Path, name: str = "mine") -> dict[str, Any]:
    return json.loads((runs / "runs" / ".studies" / name / "plan.json").read_text())


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in (runs / "runs").glob("*/record.json")}


def plan_name(runs: Path) -> str:
    (name,) = {path.name for path in (runs / "runs" / ".studies").iterdir() if path.is_dir()}
    return name
