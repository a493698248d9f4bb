"""The reference of the axes is what conf/ offers, and the committed page is that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ablations.__main__ import main
from ablations.catalog.axes_page import node_of, page
from ablations.catalog.choices import config_files

ROOT = Path(__file__).parents[3]
GROUPS = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "hydra")
FILES = [path for group in GROUPS if group != "study" for path in sorted((ROOT / "conf" / group).glob("*.yaml"))]
INHERITING = [path for path in FILES if "defaults:" in path.read_text()]


def test_the_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--markdown"]) == 0
    said = capsys.readouterr().out
    assert (ROOT / "docs" / "axes.md").read_text() == said, "python -m ablations list --markdown > docs/axes.md"


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_has_a_line_with_its_sentence(group: str) -> None:
    section = page().split(f"\n## {group}\n")[1].split("\n## ")[0]
    names = re.findall(r"^\| (?:\*\*)?`([\w./]+)`(?:\*\*)? \| \S", section, re.MULTILINE)
    assert names == list(config_files(ROOT / "conf" / group))
    assert section.count("| **`") == 1, "one of them is chosen where nothing is said"


@pytest.fixture(scope="module")
def composed() -> Iterator[None]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


@pytest.mark.parametrize("path", INHERITING, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_what_a_choice_inherits_is_what_hydra_makes_of_it(composed: None, path: Path) -> None:
    group, node = path.parent.name, node_of(path.parent.name, path.stem)
    made = compose("config", [f"{group}={path.stem}"])
    found = {key: OmegaConf.select(made, f"{group}.{key}") for key in node.options}
    assert {key: str(plain(value)) for key, value in found.items()} == {k: number(v) for k, v in node.options.items()}
    own = {leaf for leaf in leaves(OmegaConf.to_container(made[group])) if not leaf.startswith("metrics.")}
    assert set(node.options) == own, "but for the metrics of a task, which are listed as metric="
    chosen = compose("config", [f"{group}={path.stem}", *node.companions])
    assert chosen == made, "they are chosen anyway"


def plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def number(value: Any) -> str:
    """Hydra reads 1e-4 as a number, YAML's own rules as a word."""
    return str(float(value)) if re.fullmatch(r"\d+e-\d+", str(value)) else str(value)


def leaves(tree: Any, prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        elif not key.startswith("_") and ("${" not in str(value) or "${by_network." in str(value)):
            yield prefix + key
