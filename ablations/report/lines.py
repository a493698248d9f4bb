"""Break labels into lines, in charts and in tables."""

from __future__ import annotations

import re
import textwrap

LETTERS = 30  # in a line of a label


def wrapped(text: str, letters: int = LETTERS) -> str:
    """A label in lines of so many letters at most, broken after commas where possible, in long words after = and _."""
    lines = [""]
    for part in text.split(", "):
        longer = f"{lines[-1]}, {part}" if lines[-1] else part
        if len(longer) < letters or not lines[-1]:  # a comma may follow
            lines[-1] = longer
        else:
            lines[-1] += ","
            lines.append(part)
    for index, line in enumerate(lines):
        loose = re.sub(rf"\S{{{letters + 1},}}", lambda word: re.sub(r"(?<=[=_])(?=[^=_])", "\0 ", word[0]), line)
        lines[index] = "\n".join(textwrap.wrap(loose, letters)).replace("\0 ", "").replace("\0", "")
    return "\n".join(lines)
