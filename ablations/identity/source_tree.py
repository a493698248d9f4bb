"""Find the definitions that dotted names lead to, in source files that are parsed and never imported."""

from __future__ import annotations

import ast
import builtins
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ablations.identity.syntax import FUNCTIONS, IMPORTS, Meaning, dotted, is_text

LIBRARIES = sys.stdlib_module_names | {
    *("torch", "torchvision", "timm", "numpy", "scipy", "PIL", "pytorch_lightning", "lightning", "torchmetrics"),
    *("hydra", "omegaconf", "optuna", "wandb", "rich", "pooch", "requests", "ablations", "hydra_plugins"),
}
OURS = ("lightning_modules", "sweeps")  # the packages of this project that train
ON_IMPORT = ""  # the name of the statements that define nothing, and act when their module is imported
DEFINITIONS = FUNCTIONS | ast.ClassDef


class ModuleFile(NamedTuple):
    """A module: its dotted name, its file, and whether it is a package."""

    name: str
    path: Path
    package: bool

    @property
    def installed(self) -> bool:
        return "site-packages" in self.path.parts

    @property
    def relative(self) -> str:
        """The path from the folder that its top-level package lies in: `lightning_modules/networks/blocks.py`."""
        return Path(*self.path.parts[-self.name.count(".") - 1 - self.package :]).as_posix()


class Definition(NamedTuple):
    """What a name stands for: a digest of its syntax, and the dotted names it is built on."""

    digest: str
    uses: frozenset[str]


class Module:
    """A parsed module.

    Attributes:
        statements: the statements of its top level that define a name, by name; `ON_IMPORT` has those that define none.
        imports: what its imports bind a name to, wherever in it they stand.
        stars: the modules all of whose names it imports.
        unused: what it imports and never reads: imported for what happens then, or to be imported from here.
        text: its source.
    """

    def __init__(self, file: ModuleFile, text: str) -> None:
        self.file, self.text = file, text
        self.statements: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, set[str]] = {}
        self.stars: set[str] = set()
        self.unused: set[str] = set()
        self.definitions: dict[str, Definition] = {}
        tree = ast.parse(text, filename=str(file.path))
        for node in tree.body:
            for name in {*_bound(node)} or ({ON_IMPORT} if _acts(node) else ()):
                self.statements.setdefault(name, []).append(node)
        nodes = list(ast.walk(tree))
        self.read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for node in nodes:
            if isinstance(node, IMPORTS):
                self._import(node)
        for node in tree.body:
            if isinstance(node, DEFINITIONS) and any(map(self._may_register, node.decorator_list)):
                self.statements.setdefault(ON_IMPORT, []).append(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self.unused |= set() if (alias.asname or top) in self.read else {alias.name}
                self.imports.setdefault(alias.asname or top, set()).add(alias.name if alias.asname else top)
            return
        package = self.file.name.split(".")[: None if self.file.package else -1]
        above = package[: len(package) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            if alias.name == "*":
                self.stars.add(source)
            else:
                bound, name = alias.asname or alias.name, f"{source}.{alias.name}"
                self.unused |= set() if bound in self.read else {name}
                self.imports.setdefault(bound, set()).add(name)

    def _may_register(self, decorator: ast.expr) -> bool:
        """Whether a decorator may keep what it decorates in a registry: not one of Python, of a library or of ours."""
        first = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).partition(".")[0]
        sources = {source.partition(".")[0] for source in self.imports.get(first, ())} or {first}
        own = self.file.name.partition(".")[0] in OURS
        return not own and not sources <= LIBRARIES | vars(builtins).keys() | {*OURS}

    @cached_property
    def texts(self) -> frozenset[str]:
        """The names of its strings."""
        nothing: frozenset[str] = frozenset()
        return frozenset(
            name
            for name, nodes in self.statements.items()
            if all(isinstance(node, ast.Assign) and is_text(node.value, nothing) for node in nodes)
        )

    def definition(self, name: str) -> Definition | None:
        """What a name defined here stands for; None where it is not defined here."""
        if name not in self.definitions and name in self.statements:
            said = [Meaning(node, self.texts) for node in self.statements[name]]
            resolved = {used: self.resolve(used) for one in said for used in one.names}
            theirs = {used: of for used, of in resolved.items() if used.partition(".")[0] in self.imports}
            lines = [one.text for one in said] + sorted(f"{used}={sorted(of)}" for used, of in theirs.items())
            uses = frozenset().union(*resolved.values()) - {f"{self.file.name}.{name}"}
            self.definitions[name] = Definition(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16], uses)
        return self.definitions.get(name)

    def resolve(self, used: str) -> set[str]:
        """The dotted names that a name used here may stand for; none where it is a local variable or a built-in."""
        first, dot, rest = used.partition(".")
        found = {f"{self.file.name}.{first}"} if first in self.statements else set()
        found |= {source + dot + rest for source in self.imports.get(first, ())}
        return found or {f"{star}.{first}" for star in self.stars}


