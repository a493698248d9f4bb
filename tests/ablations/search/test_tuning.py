"""With a real journal, every trial is trained exactly once, and suggestions do not depend on the worker."""

import functools
import json
import multiprocessing
import pkgutil
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from ablations.question.search_space import Search, read_search
from ablations.question.study import StudyError
from ablations.records.record import plan_path
from ablations.search.space import Space
from ablations.search.storage import open_storage
from ablations.search.suggestions import IN_VAIN, check_sampler, repeated, seeded
from ablations.search.trials import UNCOUNTED, read_warm_start, trial_folder, write_trial
from ablations.search.tuning import Tuning

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
    kind = pkgutil.resolve_name(said.pop("_target_"))
    del said["_partial_"]
    return functools.partial(kind, **said)


def tuning(
    runs: Path, search: Search, *, by: str = "tpe", storage: Any = None, known: Any = (), name: str = "t"
) -> Tuning:
    storage = storage or open_storage("journal", runs, "s")
    space = Space(search.space, {}, lambda axis, point: True)
    one = Tuning(storage, runs, "s", name, search, space, sampler=sampler(by), pruner=NO_PRUNER)
    one.begin(known)
    return one


def a_search(trials: int = 12, *, space: Any = None, **more: Any) -> Search:
    return read_search({"space": space or SPACE, "search": {"trials": trials, **more}})


def value_of(point: dict[str, Any]) -> float:
    return point["depth"] * abs(point.get("lr", 1.0) - 0.3)


def take(one: Tuning, allowed: Any = lambda point: True) -> dict[str, Any] | None:
    """Carry out one suggestion, whose cell is its point; None where there is none to carry out."""
    if not one.unfinished() and not one.queue_next():
        return None
    for number in one.unfinished():
        with one.acquire(number) as trial:
            if trial is not None:
                point: dict[str, Any] = {}
                one.space.choose(trial, point)
                outcome = {**BLANK, "tuning": one.name, "number": number, "point": point, "cell": str(point)}
                outcome |= {"suggested": dict(trial.params)}
                if not allowed(point):
                    outcome |= {"state": "infeasible", "cause": f"depth={point['depth']}"}
                elif (same := one.claim_cell(trial, outcome["cell"])) is not None:
                    outcome |= repeated(one.search, same)
                else:
                    outcome |= {"state": "complete", "values": {"val_error": value_of(point)}}
                write_trial(trial_folder(one.runs, "s", one.name, number), outcome)
                one.tell(trial, outcome)
                return outcome
    return {}


