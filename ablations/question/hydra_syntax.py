"""Write axes and values as overrides that Hydra reads back as the same values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z0-9_.-]+")  # read as it stands, where it is neither a number nor one of the three words


def to_overrides(point: Mapping[str, Any]) -> list[str]:
    """Write a point as overrides, `block=plain` and `depth=8`, quoted where Hydra's grammar needs it."""
    return [f"{axis}={quoted(value)}" for axis, value in point.items()]


def quoted(value: Any) -> str:
    """Write a value in Hydra's grammar, with quotes around a text that would be read as anything else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(quoted, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{quoted(item)}" for key, item in value.items()) + "}"
    text = str(value)
    if isinstance(value, int | float) or (PLAIN.fullmatch(text) and not _reads_as_another(text)):
        return text
    # a backslash is itself but before a quote, where it is doubled
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", text + "'")[:-2] + "'"


def _reads_as_another(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in ("null", "true", "false")
    return True
