"""Write JSON files atomically and read them with checks: their content may come from anywhere."""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import stat
import sys
from itertools import count
from pathlib import Path
from typing import Any

SCHEMA = 1
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # they can take over a terminal


class RecordError(ValueError):
    """Says in one sentence which file should hold a record or a plan and does not, and why."""


class OtherSchema(RecordError):
    """Says that a file is of another version of this package: it is not damaged, and must not be touched."""


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part: write, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(3)}")  # two machines may share a pid
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say which file
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, data: Any, *, indent: int | None = 1) -> None:
    """Write strict JSON atomically; without `indent` on one line, which is much faster.

    Raises:
        ValueError: `data` holds NaN or an infinity, which JSON has no word for.
    """
    write_text(path, json.dumps(data, indent=indent, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read one strict JSON object of this schema; characters that steer a terminal are replaced.

    Raises:
        RecordError: the file is unreadable, cut off, not an object, or holds NaN or an infinity.
        OtherSchema: it is of another schema version.
    """

    def refuse(word: str) -> None:
        raise RecordError(f"{path}: holds {word}, which is no finite number")

    def finite(word: str) -> float:
        value = float(word)
        if not math.isfinite(value):  # 1e999
            refuse(word)
        return value

    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            raise OSError("not a plain file")
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=refuse, parse_float=finite)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}: damaged, not whole JSON ({error.msg} at character {error.pos})") from error
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a thousand brackets
        raise RecordError(f"{path}: damaged, no JSON of ours ({error})") from error
    if not isinstance(data, dict):
        raise RecordError(f"{path}: holds a {type(data).__name__}, not an object")
    if data.get("schema") != SCHEMA:
        found = data.get("schema", "no version")
        raise OtherSchema(f"{path}: written as schema {found}, this version reads schema {SCHEMA}; it is left as it is")
    return _printable(data) if "\\" in text or CONTROL.search(text) else data


def lenient_output() -> None:
    """Let a terminal that lacks a character show a question mark in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def printable(text: str) -> str:
    """Replace the characters of a text that would steer a terminal."""
    return CONTROL.sub("�", text)


def aside(path: Path, why: str) -> Path:
    """Rename a file, never over another, and return its new path: `record.json` → `record.failed-1.json`."""
    free = (path.with_name(f"{path.stem}.{why}-{n}{path.suffix}") for n in count(1))
    return path.rename(next(place for place in free if not os.path.lexists(place)))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {printable(key): _printable(item) for key, item in value.items()}
    return value
