"""Write docs/axes.md, the reference of every axis and its choices, from the files of conf/.

`python -m ablations list --markdown` prints it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

from ablations.catalog.choices import CONF, file_choices
from ablations.identity.run import REFERENCE

HEAD = """\
# Every axis and its choices

What `conf/` offers; `python -m ablations list --markdown` prints this page. A choice is a file: `block=highway` is
`conf/block/highway.yaml`. **Bold** is what is chosen where nothing is said. *Matters to it*: the axes that a choice is
handed; with another value there it is another run. Options are set with the group's name before them,
`block.rate=0.2`, and swept as an axis is. What installed packages add, `python -m ablations list blocks` shows as well.

From `trainer` on the choices say where and how a question is answered, and enter no run's identity.
"""
SETTING = re.compile(r"([a-z_]+): (.*?)(?:\s+# (.*))?")


class Node(NamedTuple):
    """The content of a choice's file.

    Attributes:
        companions: the other choices it makes, as `recipe=he2015_short`.
        axes: those it names by interpolation.
        options: dotted name → default.
    """

    companions: list[str]
    axes: list[str]
    options: dict[str, Any]


def page() -> str:
    """Write the whole page."""
    primary = (CONF / "config.yaml").read_text(encoding="utf-8")
    chosen = {group: choice for group, choice in _defaults(CONF / "config.yaml") if (CONF / group).is_dir()}
    return "\n".join([HEAD, *(_group(group, str(choice)) for group, choice in chosen.items()), *_scalars(primary)])


def node_of(group: str, name: str) -> Node:
    """Read a choice, with all that it inherits."""
    tree, companions = _merged(CONF / group / f"{name}.yaml", group)
    text = json.dumps(tree)
    for key, usual in _primary()["by_network"].items():
        text = text.replace(f'"${{by_network.{key}}}"', json.dumps(usual))
    named, tree = REFERENCE.findall(text), json.loads(text)
    return Node(companions, [axis for axis in dict.fromkeys(named) if axis != group], dict(_options(tree)))


@cache
def _primary() -> dict[str, Any]:
    import yaml

    return yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))


def _merged(path: Path, group: str) -> tuple[dict[str, Any], list[str]]:
    """Merge the group's node in a file over those of the files it begins with; return it and the other choices made."""
    import yaml

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    everywhere = path.read_text(encoding="utf-8").startswith("# @package _global_")
    tree: dict[str, Any] = {}
    companions = []
    for word, choice in _defaults(path):
        if word.startswith("override /"):
            companions.append(f"{word.removeprefix('override /')}={choice}")
        elif word == "self":
            tree |= data.get(group, {}) if everywhere else {k: v for k, v in data.items() if k != "defaults"}
            others = {k: v for k, v in data.items() if everywhere and k not in (group, "defaults")}
            companions += [f"{k}={v}" for k, v in _options(others)]
        elif not choice.startswith("/"):  # what is put inside from another group is listed there
            inherited, more = _merged(path.parent / f"{choice}.yaml", group)
            tree, companions = tree | inherited, companions + more
    return tree, companions


def _defaults(path: Path) -> list[tuple[str, str]]:
    """Read a defaults list as (group, choice): the file itself is `self`, a choice of its own group has group ``."""
    import yaml

    found = []
    for item in yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", []):
        word, choice = next(iter(item.items())) if isinstance(item, dict) else ("", item)
        found.append(("self", "") if choice == "_self_" else (word, choice.partition("@")[0]))
    return found if ("self", "") in found else [*found, ("self", "")]


def _options(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _options(value, f"{prefix}{key}.")
        elif not key.startswith("_") and "${" not in str(value):
            yield prefix + key, value


def _group(group: str, chosen: str) -> str:
    heads = [f"`{group}=`", "what it is", "matters to it", "options"]
    rows = []
    for choice in file_choices(group, CONF, "conf"):
        name = f"**`{choice.name}`**" if choice.name == chosen else f"`{choice.name}`"
        node = node_of(group, choice.name) if group != "study" else Node([], [], {})  # whose parts are no options
        says = _text(choice.says) + (f" Chooses `{' '.join(node.companions)}` too." if node.companions else "")
        options = ", ".join(f"`{key}={_word(value)}`" for key, value in node.options.items())
        rows.append([name, says, ", ".join(node.axes), options])
    used = [any(column) for column in zip(*rows, strict=True)]
    return f"## {group}\n\n{_table(*(list(compress(row, used)) for row in (heads, *rows)))}"


def _scalars(text: str) -> Iterator[str]:
    """Write the settings of conf/config.yaml that are no groups, under the comments that head them."""
    for block in text.split("\n\n")[1:]:
        head, *lines = block.splitlines()
        found = [match.groups() for line in lines if (match := SETTING.fullmatch(line))]
        if head.startswith("# ") and found:
            rows = [[f"`{name}`", f"`{value}`", _text(says or "")] for name, value, says in found]
            heads = ["setting", "where nothing is said", "what it is"]
            yield f"## {head[2].upper()}{head[3:]}\n\n{_table(heads, *rows)}"


def _table(heads: Sequence[str], *rows: Sequence[str]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _text(says: str) -> str:
    return re.sub(r"([|*<])", r"\\\1", says)


def _word(value: Any) -> str:
    return value or "''" if isinstance(value, str) else json.dumps(value)
