"""The importances name the axis that decides the values and none on noise; they are those of Optuna."""

from __future__ import annotations

import io
import math
import random

import optuna
import pytest
from rich.console import Console

from ablations.report.analyses import print_importance
from ablations.search.importance import FEWEST, importance, search_importance
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan

SPACE = {"recipe.lr": {"low": 0.001, "high": 1.0, "log": True}, "width": {"low": 0.5, "high": 2.0}, "norm": ["a", "b"]}


def value_of(point):
    """The learning rate decides, the width a little, the norm nothing."""
    return abs(math.log10(point["recipe.lr"]) + 1) * 20 + point["width"]


def searched(tmp_path, trials, value_of=value_of):
    plan = make_plan(name="search")
    plan["study"] |= {"space": SPACE, "search": {"trials": trials}, "tunings": [{"name": "all", "point": {}}]}
    draw = random.Random(0)
    for number in range(trials):
        point = {"recipe.lr": 10 ** draw.uniform(-3, 0), "width": draw.uniform(0.5, 2), "norm": draw.choice("ab")}
        trial = {
            "tuning": "all",
            "number": number,
            "state": "complete",
            "point": point,
            "suggested": point,
            "cell": str(number),
            "label": str(number),
            "runs": [],
            "values": {"val_error": value_of(point)},
            "constraints": {},
        }
        write_trial(trial_folder(tmp_path, "search", "all", number), trial)
    return plan


def test_the_axis_that_decides_comes_first(tmp_path):
    (found,) = search_importance(searched(tmp_path, 60), tmp_path)
    assert (found.tuning, found.trials) == ("all", 60)
    assert next(iter(found.shares)) == "recipe.lr"
    assert found.shares["recipe.lr"] > 0.6
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.named == ["recipe.lr"]
    assert 0.1 < found.floor < 0.6
    console = Console(file=io.StringIO(), width=100)
    print_importance([found], ["val_error"], console)
    text = console.file.getvalue()
    assert text.count(f"below what noise gives ({found.floor:.0%})") == 2
    assert f"{found.shares['recipe.lr']:.0%}" in text


def test_of_pure_noise_no_axis_is_named(tmp_path):
    named, largest = 0, []
    for seed in range(10):
        draw = random.Random(seed)
        (found,) = search_importance(
            searched(tmp_path / str(seed), 20, lambda point, d=draw: d.gauss(0, 1)), tmp_path / str(seed)
        )
        named += bool(found.named)
        largest.append(max(found.shares.values()))
    assert named <= 1
    assert max(largest) > 0.65, "so a large share alone says nothing"


def test_the_floor_of_two_objectives_keeps_their_values_together():
    study, draw = optuna.create_study(directions=["minimize", "minimize"]), random.Random(0)
    space = {
        "lr": optuna.distributions.FloatDistribution(0, 1),
        "norm": optuna.distributions.CategoricalDistribution("ab"),
    }
    for _ in range(40):
        point = {"lr": draw.random(), "norm": draw.choice("ab")}
        values = [point["lr"] + draw.gauss(0, 0.01), 2 * point["lr"] + draw.gauss(0, 0.01)]
        study.add_trial(optuna.create_trial(values=values, params=point, distributions=space))
    shares, floor = importance(study)
    assert [axis for axis, share in shares.items() if share > floor] == ["lr"]
    assert importance(study) == (shares, floor), "the permutations are from a fixed seed"


def test_it_is_optunas(tmp_path):
    plan = searched(tmp_path, 30)
    study = optuna.create_study()
    draw = random.Random(0)
    distributions = {
        "recipe.lr": optuna.distributions.FloatDistribution(0.001, 1.0, log=True),
        "width": optuna.distributions.FloatDistribution(0.5, 2.0),
        "norm": optuna.distributions.CategoricalDistribution(["a", "b"]),
    }
    for _ in range(30):
        point = {"recipe.lr": 10 ** draw.uniform(-3, 0), "width": draw.uniform(0.5, 2), "norm": draw.choice("ab")}
        study.add_trial(optuna.create_trial(value=value_of(point), params=point, distributions=distributions))
    theirs = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    expected = optuna.importance.get_param_importances(study, evaluator=theirs)
    assert search_importance(plan, tmp_path)[0].shares == pytest.approx(expected)


def test_too_few_trials_say_nothing(tmp_path):
    found = search_importance(searched(tmp_path, FEWEST - 1), tmp_path)
    assert found[0].shares == {}
    console = Console(file=io.StringIO(), width=100)
    print_importance(found, ["val_error"], console)
    assert f"needs {FEWEST} complete trials that differ" in console.file.getvalue()
    study = optuna.create_study()
    study.add_trials(optuna.create_trial(value=float(k)) for k in range(FEWEST))
    assert importance(study) == ({}, 1.0), "no axis was asked for"
    with pytest.raises(ValueError, match="needs 8 complete trials; there are 0"):
        importance(optuna.create_study())


def test_trials_that_are_all_as_good_say_nothing(tmp_path):
    (found,) = search_importance(searched(tmp_path, 30, lambda point: 5.0), tmp_path)
    assert (found.trials, found.shares) == (30, {})


def test_a_study_that_does_not_search_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not search"):
        search_importance(make_plan(), tmp_path)
