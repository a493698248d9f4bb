"""Every text file and every pipe names its encoding: the machine's own may be ASCII."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("ablations", "benchmarks", "examples", "hydra_plugins", "lightning_modules", "sweeps")
    for path in (ROOT / folder).rglob("*.py")
)
ENCODING_AT = {"read_text": 0, "write_text": 1}  # position of the argument in methods of Path
TEXT = {"open", "fdopen", "TemporaryFile", "NamedTemporaryFile"}
PIPES = {"run", "Popen", "check_output"}


def unnamed(source: str) -> Iterator[int]:
    """Find the lines of calls that read or write text in the encoding of the machine."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        words = {word.arg: word.value for word in node.keywords}
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = method or getattr(node.func, "id", "")
        called = ast.unparse(node.func)
        if method in ENCODING_AT and len(node.args) <= ENCODING_AT[method]:
            yield node.lineno
        elif name in TEXT and not called.startswith(("webbrowser", "PIL", "Image", "zipfile", "tarfile", "gzip")):
            at = 0 if name.endswith("TemporaryFile") or (method == "open" and called != "os.open") else 1
            mode = words.get("mode") or (node.args[at] if len(node.args) > at else None)
            shipped = "w+b" if name.endswith("TemporaryFile") else "r"
            if called != "os.open" and "b" not in (ast.literal_eval(mode) if mode is not None else shipped):
                yield node.lineno
        elif name in PIPES and ("text" in words or "universal_newlines" in words):
            yield node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_read_and_written_in_a_named_encoding(path: Path) -> None:
    assert not list(unnamed(path.read_text("utf-8")))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open('x')", True),
        ("open('x', 'rb')", False),
        ("path.open('w')", True),
        ("path.open()", True),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("write_text(path, text)", False),
        ("subprocess.run(words, text=True)", True),
        ("TemporaryFile()", False),
    ],
)
def test_a_call_without_an_encoding_is_found(source: str, found: bool) -> None:
    assert bool(list(unnamed(source))) == found
