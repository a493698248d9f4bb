"""Samplers of whole points: Optuna's own sampler tests, and laws over small spaces that are known in full."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.testing import pytest_samplers

from ablations.search.additive import AdditiveGP
from ablations.search.evolution import RegularizedEvolution
from ablations.search.local import LocalSearch
from ablations.search.points import scalarized

SAMPLERS = {"local": LocalSearch, "evolution": RegularizedEvolution, "additive": AdditiveGP}
EAGER = {
    name: functools.partial(kind, **({"population_size": 3} if name == "evolution" else {"n_startup_trials": 3}))
    for name, kind in SAMPLERS.items()
}
Sampler = Callable[..., optuna.samplers.BaseSampler]
Point = dict[str, Any]
DEPTHS, RATES = [14, 8, 20], [0.3, 1, 0.1]  # in no order


@pytest.fixture(params=SAMPLERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


class TestContract(
    pytest_samplers.BasicSamplerTestCase,
    pytest_samplers.RelativeSamplerTestCase,
    pytest_samplers.MultiObjectiveSamplerTestCase,
):
    @pytest.fixture
    def sampler(self, name: str) -> Sampler:
        return functools.partial(SAMPLERS[name], seed=0)


def conditional(trial: Any) -> Point:
    """Ask for a point of a space of 27: plain has no shortcut, only highway a gate_bias."""
    block = trial.suggest_categorical("block", ["plain", "residual", "highway"])
    point = {"block": block, "depth": trial.suggest_categorical("depth", DEPTHS)}
    if block != "plain":
        point["shortcut"] = trial.suggest_categorical("shortcut", ["A", "B"])
    if block == "highway":
        point["gate_bias"] = trial.suggest_int("gate_bias", -3, -1)
    return point


def loss_of(point: Point) -> float:
    losses = {"block": {"plain": 9, "residual": 4, "highway": 2}, "shortcut": {"A": 1, "B": 0}}
    rest = abs(point["depth"] - 20) / 6 + abs(point.get("gate_bias", -2) + 2)
    return losses["block"][point["block"]] + losses["shortcut"][point.get("shortcut", "A")] + rest


def search(
    sampler: Sampler, trials: int, *, ask: Any = conditional, loss: Any = loss_of, seed: int = 0
) -> optuna.Study:
    """Carry out a search as a tuning does, with a fresh sampler for every trial."""
    study = optuna.create_study()
    for number in range(trials):
        study.sampler = sampler(seed=1000 * seed + number)
        trial = study.ask()
        study.tell(trial, loss(ask(trial)))
    return study


def apart(one: Point, other: Point) -> list[str]:
    """The axes that both points have and in which they differ."""
    return [axis for axis in one.keys() & other.keys() if one[axis] != other[axis]]


@pytest.mark.parametrize("seed", range(5))
def test_a_space_is_exhausted_before_a_point_is_suggested_again(name: str, seed: int) -> None:
    points = [str(sorted(t.params.items())) for t in search(EAGER[name], 27, seed=seed).trials]
    assert len(set(points)) == 27


@pytest.mark.parametrize("values", [["a", "b"], [1, 2, 3], ["a", "b", "c", "d", "e", "f"]])
def test_an_axis_alone_is_exhausted_and_then_any_point_is_suggested(name: str, values: list[Any]) -> None:
    def ask(trial: Any) -> Any:
        return trial.suggest_categorical("x", values)

    for seed in range(5):
        study = search(EAGER[name], len(values), ask=ask, loss=values.index, seed=seed)
        assert {trial.params["x"] for trial in study.trials} == {*values}
        study.sampler = EAGER[name](seed=seed)
        assert ask(study.ask()) in values


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["local", "evolution"])
def test_a_suggestion_is_one_step_on_one_axis_from_an_earlier_trial(name: str, seed: int) -> None:
    def ask(trial: Any) -> Point:
        point = conditional(trial)
        return point | {
            "lr": trial.suggest_categorical("lr", RATES),
            "width": trial.suggest_float("width", 1, 3, step=0.5),
        }

    def is_step(one: Point, other: Point) -> bool:
        (axis,) = apart(one, other)
        steps = {"depth": sorted(DEPTHS), "lr": sorted(RATES), "gate_bias": [-3, -2, -1], "width": [1, 1.5, 2, 2.5, 3]}
        return axis not in steps or abs(steps[axis].index(one[axis]) - steps[axis].index(other[axis])) == 1

    trials = search(EAGER[name], 30, ask=ask, seed=seed).trials
    for trial in trials[3:]:
        near = [one for one in trials[: trial.number] if len(apart(one.params, trial.params)) == 1]
        assert any(is_step(one.params, trial.params) for one in near)


def test_local_search_goes_on_from_the_best_trial_and_then_from_the_next_one() -> None:
    def ask(trial: Any) -> Point:
        return {axis: trial.suggest_int(axis, 0, 4) for axis in "xy"}

    for seed in range(5):
        trials = search(EAGER["local"], 25, ask=ask, loss=lambda p: p["x"] * 10 + p["y"], seed=seed).trials
        for trial in trials[3:]:
            tried = [one.params for one in trials[: trial.number]]
            for parent in sorted(trials[: trial.number], key=lambda one: one.value):
                x, y = parent.params["x"], parent.params["y"]
                near = [{"x": x + dx, "y": y + dy} for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0))]
                free = [one for one in near if min(one.values()) >= 0 and max(one.values()) <= 4 and one not in tried]
                if free:
                    assert trial.params in free
                    break


def test_the_suggestion_depends_on_the_seed_and_the_trials_alone(name: str) -> None:
    told = search(EAGER[name], 9).trials
    suggested = []
    for seed in (5, 5, 6, 7, 8):
        study = optuna.create_study()
        study.add_trials(told)
        study.sampler = EAGER[name](seed=seed)
        suggested.append(conditional(study.ask()))
    assert suggested[0] == suggested[1]
    assert len({str(point) for point in suggested}) > 1 or name == "additive", (
        "the most promising one is no matter of luck"
    )


def test_the_points_of_trials_that_are_running_are_not_suggested_again(name: str) -> None:
    study = search(EAGER[name], 5)
    for number in range(22):
        study.sampler = EAGER[name](seed=100 + number)
        conditional(study.ask())
    assert len({str(sorted(trial.params.items())) for trial in study.trials}) == 27


@pytest.mark.parametrize("state", [optuna.trial.TrialState.PRUNED, optuna.trial.TrialState.FAIL])
def test_trials_without_a_value_count_as_the_worst(name: str, state: optuna.trial.TrialState) -> None:
    axes = {
        "block": optuna.distributions.CategoricalDistribution("abcd"),
        "x": optuna.distributions.IntDistribution(0, 9),
    }
    worst = [("a", 9), ("b", 9), ("a", 6), ("b", 6), ("a", 3), ("b", 3), ("a", 0), ("b", 0)]
    for seed in range(10):
        study = optuna.create_study(sampler=EAGER[name](seed=seed))
        for x in (9, 6, 3):
            study.add_trial(optuna.create_trial(params={"block": "d", "x": x}, distributions=axes, value=20 + x))
        for block, x in worst:
            study.add_trial(optuna.create_trial(state=state, params={"block": block, "x": x}, distributions=axes))
        study.add_trial(optuna.create_trial(params={"block": "c", "x": 0}, distributions=axes, value=10))
        assert study.ask(axes).params["block"] in "cd"


@pytest.mark.parametrize(("name", "most"), [("local", 80), ("evolution", 120), ("additive", 40)])
def test_the_best_of_a_separable_space_of_625_points_is_found(name: str, most: int) -> None:
    def ask(trial: Any) -> Point:
        return {axis: trial.suggest_categorical(axis, [1, 2, 3, 4, 5]) for axis in "wxyz"}

    for seed in range(3):
        study = search(SAMPLERS[name], most, ask=ask, loss=lambda p: sum(abs(v - 4) for v in p.values()), seed=seed)
        assert study.best_value == 0


def two_objectives(trial: Any) -> tuple[float, float]:
    x, y = trial.suggest_int("x", 0, 9), trial.suggest_int("y", 0, 9)
    return x + y, x - y  # the second is maximised: every y=0 is on the front


def test_each_trial_looks_for_a_part_of_the_front_of_its_own() -> None:
    study = optuna.create_study(
        directions=["minimize", "maximize"],
        sampler=optuna.samplers.GridSampler({"x": [*range(10)], "y": [*range(10)]}, seed=0),
    )
    study.optimize(two_objectives)
    best = [study.trials[scalarized(study, study.trials, np.random.default_rng(k)).argmin()].params for k in range(40)]
    assert {point["y"] for point in best} == {0}
    assert len({point["x"] for point in best}) >= 7


def test_the_front_of_two_objectives_is_found(name: str) -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    for number in range(50):
        study.sampler = SAMPLERS[name](seed=number)
        trial = study.ask()
        study.tell(trial, two_objectives(trial))
    assert len([trial for trial in study.best_trials if trial.params["y"] == 0]) >= 7, "with half of the points"
