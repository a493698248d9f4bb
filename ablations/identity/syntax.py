"""Reduce a statement to what can change what it computes: its syntax without docstrings, annotations and messages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

UNSEEN = {"returns", "annotation", "type_comment", "type_params", "kind", "ctx", "simple"}
LOGGED = {"debug", "info", "warning", "warn", "error", "exception", "critical", "print"}
FIELD_KINDS = {"ClassVar", "InitVar", "KW_ONLY"}  # the annotations that a dataclass looks at
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
IMPORTS = ast.Import | ast.ImportFrom


class Meaning:
    """The syntax of a statement that counts, in a form that is the same for every supported Python.

    Left out are comments, layout, docstrings, `pass`, imports (the names used are resolved instead) and annotations; of
    an annotated field of a class it counts that there is one. Messages are left out too: the strings in the arguments
    of `raise`, of `assert`, and of a statement that calls a logger, `warnings.warn` or `print`. A local variable which
    only messages use is a part of them.

    Args:
        texts: the strings defined beside the statement, which are messages where they are raised.

    Attributes:
        text: what counts.
        names: the names that are used, dotted as they are written: `{"torch.nn.Linear", "scaled"}`.
    """

    def __init__(self, node: ast.stmt, texts: frozenset[str] = frozenset()) -> None:
        self.names: set[str] = set()
        self.texts = texts
        self.local: frozenset[str] | None = None  # messages of the function that is being read
        self.messages: set[ast.AST] = set()
        self.text = self._text(node)

    def _text(self, node: Any) -> str:
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node)):
            self.names.add(name)
            return name
        if isinstance(node, list):
            return "[" + ",".join([self._text(item) for item in node if not self._is_left_out(item)]) + "]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, FUNCTIONS) and self.local is None:
            self.local = local_messages(node, self.texts)
            said = self._fields(node)
            self.local = None
            return said
        self.messages.update(messages(node, self.texts | (self.local or frozenset())))
        if isinstance(node, ast.AnnAssign):
            return f"Assign(targets=[{self._text(node.target)}],value={self._text(node.value)})"
        return self._fields(node) + (_annotated(node) if isinstance(node, ast.ClassDef) else "")

    def _fields(self, node: ast.AST) -> str:
        said = []
        for field in node._fields:
            value = getattr(node, field, None)
            if field not in UNSEEN and value is not None and value != [] and not self._is_message(value):
                said.append(f"{field}={self._text(value)}")
        return f"{type(node).__name__}({','.join(said)})"

    def _is_message(self, value: Any) -> bool:
        return isinstance(value, ast.AST) and value in self.messages

    def _is_left_out(self, node: Any) -> bool:
        """Whether an item of a list, mostly a statement, changes nothing of what is computed."""
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        if isinstance(node, ast.AnnAssign):
            return node.value is None
        if isinstance(node, ast.Assign) and self.local:
            return all(isinstance(target, ast.Name) and target.id in self.local for target in node.targets)
        return isinstance(node, ast.Pass | IMPORTS) or self._is_message(node)


def dotted(node: ast.AST) -> str:
    """`package.module.Class` as it is written; nothing where it begins with an expression."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _annotated(node: ast.ClassDef) -> str:
    """The annotated fields of a class, which make it a dataclass's or a named tuple's."""
    said = ""
    for field in (one for one in node.body if isinstance(one, ast.AnnAssign)):
        names = {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(field.annotation)}
        said += f"{dotted(field.target)}:{sorted(names & FIELD_KINDS)}"
    return said


def messages(node: ast.AST, texts: frozenset[str]) -> Iterator[ast.AST]:
    """The arguments of a `raise`, an `assert` or a call that logs that are strings for people."""
    call: Any = None
    if isinstance(node, ast.Assert) and node.msg is not None:
        yield node.msg
    elif isinstance(node, ast.Raise):
        call = node.exc
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        call = node.value if called in LOGGED else None
    if isinstance(call, ast.Call):
        yield from (one for one in call.args if is_text(one, texts))
        yield from (one for one in call.keywords if is_text(one.value, texts))


def is_text(node: ast.AST, texts: frozenset[str]) -> bool:
    """Whether an expression is plainly a string; `texts` are names of strings."""
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.Name(id=name):
            return name in texts
        case ast.BinOp(left=left, right=right, op=ast.Add() | ast.Mod()):
            return is_text(left, texts) or (isinstance(node.op, ast.Add) and is_text(right, texts))
        case ast.IfExp(body=body, orelse=orelse):
            return is_text(body, texts) and is_text(orelse, texts)
        case ast.Call(func=ast.Attribute(value=value)):
            return is_text(value, texts)
    return False


def local_messages(function: ast.AST, texts: frozenset[str]) -> frozenset[str]:
    """The local variables that hold strings which only messages use."""
    values: dict[str, list[ast.expr]] = {}
    stored: list[str] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
            for target in node.targets:
                values.setdefault(dotted(target), []).append(node.value)
        elif isinstance(node, ast.arg):
            stored.append(node.arg)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            stored.append(node.id)
    found = frozenset(name for name in values if stored.count(name) == len(values[name]))
    while found:
        kept = {name for name in found if all(is_text(value, texts | found) for value in values[name])}
        if kept:  # as in few functions
            kept.difference_update(_loaded(function, texts | found, found))
        if kept == found:
            break
        found = frozenset(kept)
    return found


def _loaded(function: ast.AST, texts: frozenset[str], local: frozenset[str]) -> Iterator[str]:
    """The names that are used otherwise than in messages and in what is assigned to `local`."""
    left_out: set[ast.AST] = set()
    todo = [function]
    while todo:
        node = todo.pop()
        left_out.update(messages(node, texts))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        if not (isinstance(node, ast.Assign) and all(dotted(target) in local for target in node.targets)):
            todo += [child for child in ast.iter_child_nodes(node) if child not in left_out]
