"""The table of a grid that was really trained: complete, typed, the same in every file, and honest about its runs."""

import gzip
import json
import re
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import skipbench
from ablations.__main__ import main
from ablations.records.epochs import read_epochs
from ablations.records.files import write_json
from ablations.records.record import Record, plan_path, read_records
from ablations.search.table import Table
from ablations.search.table_files import write_table
from ablations.search.table_source import TableSource
from ablations.search.tabulate import table_of
from tests.pages import TEXTS
from tests.typed import typed

GRID = ("block=plain,residual", "shortcut=A,B", "depth=8,9", "norm=none", "recipe.lr=0.1,1000", "seed=0,1")
ENDINGS = ("parquet", "csv", "csv.gz")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of GRID: a third diverge, and a depth of 9 cannot be built."""
    folder = tmp_path_factory.mktemp("grid")
    more = ("recipe.epochs=2", "tracker=none", "keep=nothing", "diagnostics=false", "on_invalid=skip")
    done = typed("-m", *GRID, *more, at=folder)
    assert done.returncode == 0, done.stderr
    return folder


def name(at: Path) -> str:
    return next((at / "runs" / ".studies").iterdir()).name


def tabulate(at: Path, file: Path, *more: str) -> int:
    return main(["tabulate", name(at), "--runs", str(at / "runs"), "--out", str(file), *more])


@pytest.fixture(scope="module")
def table(at: Path) -> Table:
    assert tabulate(at, at / "t.parquet") == 0
    return skipbench.table(at / "t.parquet")


def test_every_epoch_of_every_run_is_a_row(at: Path, table: Table) -> None:
    records, _ = read_records(at / "runs")
    assert {*table.frame.identity.dropna()} == {*records}
    for record in records.values():
        rows = table.frame[table.frame.identity == record["identity"]]
        curve = read_epochs(at / "runs" / record["folder"] / "curve.csv")
        assert [*rows.epoch] == [row["epoch"] for row in curve]
        assert [*rows.seconds] == [row["seconds"] for row in curve]
        assert [*rows.val_error.dropna()] == [row["val_error"] for row in curve if "val_error" in row]
        assert {*rows.status} == {record["status"]}
        assert {*rows.seed} == {record["seed"]}
        assert rows.test_error.iloc[-1] == record["metrics"]["test_error"]
        assert rows.test_error.iloc[:-1].isna().all(), "the test set is seen once"
        assert rows.params.iloc[0] == record["params"]
        assert rows.macs.iloc[0] == record["macs"]
    ends = table.frame.groupby("status", observed=True).identity.nunique()
    assert ends["finished"] > 0
    assert ends["diverged"] > 0


def test_an_axis_says_its_kind_its_values_and_where_it_is_active(table: Table) -> None:
    assert {axis: about.kind for axis, about in table.axes.items()} == {
        **{"block": "categorical", "depth": "whole", "recipe.lr": "real", "shortcut": "categorical"},
    }
    assert table.axes["recipe.lr"].values == (0.1, 1000)
    assert table.axes["shortcut"].depends_on == ("block",)
    assert table.axes["shortcut"].active_for == {("residual",)}
    assert not table.axes["block"].depends_on
    assert [*table.axes][-1] == "shortcut", "an axis stands behind those on which it depends"
    plain = table.frame.block == "plain"
    assert table.frame.shortcut[plain].isna().all()
    assert table.frame.shortcut[~plain].notna().all()


def test_what_cannot_be_built_is_in_the_table_with_the_reason(table: Table) -> None:
    rows = table.frame[table.frame.status == "infeasible"]
    assert {*rows.depth} == {9}
    assert {cause.partition(";")[0] for cause in rows.cause} == {"depth=9 is not 6n+2"}
    assert len(rows) == 6, "a row a cell"
    assert rows.seed.isna().all()


@pytest.mark.parametrize("ending", ENDINGS[1:])
def test_every_file_holds_the_same(at: Path, table: Table, ending: str) -> None:
    assert tabulate(at, at / f"t.{ending}") == 0
    again = skipbench.table(at / f"t.{ending}")
    pd.testing.assert_frame_equal(again.frame, table.frame)
    assert again.axes == table.axes
    assert again.about == table.about


def test_a_file_is_the_same_each_time(at: Path, table: Table) -> None:
    for ending in ENDINGS:
        files = [at / f"{k}.{ending}" for k in range(2)]
        assert [tabulate(at, file) for file in files] == [0, 0]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_the_file_says_where_its_numbers_are_from(at: Path, table: Table) -> None:
    records, _ = read_records(at / "runs")
    one = next(iter(records.values()))
    said = table.about
    assert said["provenance"]["git"] == [one["provenance"]["git"]]
    assert said["provenance"]["versions"]["torch"] == [one["provenance"]["versions"]["torch"]]
    assert said["provenance"]["data"] == [one["data_digest"]]
    code = said["provenance"]["code"]
    assert {file for record in records.values() for file in record["code"]} == {*code}
    assert all(hash in code[file] for record in records.values() for file, hash in record["code"].items())
    assert said["fixed"]["norm"] == "none"
    assert said["fixed"]["recipe.epochs"] == 2
    assert "shortcut" not in said["fixed"]
    assert said["studies"][0]["question"].endswith("diagnostics=false on_invalid=skip")
    assert str(at) not in json.dumps(said), "no path of this machine"
    assert said["whole"] is True


def test_how_long_a_run_is_said_too_where_only_its_recipe_says_it(at: Path) -> None:
    plan = json.loads(plan_path(at / "runs", name(at)).read_text())
    records, _ = read_records(at / "runs")
    for one in (*plan["cells"], *records.values()):
        assert one["axes"].pop("recipe.epochs") == 2
    assert table_of([plan], records, at / "runs").about["fixed"]["recipe.epochs"] == 2
    next(iter(records.values()))["config"]["recipe"]["epochs"] = 3
    assert "recipe.epochs" not in table_of([plan], records, at / "runs").about["fixed"]


def renamed(at: Path, change: Callable[[float], Any]) -> tuple[dict[str, Any], dict[str, Record]]:
    """The plan and the records, as if the learning rates had been other values."""
    plan = json.loads(plan_path(at / "runs", name(at)).read_text())
    records, _ = read_records(at / "runs")
    points = [point for cell in plan["cells"] for point in (cell["axes"], *cell["points"])]
    points += [item["point"] for item in plan["invalid"]]
    for point in (*points, *(one["axes"] for one in records.values())):
        point["recipe.lr"] = change(point["recipe.lr"])
    return plan, records


def test_a_list_is_a_value_as_it_is_typed(at: Path, tmp_path: Path) -> None:
    plan, records = renamed(at, lambda rate: [rate, "a b"])
    write_table(table_of([plan], records, at / "runs"), tmp_path / "t.csv")
    table = skipbench.table(tmp_path / "t.csv")
    assert table.axes["recipe.lr"].values == ("[0.1,'a b']", "[1000,'a b']")
    rows = table.cell({"block": "plain", "depth": 8, "recipe.lr": [1000, "a b"]})
    assert {*rows["recipe.lr"]} == {"[1000,'a b']"}
    fixed = {"block": "plain", "recipe.lr": [0.1, "a b"]}
    assert len(skipbench.simulate(table, fixed=fixed, space={"depth": [8]}, trials=1)) == 1


def test_values_that_are_written_alike_are_refused(at: Path) -> None:
    plan, records = renamed(at, lambda rate: 1 if rate == 0.1 else "1")
    with pytest.raises(ValueError, match=r"recipe\.lr: 1, '1' are written alike in a table"):
        table_of([plan], records, at / "runs")


def test_a_run_that_a_table_lacks_has_its_name_all_the_same(table: Table) -> None:
    """So a trial that was pruned before its second seed comes out as it was recorded; another one is refused."""
    point = {"block": "plain", "depth": 8, "recipe.lr": 0.1}
    part = Table(table.frame[table.frame.seed != 1], table.axes, table.about)
    whole, lacking = (TableSource(one, [0, 1], {}).candidate(point) for one in (table, part))
    assert lacking.runs == whole.runs
    assert {run["identity"] for run in whole.runs} == {*table.cell(point).identity}
    unequal = Table(table.frame[(table.frame.seed != 1) | (table.frame.block != "plain")], table.axes, table.about)
    with pytest.raises(ValueError, match=r"the table has no whole run of plain-.* with seed 1"):
        skipbench.simulate(unequal, trials=9, fixed={"block": "plain"}, seeds=[0, 1])


def test_searches_are_no_table(at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = json.loads(plan_path(at / "runs", name(at)).read_text())
    plan["study"]["tables"] = {"a": "a.csv"}
    write_json(plan_path(tmp_path, plan["name"]), plan)
    assert main(["tabulate", plan["name"], "--runs", str(tmp_path), "--out", str(tmp_path / "t.csv")]) == 1
    assert f"{plan['name']} compares searches, which have no epochs" in capsys.readouterr().err


def test_a_cell_is_found_by_its_active_axes(table: Table) -> None:
    rows = table.cell({"block": "plain", "depth": 8, "recipe.lr": 0.1})
    assert [*zip(rows.seed, rows.epoch, strict=True)] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert {*rows.block} == {"plain"}
    assert rows.equals(table.cell({"recipe.lr": 0.1}, block="plain", depth=8, shortcut="B")), "plain has no shortcut"
    both = [table.cell({"recipe.lr": 0.1}, block="residual", depth=8, shortcut=one).cell.iloc[0] for one in "AB"]
    assert both[0] != both[1]
    for point, said in (
        ({"block": "plian"}, "the table has no block=plian; did you mean plain"),
        ({"blok": "plain"}, "the table has no axis blok; did you mean block"),
        ({"norm": "batch"}, "the table has no norm=batch: it is of norm=none"),
        ({"block": "plain", "depth": 8, "norm": "none"}, "recipe.lr has no value; the table has 0.1, 1000"),
        ({"block": "plain", "depth": 8, "recipe.lr": 0.2}, "the table has no recipe.lr=0.2"),
    ):
        with pytest.raises(ValueError, match=said):
            table.cell(point)
    assert "shortcut" in table._repr_html_()


def test_an_incomplete_study_is_refused_unless_partial(
    at: Path, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(at / "runs", tmp_path / "runs")
    finished = [r for r in read_records(at / "runs")[0].values() if r["status"] == "finished"]
    gone, failed = finished[:2]
    (tmp_path / "runs" / gone["folder"] / "record.json").unlink()
    path = tmp_path / "runs" / failed["folder"] / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "failed", "cause": "oom", "metrics": {}}))
    assert tabulate(tmp_path, tmp_path / "t.csv") == 1
    said = capsys.readouterr().err
    assert f"{gone['label']} is missing: python run.py -m" in said
    assert "--partial leaves out what is missing" in said
    assert not (tmp_path / "t.csv").exists()
    assert tabulate(tmp_path, tmp_path / "t.csv", "--partial") == 0
    part = skipbench.table(tmp_path / "t.csv")
    assert {*table.frame.identity.dropna()} - {*part.frame.identity.dropna()} == {gone["identity"]}
    assert part.about["whole"] is False
    rows = part.frame[part.frame.identity == failed["identity"]]
    assert {*rows.status} == {"failed"}
    assert {*rows.cause} == {"oom"}
    assert rows.test_error.isna().all()


@pytest.mark.long
def test_two_studies_become_one_table(at: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(at / "runs", tmp_path / "runs")
    first = name(at)
    fixed = ("norm=none", "recipe.lr=0.1", "recipe.epochs=2", "tracker=none", "keep=nothing", "diagnostics=false")
    done = typed("-m", "block=highway", "shortcut=A,B", "depth=8", "seed=0", *fixed, at=tmp_path)
    assert done.returncode == 0, done.stderr
    (second,) = {folder.name for folder in (tmp_path / "runs" / ".studies").iterdir()} - {first}
    out = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "t.csv")]
    assert main(["tabulate", first, second, *out]) == 0, capsys.readouterr().err
    both = skipbench.table(tmp_path / "t.csv")
    assert both.axes["block"].values == ("plain", "residual", "highway")
    assert both.axes["shortcut"].active_for == {("residual",), ("highway",)}
    rows = both.cell({"recipe.lr": 0.1}, block="highway", depth=8, shortcut="A")
    assert [*rows.epoch] == [1, 2]


def test_the_python_of_the_page_runs(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {axis: about for axis, about in table.axes.items() if axis != "depth"}  # the page's grid has one depth
    write_table(
        Table(table.frame[table.frame.depth == 8].drop(columns="depth"), axes, table.about), tmp_path / "grid.csv.gz"
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TEXTS["docs/tables.md"], re.DOTALL)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        if "syne_tune" in block and not find_spec("syne_tune"):
            continue  # which tests/ablations/search/test_syne_tune.py says
        exec(block, names)
        for line, says in re.findall(r"^(grid.*?)  # ([\"(].*)$", block, re.MULTILINE):
            assert eval(line, names) == eval(says), line
    assert len(names["rows"]) == 4


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("t.txt", b"", r"a table ends in \.parquet, \.csv or \.csv\.gz"),
        ("t.parquet", b"PAR1", "is no table of Skipbench"),
        (
            "t.csv",
            b"block,depth\n",
            "or damaged .its first line does not begin with '# skipbench'",
        ),
        ("t.csv", b'# skipbench {"schema": 2, "axes": {}}\nseed\n', "of schema 2; this version reads schema 1"),
        ("t.csv", b'# skipbench {"schema": 1, "axes": {}}\nseed,epoch\n', "it has no column params, macs"),
        ("t.csv.gz", b"not packed", "is no table of Skipbench"),
        ("t.csv.gz", gzip.compress(b"\xff", mtime=0), "is no table of Skipbench"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, file: str, content: bytes, said: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        skipbench.table(tmp_path / file)


def test_without_the_package_parquet_is_refused_before_anything_is_read(
    at: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    assert tabulate(at, at / "other.parquet") == 1
    assert "pip install 'skipbench[parquet]', or write .csv.gz" in capsys.readouterr().err


def test_searches_see_the_seeds_in_turn_and_what_could_not_be_built_has_none():
    table = Table(pd.DataFrame({"seed": pd.array([2, None, 0], dtype="Int64")}), {}, {})
    assert [table.seed_in_turn(k) for k in range(3)] == [0, 2, 0]
