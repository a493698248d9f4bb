"""`compare`: cells are paired by what varies and runs by seed, and judged as the claims of a study are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from ablations.__main__ import main
from ablations.records.files import write_json
from ablations.records.record import plan_path
from tests.ablations.conftest import make_plan, make_records

GRID = {"block": ["plain", "residual"], "depth": [8, 20]}
BEFORE = {8: [1.0, 2.0, 6.0, 3.0, 4.5], 20: [10.0, 11.0, 12.0, 10.5, 13.0]}
AFTER = {8: [2.5, 3.0, 7.5, 4.0, 6.5], 20: [10.0, 11.0, 12.0, 10.5, 13.0]}
Numbers = Callable[[Mapping[str, Any], int], Any]


def of(numbers: Mapping[int, list[float]]) -> Numbers:
    return lambda axes, seed: dict(enumerate(numbers[axes["depth"]])).get(seed)


def write(runs: Path, name: str, numbers: Numbers, *, fixed: Mapping[str, Any] | None = None, **about: Any) -> None:
    """Write a study and its records; `fixed` are further axes of its cells, which make them other cells."""
    plan = make_plan(about.pop("grid", GRID), name=name, **{"seeds": range(5), **about})
    for cell in plan["cells"]:
        cell["axes"] |= fixed or {}
        for run in (*cell["runs"], *cell["further"]):
            key = "".join(map(str, (fixed or {}).values()))
            run.update(identity=f"{run['identity']}{key}", folder=f"{run['folder']}{key}")
    write_json(plan_path(runs, name), plan)
    for record in make_records(plan, numbers).values():
        write_json(runs / record["folder"] / "record.json", record)
        curve = f"epoch,train_error\n1,{record['metrics']['train_error']}\n"
        (runs / record["folder"] / "curve.csv").write_text(curve)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path, "before", of(BEFORE), fixed={"recipe": "short"})
    write(tmp_path, "after", of(AFTER), fixed={"recipe": "long"})
    return tmp_path


def compared(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["compare", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_cells_are_paired_and_their_runs_by_seed(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compared(capsys, "before", "after", "--runs", runs)
    assert [pair["cell"] for pair in found["pairs"]] == [
        {"block": block, "depth": depth} for block in ("plain", "residual") for depth in (8, 20)
    ]
    pair = found["pairs"][0]
    assert (pair["first"], pair["second"], pair["n"]) == (3.3, 4.7, 5)
    assert pair["estimate"] == pytest.approx(1.4)
    assert pair["p"] == pytest.approx(stats.ttest_rel(AFTER[8], BEFORE[8]).pvalue)
    assert pair["outcome"] == "supported"
    assert found["notes"] == [
        "what differs: recipe short → long",
        "equal in every digit, for every seed: plain 20, residual 20",
    ]
    back = compared(capsys, "after", "before", "--runs", runs)
    assert back["pairs"][0]["estimate"] == pytest.approx(-1.4)


def test_the_level_is_shared_among_the_pairs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = compared(capsys, "before", "after", "--runs", runs)["pairs"][0]
    one = compared(capsys, "before", "after", "--runs", runs, "--where", "block=plain", "depth=8")["pairs"]
    assert len(one) == 1
    assert every["p"] == one[0]["p"]
    assert every["level"] == pytest.approx(one[0]["level"] / 4)
    assert every["adjusted"] == pytest.approx(4 * one[0]["adjusted"])


def test_studies_that_add_seeds_are_compared_as_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, numbers in (("before", BEFORE), ("after", AFTER)):
        write(tmp_path, name, of(numbers), fixed={"recipe": name}, seeds={"from": 5, "most": 20})
    looked = compared(capsys, "before", "after", "--runs", tmp_path)["pairs"][0]
    for name, numbers in (("before", BEFORE), ("after", AFTER)):
        write(tmp_path, name, of(numbers), fixed={"recipe": name})
    fixed = compared(capsys, "before", "after", "--runs", tmp_path)["pairs"][0]
    assert looked["p"] == fixed["p"]
    assert looked["level"] < fixed["level"]


def test_equivalence_can_be_what_is_expected(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("before", "after", "--runs", runs, "--expect", "within 1", "--metric", "val_error")
    outcomes = [pair["outcome"] for pair in compared(capsys, *words)["pairs"]]
    assert outcomes == ["inconclusive", "supported"] * 2


def test_only_seeds_of_both_sides_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "before", of(BEFORE), fixed={"recipe": "short"})
    write(tmp_path, "after", of(AFTER), fixed={"recipe": "long"}, seeds=range(3))
    pair = compared(capsys, "before", "after", "--runs", tmp_path)["pairs"][0]
    assert (pair["first"], pair["n"]) == (3.0, 3)


def test_an_axis_that_one_side_fixes_is_paired_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "before", of(BEFORE), fixed={"recipe": "short"})
    write(tmp_path, "after", of(AFTER), fixed={"recipe": "long", "depth": 8}, grid={"block": ["plain", "residual"]})
    found = compared(capsys, "before", "after", "--runs", tmp_path)
    assert [pair["cell"]["depth"] for pair in found["pairs"]] == [8, 8]
    assert found["notes"][0] == "only in before: plain 20, residual 20"


def test_two_folders_may_hold_the_same_runs(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "other", "before", of(AFTER), fixed={"recipe": "short"})
    for metric in ("test_error", "train_error@1"):  # of the record, of a file beside it
        words = ("before", "--runs", runs, "--with-runs", tmp_path / "other", "--metric", metric)
        found = compared(capsys, *words)
        assert found["pairs"][0]["estimate"] == pytest.approx(1.4)
    assert found["second"] == f"before in {tmp_path / 'other'}"


def test_diverged_runs_count_and_infinite_means_are_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "before", of(BEFORE), fixed={"recipe": "short"})
    write(tmp_path, "after", lambda axes, seed: {"status": "diverged"}, fixed={"recipe": "long"})
    errors = compared(capsys, "before", "after", "--runs", tmp_path)["pairs"][0]
    assert (errors["second"], errors["diverged"]) == (100.0, 5)
    losses = compared(capsys, "before", "after", "--runs", tmp_path, "--metric", "test_loss")["pairs"][0]
    assert losses["second"] is None


def test_the_table_has_a_line_a_pair(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "before", "after", "--runs", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "before → after"
    (line,) = [line for line in lines if line.startswith("✓  plain 8: 3.3 → 4.7")]
    assert "+1.40" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("before",), "compare before with what? name a second study, or --with-runs DIR, or --code"),
        (("before", "before"), "both sides share their runs"),
        (("before", "aftr"), "did you mean after?"),
        (("before", "after", "--code"), "--code compares one study with itself"),
        (("before", "--code"), "type the study's command again first"),
        (("before", "after", "--metric", "speed"), "no metric 'speed'"),
        (("before", "after", "--expect", "better"), "expect is"),
        (("before", "after", "--where", "depth=9"), "nothing to compare"),
    ],
)
def test_a_mistake_is_one_sentence(
    runs: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["compare", *words, "--runs", str(runs)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_setting_that_one_side_leaves_alone_is_its_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "short", of(BEFORE), fixed={"recipe.epochs": 3})
    write(tmp_path, "usual", of(AFTER))
    notes = compared(capsys, "short", "usual", "--runs", tmp_path)["notes"]
    assert "what differs: recipe.epochs 3 → by default" in notes
