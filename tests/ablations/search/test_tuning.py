"""With a real journal, every trial is trained exactly once, and suggestions do not depend on the worker."""

import functools
import json
import multiprocessing
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from ablations.question.search_space import Search, read_search
from ablations.question.study import StudyError
from ablations.records.record import plan_path
from ablations.search.storage import open_storage
from ablations.search.trials import trial_folder, write_trial
from ablations.search.tuning import Tuning, check_sampler, seeded, suggest

ROOT = Path(__file__).parents[3]
SAMPLERS = {path.stem: path for path in sorted((ROOT / "conf" / "sampler").glob("*.yaml"))}
SPACE = {"block": ["plain", "residual"], "depth": {"low": 8, "high": 32, "step": 6}, "lr": {"low": 0.01, "high": 1.0}}
BLANK = {
    **{"tuning": "t", "point": {}, "suggested": {}, "cell": None, "label": None},
    **{"runs": [], "values": {}, "constraints": {}},
}
NO_PRUNER = optuna.pruners.NopPruner()


def sampler(name: str) -> Any:
    said = yaml.safe_load(SAMPLERS[name].read_text())
    kind = getattr(optuna.samplers, said.pop("_target_").rpartition(".")[2])
    del said["_partial_"]
    return functools.partial(kind, **said)


def tuning(runs: Path, search: Search, *, by: str = "tpe", storage: Any = None) -> Tuning:
    storage = storage or open_storage("journal", runs, "s")
    return Tuning(storage, runs, "s", "t", search, sampler=sampler(by), pruner=NO_PRUNER)


def a_search(trials: int = 12, **more: Any) -> Search:
    return read_search({"space": SPACE, "search": {"trials": trials, **more}})


def value_of(point: dict[str, Any]) -> float:
    return point["depth"] * abs(point["lr"] - 0.3)


def carry_out(one: Tuning, most: int = 1000) -> list[dict[str, Any]]:
    points = []
    for number in one.unfinished()[:most]:
        with one.acquire(number) as trial:
            if trial is not None:
                point = {axis: suggest(trial, axis, options) for axis, options in one.search.space.items()}
                one.tell(trial, {"state": "complete", "values": {"val_error": value_of(point)}})
                points.append(point)
    return points


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_shipped_sampler_suggests_what_the_space_allows(tmp_path: Path, name: str) -> None:
    search = a_search(10)
    check_sampler(search, sampler(name))
    one = tuning(tmp_path, search, by=name)
    one.enqueue_missing()
    for number in one.unfinished():
        with one.acquire(number) as trial:
            assert trial is not None
            point = {axis: suggest(trial, axis, options) for axis, options in search.space.items()}
            assert point["block"] in ("plain", "residual")
            assert point["depth"] in (8, 14, 20, 26, 32)
            assert 0.01 <= point["lr"] <= 1.0
            one.tell(trial, {"state": "complete", "values": {"val_error": float(point["depth"])}})


def test_a_sampler_that_cannot_do_it_says_so_before_anything_is_trained() -> None:
    with pytest.raises(StudyError, match=r"this sampler cannot search this space: FloatDistribution\.step"):
        check_sampler(a_search(), optuna.samplers.BruteForceSampler)
    with pytest.raises(StudyError, match="multi-objective"):
        check_sampler(a_search(objectives=["val_error", "macs"]), sampler("cmaes"))


def test_a_search_in_pieces_suggests_what_a_whole_one_does(tmp_path: Path) -> None:
    whole = tuning(tmp_path / "whole", a_search())
    whole.enqueue_missing()
    expected = carry_out(whole)
    pieces: list[dict[str, Any]] = []
    for _ in range(4):
        again = tuning(tmp_path / "pieces", a_search())
        again.enqueue_missing()
        pieces += carry_out(again, most=3)
    assert pieces == expected
    assert len({str(point) for point in expected}) > 6


def test_two_tunings_with_the_same_seed_begin_with_the_same_suggestions(tmp_path: Path) -> None:
    storage = open_storage("journal", tmp_path, "s")
    points = []
    for name in ("plain", "residual"):
        one = Tuning(storage, tmp_path, "s", name, a_search(), sampler=sampler("tpe"), pruner=NO_PRUNER)
        one.enqueue_missing()
        points.append(carry_out(one, most=10))
    assert points[0] == points[1]
    other = tuning(tmp_path / "other", a_search(seed=1))
    other.enqueue_missing()
    assert carry_out(other, most=10) != points[0]


