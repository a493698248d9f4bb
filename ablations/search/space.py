"""The space that a search walks through: its axes as Optuna knows them, and which of them matter at a point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ablations.question.search_space import Choice, Range
from ablations.question.study import Point

SIGNIFICANT_DIGITS = 4  # of a suggested real number: 0.03127 is as good as 0.031273882 and easier to read


class Infeasible(Exception):
    """A suggestion that cannot be built or that breaks a constraint; it is not trained."""


@dataclass(frozen=True)
class Space:
    """The open axes of a search in one of its tunings.

    Attributes:
        axes: in the order in which they are asked for: each after those that decide whether it matters.
        fixed: the point of the tuning.
        active: takes an axis and the point so far, returns whether the axis matters; may raise Infeasible.
    """

    axes: Mapping[str, Choice | Range]
    fixed: Point
    active: Callable[[str, Point], bool]

    def choose(self, trial: optuna.Trial, point: Point) -> None:
        """Ask Optuna for a value of each axis that is active given those before it; write them into `point`.

        Raises:
            Infeasible: what was chosen so far cannot be composed.
        """
        for axis, options in self.axes.items():
            if self.active(axis, point):
                point[axis] = suggest(trial, axis, options)

    def points(
        self,
        values_of: Callable[[str], Iterable[Any]],
        chosen: Mapping[str, Any] | None = None,
        axes: tuple[str, ...] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """List the points with the given values of every active axis, as Optuna's parameters.

        A point that cannot be composed ends before the axis at which that is found.
        """
        chosen, axes = chosen or {}, tuple(self.axes) if axes is None else axes
        for k, axis in enumerate(axes):
            try:
                active = self.active(axis, {**self.fixed, **chosen})
            except Infeasible:
                break
            if active:
                for value in values_of(axis):
                    yield from self.points(values_of, {**chosen, axis: value}, axes[k + 1 :])
                return
        yield dict(chosen)

    def random_points(self, study: optuna.Study, seed: int) -> Iterator[dict[str, Any]]:
        """Draw points, with replacement and without end. The study decides nothing; Optuna's samplers ask for one."""
        draw = self._drawn(study, seed)
        while True:
            yield from self.points(lambda axis: [draw(axis)])

    def all_points(self, study: optuna.Study, seed: int) -> Iterator[dict[str, Any]]:
        """List all points; of a real-valued axis a random value each time."""
        draw = self._drawn(study, seed)
        return self.points(lambda axis: self.axes[axis].all() or [draw(axis)])

    def _drawn(self, study: optuna.Study, seed: int) -> Callable[[str], Any]:
        sampler = optuna.samplers.RandomSampler(seed)
        trial = optuna.trial.create_trial(state=optuna.trial.TrialState.WAITING)
        return lambda axis: sampler.sample_independent(study, trial, axis, optuna_distribution(self.axes[axis]))


def suggest(trial: optuna.Trial, axis: str, options: Choice | Range) -> Any:
    """Ask Optuna for a value of one axis. Real numbers are rounded to SIGNIFICANT_DIGITS."""
    if isinstance(options, Choice):
        return trial.suggest_categorical(axis, list(options.values))
    if options.whole:
        return trial.suggest_int(
            axis, int(options.low), int(options.high), step=int(options.step or 1), log=options.log
        )
    value = trial.suggest_float(axis, options.low, options.high, step=options.step, log=options.log)
    return min(max(rounded(value), options.low), options.high)


def rounded(value: Any) -> Any:
    """Round a real number to SIGNIFICANT_DIGITS; return anything else as it is."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(value, float) else value


def optuna_distribution(options: Choice | Range) -> BaseDistribution:
    """The values of one axis as an Optuna distribution."""
    if isinstance(options, Choice):
        return CategoricalDistribution(list(options.values))
    if options.whole:
        low, high, step = int(options.low), int(options.high), int(options.step or 1)
        return IntDistribution(low, high, log=options.log, step=step)
    return FloatDistribution(options.low, options.high, log=options.log, step=options.step)
