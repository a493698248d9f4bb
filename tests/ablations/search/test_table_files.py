"""A file that begins as a table and goes on as something else is named, whatever is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import skipbench
from ablations.search.table_files import write_table
from tests.ablations.search.landscape import made_up

About = dict[str, Any]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[About, str]:
    """The description of a table, and its rows as text."""
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_table(made_up(), path)
    first, _, rows = path.read_text().partition("\n")
    return json.loads(first.removeprefix("# skipbench ")), rows


def write(path: Path, about: Any, rows: str) -> Path:
    path.write_text(f"# skipbench {json.dumps(about)}\n{rows}")
    return path


@pytest.mark.parametrize("odd", [None, [1], "1"], ids=str)
@pytest.mark.parametrize("key", ["axes", "studies", "whole", "fixed", "judged", "metrics"])
def test_a_description_that_lacks_something_or_has_it_in_another_form_is_refused(
    good: tuple[About, str], tmp_path: Path, key: str, odd: Any
) -> None:
    about, rows = good
    for damaged in ({**about, key: odd}, {name: value for name, value in about.items() if name != key}):
        with pytest.raises(ValueError, match=r"t\.csv is no table of Skipbench, or damaged \("):
            skipbench.table(write(tmp_path / "t.csv", damaged, rows))


@pytest.mark.parametrize(
    ("axis", "said", "words"),
    [
        ("depth", {"kind": "number"}, "its axis depth is of no known kind"),
        ("depth", {"values": [8, 14]}, "a row has another depth than its axis"),
        ("block", {"values": ["plain"]}, "residual"),
        ("shortcut", {"depends_on": ["norm"]}, "depends on one that does not stand before it"),
        ("block", {"depends_on": ["shortcut"], "active_for": [["A"]]}, "depends on one that does not stand before it"),
        ("shortcut", {"active_for": 5}, "TypeError"),
    ],
)
def test_an_axis_that_contradicts_itself_is_refused(
    good: tuple[About, str], tmp_path: Path, axis: str, said: About, words: str
) -> None:
    about, rows = good
    axes = {**about["axes"], axis: about["axes"][axis] | said}
    with pytest.raises(ValueError, match=words):
        skipbench.table(write(tmp_path / "t.csv", {**about, "axes": axes}, rows))


def with_field(column: str, value: str) -> Callable[[str], str]:
    """Return what changes a field of the third row."""

    def change(rows: str) -> str:
        lines = [line.split(",") for line in rows.splitlines()]
        lines[3][lines[0].index(column)] = value
        return "\n".join(map(",".join, lines)) + "\n"

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_field("epoch", ""), "a row has no epoch"),
        (with_field("epoch", "1.5"), "TypeError"),
        (with_field("seed", ""), "a row has no seed"),
        (with_field("identity", ""), "a row has no identity"),
        (with_field("status", "odd"), "a row has the status odd"),
        (with_field("val_error", "high"), "could not convert string to float: 'high'"),
        (with_field("block", "highway"), "highway"),
        (lambda rows: rows + rows.splitlines()[1] + "\n", "plain-None-8-0.03-s0 has epoch 1 twice"),
        (lambda rows: rows[: len(rows) // 2].rpartition(",")[0], "a row has no "),
        (lambda rows: rows.partition("\n")[0], "it has no row of the studies made-up"),
        (lambda rows: "", "No columns"),
    ],
)
def test_rows_that_no_run_leaves_are_refused(
    good: tuple[About, str], tmp_path: Path, change: Callable[[str], str], words: str
) -> None:
    about, rows = good
    with pytest.raises(ValueError, match=words):
        skipbench.table(write(tmp_path / "t.csv", about, change(rows)))


@pytest.mark.parametrize("ending", ["csv.gz", "parquet"])
def test_a_damaged_file_is_refused_or_reads_as_a_table(tmp_path: Path, ending: str) -> None:
    """Whatever the libraries raise: of damage that these formats do not notice, a table comes out."""
    path, read = tmp_path / f"t.{ending}", 0
    write_table(made_up(), path)
    content = path.read_bytes()
    for at in [*range(0, len(content), len(content) // 12), len(content) - 5]:
        path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        with suppress(ValueError):
            skipbench.table(path)
            read += 1
    assert read < 9


def test_the_order_of_its_rows_does_not_matter(good: tuple[About, str], tmp_path: Path) -> None:
    about, rows = good
    head, *lines = rows.splitlines()
    tables = [write(tmp_path / f"{k}.csv", about, "\n".join([head, *lines[::way]])) for k, way in enumerate((1, -1))]
    one, other = (skipbench.simulate(table, trials=9, pruner="halving", seeds=[0, 1]) for table in tables)
    assert one.equals(other)