@dataclass(eq=False)
class SourceTree:
    """All modules that names lead to, each read once.

    Attributes:
        modules: those that were read, by dotted name.
        files: where dotted names lead: the file, and the rest of the name.
    """

    modules: dict[str, Module] = field(default_factory=dict)
    files: dict[str, tuple[ModuleFile, str] | None] = field(default_factory=dict)

    def locate(self, name: str) -> tuple[Module, str] | None:
        """Find the module that a dotted name leads to, and the rest of the name, which is empty for the module itself.

        None for what libraries define, and for unknown names.
        """
        if name not in self.files:
            self.files[name] = _find(name)
        if (found := self.files[name]) is None:
            return None
        file, rest = found
        if file.name not in self.modules:
            self.modules[file.name] = Module(file, file.path.read_text(encoding="utf-8"))
        return self.modules[file.name], rest

    def defined(self, name: str) -> Sequence[ast.stmt]:
        """Return the syntax of the class or function that a dotted name leads to, through imports too."""
        seen: set[str] = set()
        while name not in seen and (at := self.locate(name)) is not None:
            seen.add(name)
            module, inside = at
            nodes = [one for node in module.statements.get(inside, ()) for one in _simple(node)]
            if found := [node for node in nodes if isinstance(node, DEFINITIONS) and node.name == inside]:
                return found
            name = min(module.resolve(inside), default=name)
        return []


def _find(name: str) -> tuple[ModuleFile, str] | None:
    """The module that holds a dotted name, and the rest of the name inside it."""
    parts = name.split(".")
    if parts[0] in LIBRARIES:
        return None
    file, path, rest = None, None, parts
    for n in range(len(parts)):
        module = ".".join(parts[: n + 1])
        spec = PathFinder.find_spec(module, path) if n else find_spec(module)  # a top level may be an editable install
        if spec is None:
            break
        rest = parts[n + 1 :]
        path = list(spec.submodule_search_locations or [])
        if spec.origin and spec.origin.endswith(".py"):
            file = ModuleFile(module, Path(spec.origin), bool(path))
        if not path:
            break
    return (file, ".".join(rest)) if file is not None else None


def _simple(node: ast.AST) -> Iterable[ast.AST]:
    """A statement and, of one with parts such as `if`, `try` or `for`, the statements in it."""
    yield node
    if not isinstance(node, DEFINITIONS):
        for child in ast.iter_child_nodes(node):
            yield from _simple(child)


def _bound(node: ast.stmt) -> Iterable[str]:
    """The names that a statement of a module's top level defines or changes; those of an `if` or `try` all at once."""
    for one in _simple(node):
        if isinstance(one, DEFINITIONS):
            yield one.name
        elif isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.Subscript) and not isinstance(one.ctx, ast.Load):
            yield dotted(one.value).partition(".")[0]
        elif isinstance(one, ast.Attribute) and not isinstance(one.ctx, ast.Load):
            yield ON_IMPORT


def _acts(node: ast.stmt) -> bool:
    """Whether a statement does something when its module is imported, other than to import."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "TYPE_CHECKING"):
        return False
    return any(isinstance(one, ast.Call) for one in _simple(node))
