"""What the samplers share that decide the values of all axes at once: what was tried, and what lies beside a point.

A sampler is created anew for every trial, in whichever process asks. So it knows the trials of the Optuna study and its
seed, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

Point = dict[str, Any]
Space = dict[str, BaseDistribution]
STEP = 0.1  # of its range: how far a neighbour lies on an axis that has no steps, one standard deviation
DRAWS = 100  # random points that are drawn before a tried one is suggested again


class PointSampler(optuna.samplers.BaseSampler):
    """Base of the samplers that decide a whole point: `n_startup_trials` random ones, then what `choose` returns.

    A point has a value for every axis that an earlier trial asked for. Those that turn out to be inactive are never
    asked for; an axis that no trial has asked for yet is drawn at random.
    """

    def __init__(self, seed: int | None = None, n_startup_trials: int = 10) -> None:
        self.n_startup_trials, self.rng = n_startup_trials, np.random.default_rng(seed)
        self.independent = optuna.samplers.RandomSampler(seed)

    def choose(self, trials: Sequence[FrozenTrial], losses: np.ndarray, space: Space) -> Point | None:
        """Choose an untried point, or None for a random one.

        Args:
            trials: all that have asked for something, running ones too, in the order of their numbers.
            losses: one for each; infinite unless it is complete.
        """
        raise NotImplementedError

    def reseed_rng(self) -> None:
        self.rng = np.random.default_rng()
        self.independent.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> Space:
        return {axis: options for one in _others(study, trial) for axis, options in one.distributions.items()}

    def sample_relative(self, study: optuna.Study, trial: FrozenTrial, search_space: Space) -> Point:
        trials = _others(study, trial)
        chosen = None
        if len(trials) >= self.n_startup_trials:
            chosen = self.choose(trials, scalarized(study, trials, self.rng), search_space)
        return chosen or self.random_point(trials, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.independent.sample_independent(study, trial, param_name, param_distribution)

    def random_point(self, trials: Sequence[FrozenTrial], space: Space) -> Point:
        """A random point; an untried one, unless DRAWS draws find none."""
        point: Point = {}
        for _ in range(DRAWS):
            point = {axis: draw(options, self.rng) for axis, options in space.items()}
            if untried(point, trials):
                break
        return point

    def neighbours(self, trial: FrozenTrial, space: Space) -> list[Point]:
        """The points that differ from a trial on one of its axes; what only they ask for is drawn at random."""
        return [
            {**{other: draw(options, self.rng) for other, options in space.items()}, **trial.params, axis: value}
            for axis, options in trial.distributions.items()
            for value in neighbour_values(trial.params[axis], options, self.rng)
        ]


def scalarized(study: optuna.Study, trials: Sequence[FrozenTrial], rng: np.random.Generator) -> np.ndarray:
    """The loss of each trial; infinite unless it is complete.

    Of several objectives, it is the largest of their ranks, each weighted at random, plus a twentieth of their sum: so
    every trial looks for another part of the Pareto front (Knowles 2006, "ParEGO").
    """
    losses = np.full(len(trials), np.inf)
    done = [k for k, trial in enumerate(trials) if trial.state == TrialState.COMPLETE]
    signs = [-1 if way == optuna.study.StudyDirection.MAXIMIZE else 1 for way in study.directions]
    values = np.array([trials[k].values for k in done]).reshape(len(done), len(signs)) * signs
    if len(signs) > 1:
        values = (values[:, None] > values).sum(1) * rng.dirichlet(np.ones(len(signs)))
        values = values.max(1, keepdims=True) + 0.05 * values.sum(1, keepdims=True)
    losses[done] = values[:, 0]
    return losses


def untried(point: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> bool:
    """Whether no trial is at this point: whatever is asked for, the answers would differ from those of each trial."""
    return not any(trial.params.items() <= point.items() for trial in trials)


def ordered(options: CategoricalDistribution) -> list[Any] | None:
    """The values of a list in ascending order, if all are numbers."""
    values: Any = options.choices
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return sorted(values) if numbers else None


def neighbour_values(value: Any, options: Any, rng: np.random.Generator) -> list[Any]:
    """The neighbours of a value: one step down and up; of an axis without order, all other values.

    On a range with more than 1 / STEP steps, or none, a step has a random length.
    """
    if isinstance(options, CategoricalDistribution):
        steps = ordered(options)
        if steps is None:
            return [other for other in options.choices if other != value]
        k = steps.index(value)
        return steps[max(0, k - 1) : k] + steps[k + 1 : k + 2]
    step = options.step or 0
    few = step and not options.log and (options.high - options.low) / step <= 1 / STEP
    at, far = positions([value], options)[0], 0 if few else STEP * abs(rng.normal())
    found = min(value_at(at - far, options), value - step), max(value_at(at + far, options), value + step)
    return [snapped(other, options) for other in found if options.low <= other <= options.high and other != value]


def draw(options: Any, rng: np.random.Generator) -> Any:
    """A random value of an axis."""
    if isinstance(options, CategoricalDistribution):
        return options.choices[rng.integers(len(options.choices))]
    if options.step and not options.log:
        return snapped(
            options.low + options.step * rng.integers((options.high - options.low) / options.step + 1), options
        )
    return value_at(rng.random(), options)


def positions(values: Sequence[Any], options: Any) -> np.ndarray:
    """Where on their axis some values lie: from 0 to 1 where there is an order, otherwise their indices."""
    if isinstance(options, CategoricalDistribution):
        steps = ordered(options)
        where = {value: k for k, value in enumerate(options.choices)}
        if steps is not None:
            where = {value: k / max(1, len(steps) - 1) for k, value in enumerate(steps)}
        return np.array([where[value] for value in values], dtype=float)
    scale = np.log if options.log else np.asarray
    low, high = scale(options.low), scale(options.high)
    return (scale(values) - low) / ((high - low) or 1.0)


def value_at(position: float, options: Any) -> Any:
    """The value at a position of a range."""
    if options.log:
        return snapped(options.low * (options.high / options.low) ** position, options)
    return snapped(options.low + (options.high - options.low) * position, options)


def snapped(value: float, options: Any) -> Any:
    """The nearest value that a range has."""
    if options.step:
        value = round((value - options.low) / options.step) * options.step + options.low
    value = min(max(value, options.low), options.high)
    return int(value) if isinstance(options, optuna.distributions.IntDistribution) else float(value)


def _others(study: optuna.Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """The other trials that have asked for something."""
    return [one for one in study.get_trials(deepcopy=False) if one.params and one.number != trial.number]
