"""Write counts and lists of names as a sentence has them."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, word: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{n} {word}{'' if n == 1 else 's'}"


def and_more(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: the first `most` names, and how many follow."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