def carry_out(one: Tuning, most: int = 1000, allowed: Any = lambda point: True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < most and (outcome := take(one, allowed)) is not None:
        found += [outcome] if outcome else []
    return found


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_shipped_sampler_suggests_what_the_space_allows(tmp_path: Path, name: str) -> None:
    search = a_search(10)
    check_sampler(search, sampler(name))
    outcomes = carry_out(tuning(tmp_path, search, by=name))
    assert sum(outcome["state"] == "complete" for outcome in outcomes) == 10
    for point in (outcome["point"] for outcome in outcomes):
        assert point["block"] in ("plain", "residual")
        assert point["depth"] in (8, 14, 20, 26, 32)
        assert 0.01 <= point["lr"] <= 1.0


def test_a_sampler_that_cannot_do_it_says_so_before_anything_is_trained() -> None:
    with pytest.raises(StudyError, match=r"this sampler cannot search this space: FloatDistribution\.step"):
        check_sampler(a_search(), optuna.samplers.BruteForceSampler)
    with pytest.raises(StudyError, match="multi-objective"):
        check_sampler(a_search(objectives=["val_error", "macs"]), sampler("cmaes"))


def test_a_search_in_pieces_suggests_what_a_whole_one_does(tmp_path: Path) -> None:
    def odd(point: dict[str, Any]) -> bool:
        return point["depth"] != 20

    expected = carry_out(tuning(tmp_path / "whole", a_search()), allowed=odd)
    pieces: list[dict[str, Any]] = []
    for asked in (3, 3, 12, 12, 12, 12, 12):
        pieces += carry_out(tuning(tmp_path / "pieces", a_search(asked)), most=3, allowed=odd)
    assert [one["point"] for one in pieces] == [one["point"] for one in expected]
    states = Counter(one["state"] for one in expected)
    assert states["complete"] == 12
    assert states["infeasible"] > 0


def test_two_tunings_with_the_same_seed_begin_with_the_same_suggestions(tmp_path: Path) -> None:
    storage = open_storage("journal", tmp_path, "s")
    first, second = (
        [one["point"] for one in carry_out(tuning(tmp_path, a_search(), storage=storage, name=name), most=10)]
        for name in ("plain", "residual")
    )
    assert first == second
    other = carry_out(tuning(tmp_path / "other", a_search(seed=1)), most=10)
    assert [one["point"] for one in other] != first


def test_more_trials_are_added_and_none_is_carried_out_again(tmp_path: Path) -> None:
    for asked, new in ((4, 4), (4, 0), (7, 3)):
        one = tuning(tmp_path, a_search(asked))
        assert len(carry_out(one)) == new
        assert len(one.study.get_trials()) == asked


TWELVE = {"block": ["plain", "residual"], "depth": {"low": 8, "high": 43, "step": 7}}


@pytest.mark.parametrize("name", ["tpe", "random", "nsgaii", "qmc"])
def test_what_is_infeasible_or_repeated_uses_up_no_trial_and_a_small_space_ends(tmp_path: Path, name: str) -> None:
    def even(point: dict[str, Any]) -> bool:
        return point["depth"] % 2 == 0

    one = tuning(tmp_path, a_search(5, space=TWELVE), by=name)
    outcomes = carry_out(one, allowed=even)
    assert Counter(outcome["state"] for outcome in outcomes if outcome["state"] not in UNCOUNTED) == {"complete": 5}
    assert outcomes[-1]["state"] == "complete"
    assert one.why_ended() is None
    more = tuning(tmp_path, a_search(50, space=TWELVE), by=name)
    outcomes += carry_out(more, allowed=even)
    trained = [outcome["cell"] for outcome in outcomes if outcome["state"] == "complete"]
    assert len(trained) == len({*trained}) == 6, "each point that can be built, once"
    assert more.why_ended() == "all 12 points were tried"
    assert len(outcomes) < 12 * 7, "a sampler that repeats itself is helped"
    assert carry_out(tuning(tmp_path, a_search(50, space=TWELVE), by=name)) == []


def test_a_search_that_finds_nothing_to_train_ends_and_says_why(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(4), by="random")
    outcomes = carry_out(one, allowed=lambda point: False)
    causes = Counter(outcome["cause"] for outcome in outcomes)
    assert len(outcomes) == IN_VAIN
    assert (
        one.why_ended() == f"{IN_VAIN} suggestions in a row used up no trial; most often: {causes.most_common(1)[0][0]}"
    )


def test_what_is_known_is_told_once_and_is_a_trial_like_any_other(tmp_path: Path) -> None:
    points = [{"block": "plain", "depth": depth} for depth in (8, 15, 22, 29)]
    known = [
        {**BLANK, "number": k, "state": "complete", "warm_start": True, "point": point, "suggested": point}
        | {"cell": str(point), "values": {"val_error": value_of(point)}}
        for k, point in enumerate(points)
    ]
    one = tuning(tmp_path, a_search(5, space=TWELVE), known=known[:3])
    assert [trial.params for trial in one.study.get_trials()] == points[:3]
    assert {trial.state.name for trial in one.study.get_trials()} == {"COMPLETE"}
    again = tuning(tmp_path, a_search(5, space=TWELVE), known=known)
    assert len(again.study.get_trials()) == 3, "what was there when it began is what counts"
    outcomes = carry_out(again)
    trained = [outcome["point"] for outcome in outcomes if outcome["state"] == "complete"]
    assert len(trained) == 5
    assert not [point for point in trained if point in points[:3]]
    plan_path(tmp_path, "s").with_name("journal.log").unlink()
    restored = tuning(tmp_path, a_search(5, space=TWELVE))
    assert [trial.params for trial in restored.study.get_trials()][:3] == points[:3]
    assert carry_out(restored) == []
    assert len(read_warm_start(tmp_path, "s", "t") or []) == 3


def test_a_search_killed_while_it_is_told_what_is_known_is_told_the_rest(tmp_path: Path) -> None:
    known = [
        {
            **BLANK,
            "number": k,
            "state": "complete",
            "warm_start": True,
            "suggested": {"block": "plain", "depth": 8 + 7 * k},
        }
        | {"cell": str(k), "values": {"val_error": float(k)}}
        for k in range(4)
    ]
    one = tuning(tmp_path, a_search(2, space=TWELVE), known=known)
    journal = plan_path(tmp_path, "s").with_name("journal.log")
    lines = journal.read_bytes().splitlines(keepends=True)
    told = [k for k, line in enumerate(lines) if b'"params"' in line]
    journal.write_bytes(b"".join(lines[: told[1] + 1]))
    again = tuning(tmp_path, a_search(2, space=TWELVE), known=[])
    assert [trial.values for trial in again.study.get_trials()] == [trial.values for trial in one.study.get_trials()]


def test_a_trial_whose_worker_died_is_taken_up_with_its_choices(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(2))
    assert one.queue_next()
    (first,) = one.unfinished()
    with one.acquire(first) as trial:
        assert trial is not None
        chosen: dict[str, Any] = {}
        one.space.choose(trial, chosen)
        with one.acquire(first) as other:
            assert other is None, "one process at a time"
    again = tuning(tmp_path, a_search(2))
    assert again.unfinished() == [0]
    with again.acquire(first) as trial:
        assert trial is not None
        same: dict[str, Any] = {}
        one.space.choose(trial, same)
        assert same == chosen
        again.tell(trial, {"state": "failed", "values": {}})
    with again.acquire(first) as trial:
        assert trial is None, "finished is finished"


def test_failed_trials_are_tried_again_once_with_the_same_choices(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(3))
    assert one.queue_next()
    with one.acquire(0) as trial:
        assert trial is not None
        point: dict[str, Any] = {}
        one.space.choose(trial, point)
        write_trial(trial_folder(tmp_path, "s", "t", 0), {**BLANK, "number": 0, "state": "failed"})
        one.tell(trial, {"state": "failed", "values": {}, "cell": str(point)})
    assert [again["number"] for again in one.retry("failed")] == [0]
    assert one.retry("failed") == one.retry("diverged") == []
    outcomes = carry_out(one)
    assert [outcome["state"] for outcome in outcomes] == ["complete"] * 3
    assert outcomes[0]["point"] == point
    assert len(one.study.get_trials()) == 4


def test_a_torn_or_garbled_last_line_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(4))
    carry_out(one, most=2)
    assert one.queue_next()
    journal = plan_path(tmp_path, "s").with_name("journal.log")
    whole = journal.read_bytes()
    for tail in (b'{"op_code": 4, "worker', b"\x00\x00garbage\n", b"[1, 2]\n"):
        journal.write_bytes(whole + tail)
        again = tuning(tmp_path, a_search(4))
        assert [t.state.name for t in again.study.get_trials()] == ["COMPLETE", "COMPLETE", "WAITING"]
        again.study.set_user_attr("written", True)
        whole = journal.read_bytes()
        assert all(isinstance(json.loads(line), dict) for line in whole.splitlines())


