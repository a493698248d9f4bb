"""Who may import whom: between packages, between the floors of each, and which libraries a floor may use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("ablations", "lightning_modules", "sweeps", "hydra_plugins")
# From the ground up: a floor imports only itself and what stands before it.
FLOORS = {
    "ablations": (
        *("question", "identity", "records", "plan", "catalog", "search", "analysis", "elsewhere", "monitor", "report"),
        *("charts", "html"),
        "wandb_view",
    ),
    "lightning_modules": ("data", "networks", "tasks", "training", "inspection", "vmapped"),
}
FORBIDDEN = {
    "lightning_modules": {"hydra", "omegaconf", "ablations", "sweeps", "hydra_plugins", "run", "wandb", "optuna"},
    "lightning_modules/networks": {"pytorch_lightning", "numpy"},
    "ablations": {
        *("torch", "pytorch_lightning", "hydra", "omegaconf", "lightning_modules", "sweeps", "hydra_plugins", "run"),
    },
}
ONLY_IN = {"wandb": "ablations/wandb_view", "optuna": "ablations/search"}


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """The dotted names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def packages(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in imported(path)}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_who_may_import_whom(folder: str) -> None:
    assert not {name(path): found for path in modules(folder) if (found := packages(path) & FORBIDDEN[folder])}


@pytest.mark.parametrize("package", FLOORS)
def test_a_floor_imports_only_what_stands_below_it(package: str) -> None:
    floors = FLOORS[package]
    assert {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").exists()} == {*floors}
    upward = [
        f"{name(path)} imports {module}"
        for at, floor in enumerate(floors)
        for path in modules(f"{package}/{floor}")
        for module in imported(path)
        if module.startswith(f"{package}.") and module.split(".")[1] not in floors[: at + 1]
    ]
    assert not upward


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_used_on_one_floor(library: str) -> None:
    users = [name(path) for package in PACKAGES for path in modules(package) if library in packages(path)]
    assert users
    assert not [user for user in users if not user.startswith(ONLY_IN[library])]


def test_hydra_finds_the_sweeper_and_the_plugins_and_nothing_else() -> None:
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists(), "installed launchers would vanish"
    assert {path.name for path in modules("hydra_plugins")} == {"__init__.py", "sweeper.py", "plugins.py"}


@pytest.mark.parametrize("path", sorted((ROOT / "conf" / "study").rglob("*.yaml")), ids=name)
def test_a_study_is_global_and_asks_something(path: Path) -> None:
    assert path.read_text().startswith("# @package _global_\n"), "without it the file would be silently ignored"
    assert yaml.safe_load(path.read_text())["study"]["question"].endswith("?")


@pytest.mark.parametrize("module", ["ablations", "ablations.__main__", "hydra_plugins.skipbench.sweeper"])
def test_reading_does_not_wait_for_torch(module: str) -> None:
    code = (
        f"import sys, {module}; print({{'torch', 'pytorch_lightning', 'optuna', 'wandb', 'scipy'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"


def test_the_citation_names_the_version_and_the_license_of_the_package() -> None:
    import tomllib

    import yaml

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").split()[:4] == ["Apache", "License", "Version", "2.0,"]
