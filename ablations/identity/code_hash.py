"""A fingerprint of the code that matters to a run: what its `_target_`s name, and what those build on.

The sources are parsed, never imported. A definition counts as its syntax tree: comments, layout, docstrings and the
annotations of arguments do not. Followed are the names a definition uses, as far as they are defined in the same
top-level package as the target or in code that is not installed; libraries count by name only, which the config holds.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

OURS = "lightning_modules"
CORE = (
    "lightning_modules.training.classifier.Classifier",
    "lightning_modules.training.recipe.Recipe",
    "lightning_modules.training.fit.fit",
)
LIBRARIES = sys.stdlib_module_names | {
    *("torch", "torchvision", "timm", "numpy", "scipy", "PIL", "pytorch_lightning", "lightning", "torchmetrics"),
    *("hydra", "omegaconf", "optuna", "wandb", "rich", "pooch", "requests", "ablations", "hydra_plugins", "sweeps"),
}
UNSEEN = {"returns", "annotation", "type_comment", "kind", "ctx"}


class Place(NamedTuple):
    """A module: its dotted name, its file, and whether it is a package."""

    name: str
    file: Path
    package: bool


class Module(NamedTuple):
    """A parsed module.

    Attributes:
        definitions: what its top level defines, by name.
        imports: what its imports bind, name → dotted path.
        stars: the modules all of whose names it imports.
    """

    place: Place
    definitions: dict[str, list[ast.AST]]
    imports: dict[str, str]
    stars: list[str]

    def passed_on(self, name: str) -> list[str]:
        """Where a name may come from that is not defined here."""
        return [self.imports[name]] if name in self.imports else [f"{star}.{name}" for star in self.stars]


def targets(config: Any) -> set[str]:
    """Every `_target_` in a resolved config."""
    if isinstance(config, dict):
        own = {config["_target_"]} if isinstance(config.get("_target_"), str) else set()
        return own.union(*(targets(value) for value in config.values()))
    if isinstance(config, list):
        return set().union(*(targets(value) for value in config))
    return set()


def fingerprint(names: Iterable[str]) -> dict[str, str]:
    """Digest of the code behind dotted names, by source file.

    Args:
        names: dotted paths of classes and functions, as `_target_` has them.

    Returns:
        `{"lightning_modules/networks/blocks.py": "<16 hex>", …}`; empty for names that only libraries define.
    """
    return dict(_fingerprint(tuple(sorted({*names, *CORE}))))


@lru_cache(maxsize=4096)
def _fingerprint(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = set().union(*(_closure(name) for name in names))
    files: dict[str, list[str]] = {}
    for file, definition, digest in sorted(found):
        files.setdefault(file, []).append(f"{definition}={digest}")
    return tuple((file, hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]) for file, lines in files.items())


@lru_cache(maxsize=4096)
def _closure(target: str) -> frozenset[tuple[str, str, str]]:
    """(file, definition, digest) of all that `target` is built on, itself included."""
    tops = {target.partition(".")[0], OURS}
    seen: set[tuple[Place, str]] = set()
    found: set[tuple[str, str, str]] = set()
    todo = [target]
    while todo:
        at = _locate(todo.pop())
        if at is None or at in seen or (_installed(at[0]) and at[0].name.partition(".")[0] not in tops):
            continue
        seen.add(at)
        module, name = _parse(at[0]), at[1]
        root = Path(*module.place.file.parts[-module.place.name.count(".") - 1 - module.place.package :])
        nodes = module.definitions.get(name, [])
        if nodes:
            text = "\n".join(canonical(node) for node in nodes)
            found.add((root.as_posix(), name, hashlib.sha256(text.encode()).hexdigest()[:16]))
            todo += [used for node in nodes for used in _uses(node, module)]
        else:
            todo += module.passed_on(name)
    return frozenset(found)


def defined(dotted: str) -> list[ast.AST]:
    """The syntax of what a dotted name names, found without importing it; empty for libraries and unknown names."""
    at, seen = _locate(dotted), set()
    while at is not None and at not in seen:
        seen.add(at)
        module, name = _parse(at[0]), at[1]
        if name in module.definitions:
            return module.definitions[name]
        at = _locate(module.imports[name]) if name in module.imports else None
    return []


def _installed(place: Place) -> bool:
    return "site-packages" in place.file.parts


def canonical(node: Any) -> str:
    """A syntax tree as text, the same for every supported Python: empty fields, docstrings and annotations left out."""
    if isinstance(node, list):
        return "[" + ",".join(canonical(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if value is None or value == [] or (name in UNSEEN and not isinstance(node, ast.AnnAssign)):
            continue
        if name == "body" and isinstance(value, list) and _is_docstring(value[0]):
            value = value[1:]
        fields.append(f"{name}={canonical(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _uses(node: ast.AST, module: Module) -> set[str]:
    """Dotted paths of the names a definition uses: its neighbours in the module and what it imports."""
    used: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            if child.id in module.definitions:
                used.add(f"{module.place.name}.{child.id}")
            else:
                used |= {*module.passed_on(child.id)}
        elif isinstance(child, ast.Attribute):
            name, *rest = _chain(child)
            if name in module.imports:
                used.add(".".join([module.imports[name], *rest]))
    return used


def _chain(node: ast.expr) -> list[str]:
    """`package.module.Class` as its names; the first is empty where an expression stands."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "", *reversed(names)]


def _locate(dotted: str) -> tuple[Place, str] | None:
    """The module that holds a dotted name, and the name's first part inside it; None for libraries and unknowns."""
    parts = dotted.split(".")
    if parts[0] in LIBRARIES:
        return None
    place, path, rest = None, None, parts
    for n in range(len(parts)):
        name = ".".join(parts[: n + 1])
        spec = PathFinder.find_spec(name, path) if n else find_spec(name)  # a top level may be an editable install
        if spec is None:
            break
        rest = parts[n + 1 :]
        path = list(spec.submodule_search_locations or [])
        if spec.origin and spec.origin.endswith(".py"):
            place = Place(name, Path(spec.origin), bool(path))
        if not path:
            break
    return (place, rest[0]) if place is not None and rest else None


@lru_cache(maxsize=4096)
def _parse(place: Place) -> Module:
    tree = ast.parse(place.file.read_text(encoding="utf-8"), filename=str(place.file))
    definitions: dict[str, list[ast.AST]] = {}
    for node in _top_level(tree.body):
        for name in _bound(node):
            definitions.setdefault(name, []).append(node)
    imports: dict[str, str] = {}
    stars: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            package = place.name if place.package else place.name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            source = ".".join(filter(None, [package if node.level else "", node.module or ""]))
            imports |= {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names}
            stars += [source] * ("*" in imports)
            imports.pop("*", None)
    return Module(place, definitions, imports, stars)


def _top_level(body: list[ast.stmt]) -> Iterable[ast.stmt]:
    """The statements of a module, those under `if`, `try`, `with`, `for`, `while` and `match` included."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in [node, *getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                for part in ("body", "orelse", "finalbody"):
                    yield from _top_level(getattr(inner, part, []))


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.For):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    if isinstance(node, ast.AnnAssign | ast.AugAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
