"""The best of every rung go on, whoever asks, in whatever pieces; samplers learn from what is paused."""

import random
from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ablations.question.search_space import Search, read_search
from ablations.records.layout import CHECKPOINT
from ablations.search.halving import Halving, paused
from ablations.search.space import Space
from ablations.search.trials import epochs_words, read_trials, trial_folder, write_trial
from ablations.search.tuning import Tuning

SPACE = {"x": {"low": 0.0, "high": 1.0}}
LAST = 20  # epochs of the recipe; rungs at 1, 3 and 9


def search(trials: int) -> Search:
    return read_search({"space": SPACE, "search": {"trials": trials}})


def opened(runs: Path, trials: int, *, storage: Any = None, sampler: Any = None, **how: int) -> Tuning:
    asked = search(trials)
    space = Space(asked.space, {}, lambda axis, point: True)
    storage = storage or optuna.storages.InMemoryStorage()
    by = sampler or optuna.samplers.RandomSampler
    one = Tuning(storage, runs, "s", "t", asked, space, sampler=by, pruner=Halving(**how))
    one.begin()
    return one


def curve(number: int, epoch: int) -> float:
    """Made up: two curves may cross."""
    return random.Random(number).random() + random.Random(1000 + number).random() / epoch


def reported(one: Tuning, number: int) -> list[tuple[int, float]]:
    return sorted(one.study.trials[number].intermediate_values.items())


def train(one: Tuning, number: int, *, killed_at: int = 0) -> None:
    """Train a suggestion until it pauses or ends; where it is killed it has reported, and no more."""
    with one.acquire(number) as trial:
        assert trial is not None
        until = one.until(number) or LAST
        point: dict[str, Any] = {}
        one.space.choose(trial, point)
        done = dict(reported(one, number))
        for epoch in range(1, min(until, LAST) + 1):
            if epoch not in done:
                trial.report(curve(number, epoch), epoch)
            if epoch == killed_at:
                return
        outcome = {"tuning": "t", "number": number, "point": point, "suggested": point, "cell": str(number)}
        outcome |= {"label": str(number), "runs": [{"folder": f"run{number}"}], "values": {}, "constraints": {}}
        outcome |= {"reported": reported(one, number), "epochs": LAST}
        if until < LAST:
            outcome |= {"state": "paused", "paused": until}
            checkpoint = one.runs / f"run{number}" / CHECKPOINT
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.touch()
        else:
            outcome |= {"state": "complete", "values": {"val_error": curve(number, LAST)}}
        write_trial(trial_folder(one.runs, "s", "t", number), outcome)
        one.tell(trial, outcome)


def carry_out(one: Tuning, *, kills: random.Random | None = None) -> list[dict[str, Any]]:
    """One worker until nothing is left, then the end of the search."""
    while one.unfinished() or one.queue_next():
        number = one.unfinished()[0]
        train(one, number, killed_at=kills.choice((0, 1, 2, 3)) if kills else 0)
    one.end_paused()
    return read_trials(one.runs, "s", ["t"])[0]


def reached(trials: list[dict[str, Any]], epoch: int) -> dict[int, float]:
    return {t["number"]: dict(t["reported"])[epoch] for t in trials if epoch in dict(t["reported"])}


