"""Read a table of runs that were made elsewhere, one row a run: CSV, JSON lines, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

FORMATS = ".csv (with commas, tabs or semicolons), .jsonl, .ndjson, .json or .parquet"
DELIMITERS = ",\t;"
STDIN = ("-", "/dev/stdin")


class TableError(ValueError):
    """Says in one sentence what is wrong in a table of runs, and where."""


class Row(NamedTuple):
    """A run: its number in the file, and its values by column, of which it may lack some."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        name: the file, for messages.
        unit: what the rows are numbered by: "line" of a text file, "row" of a list.
    """

    name: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def error(self, row: Row, says: str) -> TableError:
        """An error in one row."""
        return TableError(f"{self.name}, {self.unit} {row.number}: {says}")


def read_table(file: str) -> Table:
    """Read a table; "-" is standard input, as CSV or JSON.

    The text is UTF-8, with or without a byte order mark. Nested objects become columns with dots: `config.lr`.

    Raises:
        TableError: the format is unknown or not installed, or the content is damaged.
        OSError: the file cannot be read.
    """
    suffix = "" if file in STDIN else Path(file).suffix.lower()
    if suffix not in ("", ".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet"):
        raise TableError(f"{file}: a table is {FORMATS}, not {suffix}")
    if suffix == ".parquet":
        return _from_objects(file, "row", enumerate(_parquet(file), start=1))
    try:
        data = sys.stdin.buffer.read() if file in STDIN else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{file}: is not UTF-8 (byte {error.start}); save it as CSV in UTF-8") from None
    start = text.lstrip()[:1]
    if suffix == ".json" or (not suffix and start == "["):
        return _from_objects(file, "row", enumerate(_json(file, text), start=1))
    if suffix in (".jsonl", ".ndjson") or (not suffix and start == "{"):
        lines = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
        return _from_objects(
            file, "line", ((number, _parsed(line, f"{file}, line {number}")) for number, line in lines)
        )
    return _csv(file, text)


def _csv(file: str, text: str) -> Table:
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=re.sub('"[^"]*"', "", head).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    rows: list[Row] = []
    try:
        for fields in reader:
            if not any(map(str.strip, fields)):
                continue
            if not columns:
                columns = [field.strip() for field in fields]
                if twice := next((name for name in columns if name and columns.count(name) > 1), None):
                    raise TableError(f"{file}: two columns are called {twice}; rename one")
                continue
            if len(fields) != len(columns):
                says = f"it has {len(fields)} values, and the first line names {len(columns)} columns"
                raise TableError(f"{file}, line {reader.line_num}: {says}")
            rows.append(Row(reader.line_num, dict(zip(columns, fields, strict=True))))
    except csv.Error as error:
        raise TableError(f"{file}, line {reader.line_num}: no good CSV ({error})") from None
    return _checked(Table(file, "line", tuple(columns), tuple(rows)))


def _from_objects(file: str, unit: str, objects: Iterable[tuple[int, Any]]) -> Table:
    rows: list[Row] = []
    columns: dict[str, None] = {}
    for number, item in objects:
        if not isinstance(item, Mapping):
            raise TableError(f"{file}, {unit} {number}: a run is an object like {{...}}, not {str(item)[:40]!r}")
        rows.append(Row(number, dict(_flat(item))))
        columns |= dict.fromkeys(rows[-1].values)
    return _checked(Table(file, unit, tuple(columns), tuple(rows)))


def _checked(table: Table) -> Table:
    if not table.rows:
        raise TableError(f"{table.name}: has no runs; a table has a row for each run, with named columns")
    return table


def _flat(item: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in item.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _json(file: str, text: str) -> list[Any]:
    data = _parsed(text, file)
    if not isinstance(data, list):
        raise TableError(f"{file}: holds no list; write [{{...}}, {{...}}], an object for each run")
    return data


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{where}: no good JSON ({error})") from None


def _parquet(file: str) -> list[dict[str, Any]]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise TableError(f"{file}: Parquet needs another package: pip install pyarrow") from None
    try:
        return parquet.read_table(file).to_pylist()
    except arrow.ArrowException as error:
        raise TableError(f"{file}: no good Parquet ({str(error).splitlines()[0]})") from None
