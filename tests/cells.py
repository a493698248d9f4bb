"""Execute Python cells one after the other, as a notebook does, in a process of their own.

Typed: `python cells.py FILE`, where FILE holds a list of sources as JSON. Of each cell whose last line is an expression
the value is shown as a notebook shows it. Prints a list with what each cell has shown.
"""

from __future__ import annotations

import ast
import json
import sys
import traceback
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

FORMS = "_repr_html_", "_repr_svg_", "__repr__"


def execute(source: str, names: dict[str, Any]) -> str:
    """Execute a cell; return what it prints and the form in which its last value is shown."""
    tree, printed = ast.parse(source), StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    form = next((getattr(value, form) for form in FORMS if hasattr(value, form)), None)
    return printed.getvalue() + (form() if form and value is not None else "")


if __name__ == "__main__":
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in json.loads(Path(sys.argv[1]).read_text()):
        try:
            shown.append(execute(cell, names))
        except Exception:
            sys.exit(f"{cell}\n{traceback.format_exc()}")
    print(json.dumps(shown))