@pytest.mark.parametrize("count", [1, 4, 9, 25])
@pytest.mark.parametrize("factor", [2, 3])
def test_of_every_rung_the_best_go_on_and_the_rest_end_pruned(tmp_path: Path, count: int, factor: int) -> None:
    one = opened(tmp_path, count, factor=factor)
    trials = carry_out(one)
    rung, before = 1, len(trials)
    assert before == count
    while rung < LAST:
        here, above = reached(trials, rung), reached(trials, min(rung * factor, LAST))
        best = sorted(here, key=lambda number: (here[number], number))[: ceil(len(here) / factor)]
        assert set(best) <= set(above) <= set(here), "the best, and who was among them before others came"
        assert all(len(t["reported"]) == rung for t in trials if t["number"] in set(here) - set(above))
        rung *= factor
    states = Counter(t["state"] for t in trials)
    assert set(states) <= {"complete", "pruned"}
    assert states["complete"] == len(reached(trials, LAST)) >= 1
    assert {t.number: t.state for t in one.study.trials} == {
        t["number"]: TrialState.COMPLETE if t["state"] == "complete" else TrialState.PRUNED for t in trials
    }
    left = {t["number"] for t in trials if t["state"] == "pruned"}
    assert not [number for number in left if (tmp_path / f"run{number}" / CHECKPOINT).exists()]
    trained = sum(len(t["reported"]) for t in trials)
    assert epochs_words(trials, 1) == (f"{trained} of {count * LAST} epochs" if left else "")
    assert count < 9 or trained < 0.6 * count * LAST


def test_killed_again_and_again_the_same_trials_go_on(tmp_path: Path) -> None:
    whole = carry_out(opened(tmp_path / "whole", 12))
    assert carry_out(opened(tmp_path / "killed", 12), kills=random.Random(0)) == whole


def test_all_at_once_it_is_successive_halving(tmp_path: Path) -> None:
    """All are paused at the first rung before one goes on, as with very many workers: exactly ⌈n / 3⌉ go on."""
    one = opened(tmp_path, 10)
    for _ in range(10):
        one.study.enqueue_trial({})
    for number in reversed(range(10)):
        train(one, number)
    trials = carry_out(one)
    assert [len(reached(trials, epoch)) for epoch in (1, 3, 9, LAST)] == [10, 4, 2, 1]


def test_who_is_under_way_below_is_waited_for(tmp_path: Path) -> None:
    one = opened(tmp_path, 4)
    for _ in range(4):
        one.study.enqueue_trial({})
    for number in (0, 1):
        train(one, number)
    assert not one.goes_on(), "of two, ⌊2 / 3⌋ go on"
    with one.acquire(0) as trial:
        assert trial is None, "paused since it was listed"
    train(one, 2, killed_at=1)
    assert one.goes_on(), "of three, one"
    one.end_paused()
    assert paused(one.study).keys() == {0, 1}, "the search is not over"


def test_lost_storage_is_rebuilt_with_what_is_paused(tmp_path: Path) -> None:
    whole = carry_out(opened(tmp_path / "whole", 9))
    one = opened(tmp_path / "lost", 9)
    while len(one.study.trials) < 7:
        assert one.unfinished() or one.queue_next()
        train(one, one.unfinished()[0])
    again = opened(tmp_path / "lost", 9)
    assert paused(again.study) == paused(one.study)
    assert len(paused(again.study)) > 3
    assert carry_out(again) == whole


def test_brackets_begin_later_and_are_halved_by_themselves(tmp_path: Path) -> None:
    trials = carry_out(opened(tmp_path, 18, brackets=3))
    for bracket, first in enumerate((1, 3, 9)):
        own = [t for t in trials if t["number"] % 3 == bracket]
        assert min(len(t["reported"]) for t in own) == first
        assert max(len(t["reported"]) for t in own) == LAST


def test_a_sampler_learns_from_paused_trials(tmp_path: Path) -> None:
    seen: list[Counter[TrialState]] = []

    class Watching(optuna.samplers.RandomSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            seen.append(Counter(one.state for one in study.get_trials(deepcopy=False)))
            return super().infer_relative_search_space(study, trial)

    one = opened(tmp_path, 2, sampler=Watching)
    carry_out(one)
    assert seen[1] == {TrialState.PRUNED: 1, TrialState.RUNNING: 1}
    assert one.study.trials[0].values is not None


@pytest.mark.parametrize("how", [{"factor": 1}, {"min_epochs": 0}, {"min_epochs": 1.5}, {"brackets": True}])
def test_a_mistake_is_named(how: dict[str, Any]) -> None:
    ((name, value),) = how.items()
    with pytest.raises(ValueError, match=rf"pruner\.{name}={value} must be a whole number"):
        Halving(**how)