def test_a_lost_journal_is_made_again_from_the_trials_files(tmp_path: Path) -> None:
    one = tuning(tmp_path, a_search(6))
    carry_out(one, most=4)
    before = [(trial.params, trial.values, trial.state) for trial in one.study.get_trials()]
    plan_path(tmp_path, "s").with_name("journal.log").unlink()
    under_way = trial_folder(tmp_path, "s", "t", 1) / "trial.json"
    under_way.write_text(under_way.read_text().replace('"complete"', '"running"'))
    again = tuning(tmp_path, a_search(6))
    told = [(trial.params, trial.values, trial.state) for trial in again.study.get_trials()]
    assert [told[0], *told[2:]] == [before[0], *before[2:]]
    assert again.unfinished() == [1]
    assert carry_out(again)[0]["suggested"] == before[1][0], "what was under way keeps its number and its choices"
    assert [trial.number for trial in again.study.get_trials()] == list(range(6))


def test_sqlite_is_refused_and_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="SQLite hands one trial to two workers"):
        open_storage("sqlite:///x.db", tmp_path, "s")
    with pytest.raises(StudyError, match=r"storage=postgresql.* cannot be opened"):
        open_storage("postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path, "s")


def test_a_sampler_with_a_seed_of_its_own_keeps_it() -> None:
    assert seeded(functools.partial(optuna.samplers.QMCSampler, seed=7), 3)._seed == 7


def _work(runs: Path, where: str, trials: int) -> None:
    one = tuning(runs, a_search(trials), storage=open_storage(where, runs, "s"))
    while one.left() or one.unfinished() or one.undecided():
        take(one, lambda point: point["depth"] != 14)


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
    exactly(24, work_together(tmp_path, "journal", processes=4, trials=24))


def exactly(wanted: int, trials: list[Any]) -> None:
    """Assert that so many trials were carried out, each of its own cell, beside what was infeasible."""
    assert [trial.number for trial in trials] == list(range(len(trials)))
    states = Counter(trial.user_attrs["state"] for trial in trials)
    assert states["complete"] == wanted
    assert states["infeasible"] == len(trials) - wanted > 0
    cells = [trial.user_attrs["cell"] for trial in trials if trial.user_attrs["state"] == "complete"]
    assert len(cells) == len({*cells})
