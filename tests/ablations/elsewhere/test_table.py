"""A table reads the same in every format, and what is wrong in it is said with its place."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ablations.elsewhere.table import TableError, read_table

ROWS = [{"model": "a, b", "config.lr": "0.1", "seed": "0"}, {"model": 'the "c"', "config.lr": "1e-3", "seed": "1"}]
LINES = [["model", "config.lr", "seed"], ["a, b", "0.1", "0"], ['"the ""c"""', "1e-3", "1"]]


def delimited(mark: str) -> str:
    return "\n".join(mark.join(f'"{cell}"' if "," in cell else cell for cell in line) for line in LINES) + "\n"


NESTED = [{"model": row["model"], "config": {"lr": row["config.lr"]}, "seed": row["seed"]} for row in ROWS]
TEXTS = {
    "commas.csv": delimited(","),
    "tabs.csv": delimited("\t"),
    "semicolons.csv": delimited(";"),
    "tabs.tsv": delimited("\t"),
    "bom.csv": "\ufeff" + delimited(","),
    "windows.csv": delimited(",").replace("\n", "\r\n") + "\r\n",
    "list.json": json.dumps(NESTED, indent=2),
    "lines.jsonl": "\n".join(map(json.dumps, NESTED)) + "\n\n",
    "lines.ndjson": "\n".join(map(json.dumps, ROWS)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_format_has_the_same_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TEXTS[name].encode())
    table = read_table(str(tmp_path / name))
    assert list(table.columns) == ["model", "config.lr", "seed"]
    assert [row.values for row in table.rows] == ROWS
    (tmp_path / "noname").write_bytes(TEXTS[name].encode())
    assert read_table(str(tmp_path / "noname")).rows == table.rows, "without a suffix the content says what it is"


@pytest.mark.parametrize("name", TEXTS)
def test_standard_input_is_read_as_what_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXTS[name].encode())))
    assert [row.values for row in read_table("-").rows] == ROWS


def test_parquet_is_read_if_pyarrow_is_there_and_else_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "runs.parquet"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"runs.parquet: Parquet needs another package: pip install pyarrow$"):
        read_table(str(file))
    monkeypatch.undo()
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(ROWS), file)
    assert [row.values for row in read_table(str(file)).rows] == ROWS
    file.write_bytes(b"no parquet")
    with pytest.raises(TableError, match="no good Parquet"):
        read_table(str(file))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("runs.xlsx", b"", "runs.xlsx: a table is .csv (with commas, tabs or semicolons), .jsonl, .ndjson, .json or"),
        ("runs.csv", b"", "has no runs; a table has a row for each run"),
        ("runs.csv", b"a,b\n", "has no runs"),
        ("runs.csv", b"a,b,a\n1,2,3\n", "two columns are called a; rename one"),
        ("runs.csv", b"a,b\n1,2\n3\n", "runs.csv, line 3: it has 1 values, and the first line names 2 columns"),
        ("runs.csv", b'a,b\n1,2\n"3,4\n', "runs.csv, line 3: no good CSV"),
        ("runs.csv", "a\nä\n".encode("utf-16"), "runs.csv: is not UTF-8 (byte 0); save it as CSV in UTF-8"),
        ("runs.jsonl", b'{"a": 1}\n{"a": \n', "runs.jsonl, line 2: no good JSON"),
        ("runs.jsonl", b'{"a": 1}\n3\n', "runs.jsonl, line 2: a run is an object like {...}, not '3'"),
        ("runs.json", b'{"a": {"0": 1}}', "runs.json: holds no list; write [{...}, {...}], an object for each run"),
        ("runs.json", b"[" * 100_000, "runs.json: no good JSON"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError) as raised:
        read_table(str(tmp_path / name))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
