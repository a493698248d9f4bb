"""A record is whole or it is not there; what is no record is named and left alone."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.records.files import RecordError, write_json
from ablations.records.record import plan_path, plans, read_plan, read_record, read_records
from tests.ablations.conftest import make_plan

WHOLE = {
    **{"schema": 1, "identity": "a" * 64, "cell": "b" * 64, "label": "plain-batch-d8-s0", "folder": "x"},
    **{"status": "finished", "axes": {"block": "plain"}, "seed": 0, "metrics": {"val_error": 1.0}},
    **{"params": 1, "macs": 1, "epochs": 1, "cause": None},
}


def put(runs: Path, folder: str, **changes: object) -> Path:
    path = runs / folder / "record.json"
    write_json(path, WHOLE | changes)
    return path


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, "plain")
    assert read_record(path) == WHOLE


def test_not_a_number_is_refused_on_writing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        put(tmp_path, "plain", seconds=math.nan)
    assert not list(tmp_path.rglob("*record*")), "a refused record leaves nothing behind"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "damaged"),
        (json.dumps(WHOLE).encode()[:100], "damaged"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "holds a list"),
        (json.dumps(WHOLE).replace('"params": 1', '"params": NaN').encode(), "NaN"),
        (json.dumps(WHOLE | {"schema": 2}).encode(), "schema 2"),
        (json.dumps({"schema": 1}).encode(), "has no identity"),
        (json.dumps(WHOLE | {"status": "fine"}).encode(), "'fine' is none of"),
    ],
)
def test_what_is_no_record_is_named_and_left_alone(tmp_path: Path, content: bytes, says: str) -> None:
    good = put(tmp_path, "good")
    bad = tmp_path / "bad" / "record.json"
    bad.parent.mkdir()
    bad.write_bytes(content)
    records, problems = read_records(tmp_path)
    assert list(records) == [WHOLE["identity"]]
    assert len(problems) == 1
    assert says in problems[0]
    assert str(bad) in problems[0]
    assert bad.read_bytes() == content
    assert good.exists()


def test_the_same_run_from_two_machines_counts_once_and_the_finished_one_wins(tmp_path: Path) -> None:
    put(tmp_path, "one", status="failed")
    put(tmp_path, "two", status="finished")
    records, problems = read_records(tmp_path)
    assert [record["folder"] for record in records.values()] == ["two"]
    assert not problems


def test_a_writer_killed_at_any_moment_leaves_the_old_record_or_the_new(tmp_path: Path) -> None:
    path = put(tmp_path, "plain", seconds=0)
    code = (
        "import sys; from pathlib import Path; from ablations.records.files import *\n"
        "p = Path(sys.argv[1]); r = read_json(p); n = 0\n"
        "while True:\n    n += 1; write_json(p, r | {'seconds': n, 'fill': 'x' * 200_000}); print(n, flush=True)"
    )
    for wait in (0.0, 0.003, 0.01, 0.02):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        process.wait()
        process.stdout.close()
        assert read_record(path)["seconds"] >= 1
    assert read_records(tmp_path)[1] == []


def test_plans_are_found_by_name_and_a_missing_one_names_the_others(tmp_path: Path) -> None:
    write_json(plan_path(tmp_path, "headline"), make_plan())
    assert plans(tmp_path) == ["headline"]
    assert read_plan(tmp_path, "headline")["name"] == "headline"
    with pytest.raises(RecordError, match="headline"):
        read_plan(tmp_path, "nosuch")


def test_an_unreadable_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "locked" / "record.json").mkdir(parents=True)
    assert "cannot be read" in read_records(tmp_path)[1][0]
