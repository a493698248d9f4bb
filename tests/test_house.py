"""The house rules that a machine can check: who imports whom, how long a file is, what the words are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = ("ablations", "lightning_modules", "hydra_plugins", "tests", "benchmarks", "examples")
SOURCES = [*sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")), ROOT / "run.py"]
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
BANNED = re.compile(r"\b(experiment|job|task|manager|handler|helper|utils)s?\b", re.IGNORECASE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports anywhere, and `package.module` for our own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {module.partition(".")[0] for module in found}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("lightning_modules", {"hydra", "omegaconf", "ablations", "hydra_plugins", "run", "wandb", "optuna"}),
        ("lightning_modules/networks", {"pytorch_lightning", "numpy", "wandb"}),
        (
            "ablations",
            {"torch", "pytorch_lightning", "hydra", "omegaconf", "lightning_modules", "hydra_plugins", "run"},
        ),
    ],
)
def test_who_may_import_whom(folder: str, forbidden: set[str]) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    wrong = {name(path): imported(path) & forbidden for path in modules if imported(path) & forbidden}
    assert not wrong


def test_wandb_and_optuna_are_met_in_one_place_each() -> None:
    users = {name(path) for path in SOURCES if "wandb" in imported(path) and not name(path).startswith("tests")}
    assert users == {"ablations/tracking.py"}
    assert not {name(path) for path in SOURCES if "optuna" in imported(path) and not name(path).startswith("tests")} - {
        "ablations/importance.py",
        "ablations/search.py",
        "ablations/storage.py",
    }


def test_hydra_plugins_is_a_namespace() -> None:
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists(), "installed launchers would vanish"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_a_config_says_what_it_is_and_is_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    first = lines[1] if lines[0].startswith("# @package") else lines[0]
    assert re.match(r"# \w.*[.:)]$", first), "the first line says in one sentence what the choice is"
    assert len(lines) <= 30 or path.name == "config.yaml"


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "study").glob("*.yaml")), ids=name)
def test_a_study_is_global_and_asks_something(path: Path) -> None:
    assert path.read_text().startswith("# @package _global_\n"), "without it the file would be silently ignored"
    study = yaml.safe_load(path.read_text())["study"]
    assert study["name"] == path.stem
    assert study["question"].endswith("?")


@pytest.mark.parametrize("path", [p for p in SOURCES if not name(p).startswith("tests")], ids=name)
def test_the_words(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert not [word for word in [*names, path.stem] if BANNED.search(re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", word))]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_no_link_is_kept() -> None:
    """Git puts a link in the place of a folder that it ignores: `.venv` would be gone with all that is in it."""
    listed = subprocess.run(["git", "ls-files", "-s"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert not [line for line in listed.splitlines() if line.startswith("120000")]


@pytest.mark.parametrize("module", ["ablations", "ablations.__main__", "hydra_plugins.skipbench.sweeper"])
def test_reading_does_not_wait_for_torch(module: str) -> None:
    code = (
        f"import sys, {module}; print({{'torch', 'pytorch_lightning', 'optuna', 'wandb', 'scipy'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"
