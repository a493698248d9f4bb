"""A study may compare searches on a table: each is a run with a record, and all of them are typed once."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import skipbench
from ablations.identity.run import Run
from ablations.records.epochs import read_epochs
from ablations.search.contest import Contest, SearchResult, means_of
from ablations.search.table_files import write_table
from tests import typed
from tests.ablations.search.landscape import EPOCHS, made_up
from tests.sweeps.conftest import Typed
from tests.sweeps.search.typed import plan_of, stamps

STUDY = {
    "name": "mine",
    "question": "Which search is best?",
    "tables": {"toy": "toy.csv.gz"},
    "grid": [{"table": "toy", "sampler": ["random", "local"]}, {"table": "toy", "sampler": "random", "pruner": "asha"}],
    "seeds": "range(2, 5)",
    "search": {"trials": 12, "after": [3, 6], "seeds": [0]},
    "claims": [
        {
            "says": "Local search leaves less regret than random search.",
            "metric": "test_regret_6",
            "contrast": {"plus": {"sampler": "random", "pruner": "none"}, "minus": {"sampler": "local"}},
            "expect": "> 0",
        }
    ],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("searches")
    write_table(made_up(), at / "toy.csv.gz")
    write(at)
    return at


def write(at: Path, **changed: object) -> None:
    (at / "own" / "study").mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"study": STUDY | changed})
    (at / "own" / "study" / "mine.yaml").write_text(f"# @package _global_\n{text}")


def words(at: Path) -> list[object]:
    return ["--config-dir", at / "own", "-m", "study=mine", f"runs={at / 'runs'}", "tracker=none"]


@pytest.fixture(scope="module")
def done(place: Path) -> typed.Done:
    found = typed.typed(*words(place), at=place)
    assert found.returncode == 0, found.stderr
    return found


def records(at: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(at.glob("runs/*/record.json"))]


def test_every_search_has_a_record_with_its_regret(place: Path, done: typed.Done) -> None:
    """In this table the test error is a constant away from the error that is searched by, so the regrets are equal."""
    assert len(records(place)) == 9
    for record in records(place):
        rows = read_epochs(place / "runs" / record["folder"] / "curve.csv")
        known = [row for row in rows if row["test_regret"] < 50]
        assert known[-1] is rows[-1]
        assert [row["test_regret"] for row in known] == pytest.approx([row["val_regret"] for row in known])
        assert [row["trial"] for row in rows] == [*range(1, 13)]
        metrics, then = record["metrics"], [row for row in rows if row["epochs"] <= 6 * EPOCHS]
        assert metrics["test_regret"] == rows[-1]["test_regret"] >= 0
        assert metrics["test_regret_6"] == then[-1]["test_regret"] >= metrics["test_regret"]
        assert metrics["epochs"] == rows[-1]["epochs"]
        if record["axes"]["pruner"] == "none":
            assert [row["epochs"] for row in rows] == [*range(EPOCHS, 13 * EPOCHS, EPOCHS)]
        else:
            assert metrics["epochs"] < 12 * EPOCHS


def test_it_ends_in_verdicts_a_page_and_nothing_to_do(place: Path, done: typed.Done) -> None:
    assert "Local search leaves less regret than random search." in done.stdout
    page = (place / "runs" / ".studies" / "mine" / "report.html").read_text()
    assert "What the searches found for what they trained" in page
    before = stamps(place)
    other = typed.typed(*words(place), "pruner=halving", "pruner.factor=15", at=place)
    assert "error: pruner=halving: this study compares searches; name them in its grid" in other.stderr
    again = typed.typed(*words(place), at=place)
    assert "0 to train, 9 reused" in again.stdout
    assert stamps(place) == before
    assert {run["seed"] for cell in plan_of(place)["cells"] for run in cell["runs"]} == {2, 3, 4}


def test_a_killed_one_goes_on_and_ends_as_if_it_had_not_been(place: Path, done: typed.Done, tmp_path: Path) -> None:
    (tmp_path / "toy.csv.gz").write_bytes((place / "toy.csv.gz").read_bytes())
    write(tmp_path)
    begun = typed.start(*words(tmp_path), at=tmp_path)
    limit = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/record.json")) and time.monotonic() < limit:
        time.sleep(0.05)
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()
    assert typed.typed(*words(tmp_path), at=tmp_path).returncode == 0

    found, whole = ({one["folder"]: one["metrics"] for one in records(at)} for at in (tmp_path, place))
    assert found == whole


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"tables": {"toy": "tay.csv.gz"}}, "study.tables: there is no file tay.csv.gz"),
        ({"grid": {"table": "toy", "sampler": "tbe"}}, "no sampler 'tbe'; did you mean tpe?"),
        ({"grid": {"table": "tox", "sampler": "tpe"}}, "table=tox is none of study.tables; did you mean toy?"),
        (
            {"grid": {"table": "toy", "block": "plain"}},
            "a simulated search has no axis block; there are table",
        ),
        ({"seeds": {"from": 3, "most": 9}}, "are compared with a fixed list of seeds"),
        ({"search": {"trials": 12, "after": [0]}}, "search.after: 0 is no number of trainings"),
        ({"search": {"trials": 12, "seeds": "turns"}}, "search.seeds: turns is neither 'in turn' nor a list"),
        ({"search": {"seeds": [9]}, "claims": []}, "the table made-up does not have this space: it lacks seed 9"),
        ({"search": {"trials": 12, "trails": 3}}, "search: unknown field 'trails'; did you mean trials?"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_nothing(
    changed: dict[str, object], sentence: str, place: Path, tmp_path: Path, refused: Typed
) -> None:
    (tmp_path / "toy.csv.gz").write_bytes((place / "toy.csv.gz").read_bytes())
    write(tmp_path, **changed)
    assert sentence in refused(*map(str, words(tmp_path)))


@pytest.mark.parametrize(
    ("search", "axes", "words"),
    [
        ({"trials": "some"}, {}, "trials=some must be a whole number"),
        ({"after": "some"}, {}, "search.after: some is no number of trainings"),
        ({"constraints": ["params <= 1"]}, {}, "no network can be trained: not params <= 1"),
        ({"objectives": ["val_loss"]}, {}, "it lacks metric val_loss"),
        ({"prune_by": "seeds"}, {"pruner": "halving"}, "this pruner counts epochs"),
        ({}, {"pruner": "halving", "pruner.factor": "x"}, "pruner.factor=x must be a whole number"),
        ({}, {"pruner": "percentile", "pruner.percentile": "x"}, "PercentilePruner: "),
        ({}, {"workers": 0}, "workers=0 must be a whole number"),
    ],
)
def test_what_no_table_can_carry_out_is_met_before_any_search(
    search: dict[str, Any], axes: dict[str, Any], words: str, place: Path
) -> None:
    def tried() -> None:
        contest = Contest.read({"tables": {"toy": place / "toy.csv.gz"}, "search": search})
        contest.try_out(contest.run({"table": "toy", **axes}), made_up())

    with pytest.raises(ValueError, match=words):
        tried()


@pytest.mark.parametrize("seeds", ["in turn", [1]])
def test_searches_see_the_seeds_of_a_table_in_turn_or_those_that_are_named(seeds: object) -> None:
    contest = Contest({"toy": Path("toy.csv.gz")}, {"trials": 9, "after": [], "seeds": seeds})
    for seed, seen in enumerate([0, 1, 0] if seeds == "in turn" else [1, 1]):
        run = Run({"table": "toy", "sampler": "random", "trials": 9}, seed, config={})
        expected = skipbench.simulate(made_up(), sampler="random", trials=9, seed=seed, seeds=[seen])
        assert contest.carry_out(run, made_up()) == SearchResult.of(expected, made_up(), "val_error", [])


def test_an_option_of_a_pruner_may_be_an_axis(place: Path) -> None:
    contest = Contest({"toy": place / "toy.csv.gz"}, {"trials": 12, "after": [], "seeds": [0]})
    runs = [contest.run({"table": "toy", "pruner": "halving", "pruner.factor": factor}) for factor in (2, 3)]
    two, three = (contest.carry_out(run, made_up()).metrics["epochs"] for run in runs)
    assert two > three
    assert runs[0].identity != runs[1].identity
    assert runs[1].config == contest.run({"table": "toy", "pruner": "halving"}).config, "3 is its default"
    with pytest.raises(ValueError, match="pruner=halving has no option factr; did you mean factor"):
        contest.run({"table": "toy", "pruner": "halving", "pruner.factr": 2})


def test_where_no_trial_has_ended_yet_nothing_is_found() -> None:
    """A trial of two seeds costs two trainings, so that after one there is no network: all are wrong."""
    table = made_up()
    trials = skipbench.simulate(table, sampler="random", trials=4, seeds=[0, 1])
    found = SearchResult.of(trials, table, "val_error", [1, 2]).metrics
    least = min(means_of(table, "test_error"))
    assert found["test_regret_1"] == pytest.approx(100 - least)
    assert found["test_regret_2"] < found["test_regret_1"]
