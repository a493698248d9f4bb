"""The error budget of a loop: levels that sum to 5%, one number a question, whoever asks at the same time."""

from __future__ import annotations

import json
import math
import multiprocessing
from pathlib import Path

import pytest

from ablations.elsewhere.budget import level_of, share_of
from ablations.records.files import RecordError
from tests.ablations.elsewhere.asked import BASE, DROP, GAIN, study_of, table_text


def asked(folder: Path, text: str = "", **fields: object) -> int:
    study = study_of(folder, text, **fields)
    return share_of(study.plan, study.records, folder / "budget.json").number


def test_the_levels_of_all_questions_sum_to_at_most_five_percent() -> None:
    million = math.fsum(level_of(k) for k in range(1, 1_000_001))
    rest = 0.05 / 2.10975 / math.log(1_000_001)  # ∫ dx / (x ln² x) from 1,000,001 on
    assert 0.0499 < million + rest <= 0.05
    assert all(level_of(k) > level_of(k + 1) for k in range(1, 1000))


def test_a_question_keeps_its_number_however_it_is_put(tmp_path: Path) -> None:
    assert asked(tmp_path) == 1
    assert asked(tmp_path, claims=[GAIN | {"says": "In other words."}]) == 1
    assert asked(tmp_path, claims=[GAIN | {"expect": "> 0.01"}]) == 2
    assert asked(tmp_path, seeds={"from": 3, "most": 10}) == 3
    assert asked(tmp_path, claims=[GAIN, GAIN | {"expect": "> 0.01"}]) == 4
    assert asked(tmp_path) == 1
    levels = [one["level"] for one in json.loads((tmp_path / "budget.json").read_text())["questions"]]
    assert levels == [level_of(k) for k in (1, 2, 3, 4)]


def test_more_seeds_are_the_same_question_and_other_runs_are_not(tmp_path: Path) -> None:
    assert asked(tmp_path, table_text(BASE[:3], DROP[:3])) == 1
    assert asked(tmp_path, table_text(BASE, DROP)) == 1
    assert asked(tmp_path, table_text(BASE, (*DROP[:3], 0.99))) == 2, "a run was trained until it was good"
    assert asked(tmp_path, table_text(BASE[:3], DROP[:3])) == 3, "runs that were judged are gone"
    assert asked(tmp_path, table_text(BASE[:2], DROP[:2])) == 4
    assert asked(tmp_path, table_text(BASE, DROP)) == 1
    more = "\n".join(f"{line},{number}" for number, line in enumerate(table_text(BASE, DROP).splitlines()))
    assert asked(tmp_path, more) == 1, "columns that nobody asks about do not count"


def test_a_failed_run_that_is_repeated_is_the_same_question(tmp_path: Path) -> None:
    head, failed = "model,seed,accuracy,status", "base,3,,crashed"
    rows = [f"{line},finished" for line in table_text(BASE[:3], DROP).splitlines()[1:]]
    assert asked(tmp_path, "\n".join([head, *rows, failed])) == 1
    assert asked(tmp_path, "\n".join([head, *rows, failed, "base,3,0.9,finished"])) == 1


def _ask(folder: Path, name: int) -> int:
    (folder / str(name)).mkdir()
    study = study_of(folder / str(name), claims=[GAIN | {"expect": f"> 0.{name:03d}1"}])
    return share_of(study.plan, study.records, folder / "budget.json").number


def test_who_asks_at_the_same_time_gets_a_number_of_their_own(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        numbers = pool.starmap(_ask, [(tmp_path, name) for name in range(24)], chunksize=1)
    assert sorted(numbers) == list(range(1, 25))
    assert len(json.loads((tmp_path / "budget.json").read_text())["questions"]) == 24


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": 1}', '{"schema": 1, "questions": [{"number": 2, "claims": "a", "runs": []}]}']
)
def test_a_ledger_that_is_none_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "budget.json").write_text(text)
    with pytest.raises(RecordError, match=r"budget\.json"):
        asked(tmp_path)
    assert (tmp_path / "budget.json").read_text() == text
