"""List what can be chosen: each choice, where it comes from, and one line about it. No choice is imported for that."""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple

from ablations.identity.code_hash import defined
from ablations.question.did_you_mean import instead

CONF = Path(__file__).resolve().parents[2] / "conf"
OFFERS = {  # group → what installed packages call it, as in [project.entry-points."skipbench.blocks"]
    "block": "skipbench.blocks",
    "shortcut": "skipbench.shortcuts",
    "norm": "skipbench.norms",
    "network": "skipbench.networks",
    "data": "skipbench.data",
    "recipe": "skipbench.recipes",
    "study": "skipbench.studies",
}
PLURALS = {"bodies": "body", "studies": "study"}


class Choice(NamedTuple):
    """A word that a group takes, its origin and one line about it."""

    group: str
    name: str
    origin: str
    says: str


@lru_cache(maxsize=1)
def _installed() -> dict[tuple[str, str], list[EntryPoint]]:
    """Read the entry points of installed packages, by (group, name)."""
    found: dict[tuple[str, str], dict[tuple[str, str], EntryPoint]] = {}
    everything = entry_points()
    for group, offers in OFFERS.items():
        for point in everything.select(group=offers):
            found.setdefault((group, point.name), {})[origin(point), point.value] = point
    return {key: list(points.values()) for key, points in found.items()}


def offered(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a group by name; more than one of a name is a clash."""
    return {name: points for (of, name), points in sorted(_installed().items()) if of == group}


def origin(point: EntryPoint) -> str:
    """Say where an entry point comes from: `my-package 0.1 (my_package:MyBlock)`."""
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package"
    return f"{package} ({point.value})"


def target(point: EntryPoint) -> str:
    """Write the object of an entry point as a `_target_`."""
    return f"{point.module}.{point.attr}" if point.attr else point.module


def installed_choices(group: str) -> list[Choice]:
    """List what installed packages offer through entry points."""
    return [
        Choice(group, name, origin(point), docstring_line(target(point)))
        for name, points in offered(group).items()
        for point in points
    ]


def config_files(folder: Path) -> dict[str, Path]:
    """Find the YAML files in a folder, by the word that chooses them: `headline`, then `cifar/headline`."""
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return dict(sorted(files.items(), key=lambda item: in_order(item[0])))


def in_order(name: str) -> tuple[bool, str]:
    """Return the sort key of a choice: those in no folder come first."""
    return "/" in name, name


def file_choices(group: str, folder: Path, called: str) -> list[Choice]:
    """List the YAML files of a group in a folder of configs, which an origin names as `called`."""
    files = config_files(folder / group).items()
    return [Choice(group, name, f"{called}/{group}/{name}.yaml", yaml_line(f.read_text("utf-8"))) for name, f in files]


def yaml_line(text: str) -> str:
    """Return the first comment of a YAML file; without one, the first line of its `_target_`'s docstring."""
    for line in text.splitlines():
        if line.startswith("#") and not line.startswith("# @"):
            return line.lstrip("# ").rstrip()
        if line.startswith("_target_:"):
            return docstring_line(line.partition(":")[2].strip())
    return ""


def docstring_line(dotted: Any) -> str:
    """Return the first line of the docstring of a class or function, or nothing."""
    for node in defined(str(dotted)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            return text.splitlines()[0]
    return ""


def choices_of(word: str, own: Path | None = None) -> list[Choice]:
    """List what the group called `block` or `blocks` takes, by name; `own` is a folder of further configs.

    Raises:
        ValueError: there is no such group, or no such folder.
    """
    groups = sorted({path.name for path in CONF.iterdir() if path.is_dir()} - {"hydra"})
    group = PLURALS.get(word, word.removesuffix("s"))
    if group not in groups:
        raise ValueError(f"there is no group {word!r} to list{instead(group, groups, 'there are')}")
    if own is not None and not own.is_dir():
        raise ValueError(f"--config-dir {own} is not a folder")
    found = file_choices(group, CONF, "conf") + installed_choices(group)
    found += file_choices(group, own, str(own)) if own is not None else []
    return sorted(found, key=lambda choice: in_order(choice.name))
