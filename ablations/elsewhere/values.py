"""Read the values in a table of runs: numbers as text, empty cells, words for how a run ended."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")  # 0123 is a name, not a number
NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
TRUTHS = {"true": True, "false": False}
STATUSES = {
    **dict.fromkeys(("finished", "completed", "complete", "done", "success", "succeeded", "ok"), "finished"),
    **dict.fromkeys(("diverged", "nan"), "diverged"),
    **dict.fromkeys(("failed", "crashed", "killed", "preempted", "error", "cancelled", "timeout"), "failed"),
    **dict.fromkeys(("running", "pending", "queued", "preempting"), "running"),
}


@dataclass(frozen=True)
class Kind:
    """What the values of a column are: "number" if all of them are numbers, "truth" or "text"."""

    name: str

    def read(self, value: Any) -> Any:
        """Read a value of this column, or of a claim about it; "0.10" and 0.1 are equal. None if empty."""
        text = text_of(value)
        if not text:
            return None
        if self.name == "number" and NUMBER.fullmatch(text):
            return whole(text)
        return TRUTHS.get(text.lower(), text) if self.name == "truth" else text

    def ordered(self, values: Iterable[Any]) -> list[Any]:
        """The different values: numbers by size, others as they come."""
        known = list(dict.fromkeys(value for value in values if value is not None))
        numbers = all(isinstance(value, int | float) for value in known)
        return sorted(known) if numbers else known


def kind_of(values: Iterable[Any]) -> Kind:
    """What the values of a column are; empty ones do not count."""
    texts = {text for value in values if (text := text_of(value))}
    if all(NUMBER.fullmatch(text) for text in texts):
        return Kind("number")
    return Kind("truth" if all(text.lower() in TRUTHS for text in texts) else "text")


def text_of(value: Any) -> str:
    """A value as text; empty for None, a dash, and the NaN that pandas has for an empty cell."""
    text = "" if value is None else str(value).strip()
    return "" if text in ("–", "nan", "NaN") else text


def whole(text: str) -> int | float:
    """A number: 20.0 as 20, and integers of any length without rounding."""
    if INTEGER.fullmatch(text):
        return int(text)
    found = float(text)
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def measurement(value: Any) -> float | None:
    """A number or one that is not finite; None for anything else."""
    text = str(value).strip()
    good = not isinstance(value, bool) and (NUMBER.fullmatch(text) or NOT_FINITE.fullmatch(text))
    return float(text) if good else None


def status_of(word: Any) -> str | None:
    """finished, diverged, failed or running; None for an unknown word."""
    return STATUSES.get(str(word).strip().lower())