def test_more_trials_are_added_and_none_is_carried_out_again(tmp_path: Path) -> None:
    for asked, new in ((4, 4), (4, 0), (7, 3)):
        one = tuning(tmp_path, a_search(asked))
        one.enqueue_missing()
        assert len(carry_out(one)) == new
        assert len(one.study.get_trials()) == asked


def test_a_trial_whose_worker_died_is_taken_up_with_its_choices(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(2))
    one.enqueue_missing()
    first = one.unfinished()[0]
    with one.acquire(first) as trial:
        assert trial is not None
        chosen = suggest(trial, "lr", one.search.space["lr"])
        with one.acquire(first) as other:
            assert other is None, "one process at a time"
    again = tuning(tmp_path, a_search(2))
    again.enqueue_missing()
    assert again.unfinished() == [0, 1]
    with again.acquire(first) as trial:
        assert trial is not None
        assert suggest(trial, "lr", one.search.space["lr"]) == chosen
        again.tell(trial, {"state": "failed", "values": {}})
    with again.acquire(first) as trial:
        assert trial is None, "finished is finished"


def test_failed_trials_are_tried_again_once_with_the_same_choices(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(3))
    one.enqueue_missing()
    with one.acquire(0) as trial:
        assert trial is not None
        lr = suggest(trial, "lr", one.search.space["lr"])
        write_trial(trial_folder(tmp_path, "s", "t", 0), {**BLANK, "number": 0, "state": "failed"})
        one.tell(trial, {"state": "failed", "values": {}})
    assert [again["number"] for again in one.retry("failed")] == [0]
    assert one.retry("failed") == one.retry("diverged") == []
    one.enqueue_missing()
    assert len(one.study.get_trials()) == 4
    assert lr in [point["lr"] for point in carry_out(one)]


def test_a_torn_or_garbled_last_line_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(4))
    one.enqueue_missing()
    carry_out(one, most=2)
    journal = plan_path(tmp_path, "s").with_name("journal.log")
    whole = journal.read_bytes()
    for tail in (b'{"op_code": 4, "worker', b"\x00\x00garbage\n", b"[1, 2]\n"):
        journal.write_bytes(whole + tail)
        again = tuning(tmp_path, a_search(4))
        assert [t.state.name for t in again.study.get_trials()] == ["COMPLETE", "COMPLETE", "WAITING", "WAITING"]
        again.study.set_user_attr("written", True)
        whole = journal.read_bytes()
        assert all(isinstance(json.loads(line), dict) for line in whole.splitlines())


def test_a_lost_journal_is_made_again_from_the_trials_files(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(4))
    one.enqueue_missing()
    for number in one.unfinished()[:2]:
        with one.acquire(number) as trial:
            assert trial is not None
            point = {axis: suggest(trial, axis, options) for axis, options in one.search.space.items()}
            outcome = {**BLANK, "number": trial.number, "state": "complete", "values": {"val_error": value_of(point)}}
            outcome["suggested"] = dict(trial.params)
            write_trial(trial_folder(tmp_path, "s", "t", trial.number), outcome)
            one.tell(trial, outcome)
    before = [(trial.params, trial.values, trial.state) for trial in one.study.get_trials()]
    plan_path(tmp_path, "s").with_name("journal.log").unlink()
    again = tuning(tmp_path, a_search(4))
    again.enqueue_missing()
    assert [(trial.params, trial.values, trial.state) for trial in again.study.get_trials()] == before


def test_sqlite_is_refused_and_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="SQLite hands one trial to two workers"):
        open_storage("sqlite:///x.db", tmp_path, "s")
    with pytest.raises(StudyError, match=r"storage=postgresql.* cannot be opened"):
        open_storage("postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path, "s")


def test_a_sampler_with_a_seed_of_its_own_keeps_it() -> None:
    assert seeded(functools.partial(optuna.samplers.QMCSampler, seed=7), 3)._seed == 7


def _work(runs: Path, where: str, trials: int) -> None:
    one = tuning(runs, a_search(trials), storage=open_storage(where, runs, "s"))
    one.enqueue_missing()
    while one.unfinished():
        carry_out(one)


def work_together(runs: Path, where: str, *, processes: int, trials: int) -> list[Any]:
    """Let several processes carry out one search; its trials."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(runs, where, trials)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    storage = open_storage(where, runs, "s")
    trials_told = tuning(runs, a_search(trials), storage=storage).study.get_trials()
    if isinstance(storage, optuna.storages.RDBStorage):
        storage.remove_session()
        storage.engine.dispose()
    return trials_told


def test_four_processes_carry_out_every_trial_of_a_journal_once(tmp_path: Path) -> None:
    trials = work_together(tmp_path, "journal", processes=4, trials=24)
    assert [trial.number for trial in trials] == list(range(24))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
