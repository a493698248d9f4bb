"""Source trees to take a fingerprint of, with some of their text changed."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ablations.identity.source_tree import Module, ModuleFile, SourceTree

ROOT = Path(__file__).parents[3]
PACKAGES = ("ablations", "hydra_plugins", "lightning_modules", "sweeps")


def module_file(path: Path) -> ModuleFile:
    """The module that a file of this repository is."""
    package = path.name == "__init__.py"
    relative = path.relative_to(ROOT).with_suffix("")
    return ModuleFile(".".join((relative.parent if package else relative).parts), path, package)


def with_text(tree: SourceTree, *texts: tuple[ModuleFile, str]) -> SourceTree:
    """The same sources with other text in some files."""
    changed = {file.name: Module(file, text) for file, text in texts}
    return SourceTree({**tree.modules, **changed}, dict(tree.files))


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(node: ast.AST) -> list[ast.FunctionDef]:
    """The functions in a tree that are in no other function."""
    if isinstance(node, ast.FunctionDef):
        return [node]
    return [function for child in ast.iter_child_nodes(node) for function in functions(child)]


class Reworded(ast.NodeTransformer):
    """Other docstrings, annotations, and texts of errors; what is computed stays."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Reworded."))
        else:
            node.body.insert(0, ast.Expr(ast.Constant("New.")))
        node.returns = ast.Constant("Reworded")
        for arg in [*node.args.args, *node.args.kwonlyargs]:
            arg.annotation = ast.Constant("Reworded")
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(ast.Constant("New.")))
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                part.value += " (reworded)"
        return node


def reworded(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(Reworded().visit(ast.parse(text))))


SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.Lt: ast.GtE, ast.Gt: ast.LtE}


def mutated(text: str, function: ast.FunctionDef) -> str:
    """The text of a module with one number, operator or its last statement of a function changed."""
    lines = text.splitlines(keepends=True)
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    block: Any = ast.parse(textwrap.dedent("".join(lines[first - 1 : function.end_lineno]))).body[0]
    _mutate(block)
    indent = " " * function.col_offset
    body = "".join(f"{indent}{line}\n" for line in ast.unparse(ast.fix_missing_locations(block)).splitlines())
    return "".join([*lines[: first - 1], body, *lines[function.end_lineno :]])


def _mutate(function: ast.FunctionDef) -> None:
    for node in _computing(function.body):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            node.value = 2 * node.value + 1
            return
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
            node.op = SWAPS[type(node.op)]()
            return
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            node.ops[0] = SWAPS[type(node.ops[0])]()
            return
    function.body[-1] = ast.Return(ast.Constant(7))


def _computing(nodes: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """The syntax below some nodes that is no message."""
    for node in nodes:
        if not isinstance(node, ast.Raise | ast.Assert | ast.FunctionDef | ast.JoinedStr | ast.AnnAssign):
            yield node
            yield from _computing(ast.iter_child_nodes(node))
