"""The fingerprint moves with every function of this repository that moves a run's numbers, and with no other."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from ablations.identity.code_hash import EXCLUDED, ROOTS, fingerprint, reached, targets
from ablations.identity.source_tree import SourceTree
from tests.ablations.identity.sources import ROOT, files, functions, module_file, mutated, reworded, with_text


def chosen(*groups: str) -> set[str]:
    """What the files of some groups in conf/ name as `_target_`."""
    found = [
        targets(yaml.safe_load(path.read_text()))
        for group in groups
        for path in (ROOT / "conf" / group).rglob("*.yaml")
    ]
    return {name for name in set().union(*found) if name.startswith("lightning_modules")}


GROUPS = sorted(
    path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name not in ("hydra", "study", "trainer")
)
NAMES = sorted(chosen(*GROUPS))
TREE = SourceTree()
WHOLE = fingerprint(NAMES, TREE)
COUNTED = {(file, name) for target in (*NAMES, *ROOTS) for file, name, _ in reached(target, TREE)}


def statements(path: Path, *, counted: bool) -> Iterable[ast.stmt]:
    """The functions and classes of a module that count, or that do not."""
    file = path.relative_to(ROOT).as_posix()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ((file, node.name) in COUNTED) == counted:
            yield node


@pytest.mark.parametrize("file", sorted(WHOLE))
def test_a_change_of_any_function_that_counts_is_seen(file: str) -> None:
    path = ROOT / file
    text, module = path.read_text(), module_file(path)
    unseen = []
    every = [one for node in statements(path, counted=True) for one in ast.walk(node)]
    for function in [one for one in every if isinstance(one, ast.FunctionDef)]:
        changed = with_text(TREE, (module, mutated(text, function)))
        if fingerprint(NAMES, changed)[file] == WHOLE[file]:
            unseen.append(f"{function.name}, line {function.lineno}")
    assert not unseen


def test_a_change_of_any_other_function_is_not() -> None:
    changed = []
    for path in files("ablations", "hydra_plugins", "lightning_modules", "sweeps"):
        text = path.read_text()
        others = [one for node in statements(path, counted=False) for one in functions(node)]
        for function in reversed(others):  # the lines above the change stay where they are
            text = mutated(text, function)
        changed += [(module_file(path), text)] * (text != path.read_text())
    names = {file.name for file, _ in changed}
    assert {*EXCLUDED} - {"sweeps.cli"} <= names
    assert {
        *(
            "ablations.records.recorder",
            "ablations.records.lease",
            "ablations.wandb_view.tracking",
            "ablations.report.table",
        ),
        *("lightning_modules.training.progress", "lightning_modules.training.checkpoint"),
        *(f"lightning_modules.inspection.{name}" for name in ("profile", "diagnostics", "proxies")),
        "sweeps.cli.settings",
    } <= names
    assert fingerprint(NAMES, with_text(TREE, *changed)) == WHOLE


def test_other_docstrings_annotations_and_texts_of_errors_are_not() -> None:
    texts = [(module_file(path), reworded(path.read_text())) for path in files("lightning_modules", "sweeps")]
    assert fingerprint(NAMES, with_text(TREE, *texts)) == WHOLE


def test_what_a_trainer_is_built_with_is_a_root() -> None:
    assert chosen("trainer") <= {*ROOTS}


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_is_there(root: str) -> None:
    assert TREE.defined(root)


def identity(folder: Path) -> str:
    """The identity of a run, worked out by a process that finds this repository's code in a folder."""
    config = {"network": {"_target_": "lightning_modules.networks.blocks.Plain"}, "data": {}, "recipe": {}}
    code = f"from ablations.identity.run import Run; print(Run(axes={{}}, seed=0, config={config}).identity)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True).stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "another"),
    [
        ("training/lean_loop.py", "loss.backward()", "(2 * loss).backward()", True),
        ("training/block_removal.py", '"lesions: %s is left out, since %s"', '"%s is left out, since %s"', False),
        ("training/recipe.py", "is none of", "must be one of", False),
    ],
)
def test_a_changed_gradient_makes_another_run_and_a_reworded_error_does_not(
    file: str, old: str, new: str, another: bool, tmp_path: Path
) -> None:
    for package in ("ablations", "lightning_modules", "sweeps"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    before, path = identity(tmp_path), tmp_path / "lightning_modules" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert (identity(tmp_path) != before) == another
