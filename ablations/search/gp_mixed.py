"""Bayesian optimisation over axes of every kind: a Gaussian process whose kernel compares points axis by axis.

k(x, x') = exp(−Σ w_a d_a(x, x')), d_a from 0 to 1: how far apart two values are where they have an order, otherwise
whether they differ; 1 if only one of the points has the axis. The weights w and the noise maximise the posterior.

Rasmussen and Williams 2006, "Gaussian processes for machine learning", Ch. 2 and 5.
Jones, Schonlau and Welch 1998, "Efficient global optimization of expensive black-box functions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.stats import norm

from ablations.search.points import Point, PointSampler, Space, draw, positions, untried

BEST = 5  # trials whose neighbours are candidates
RANDOM = 100  # candidates that are random
NOISES = (0.03, 0.1, 0.3)  # variances, of an error whose variance is 1
SCALES = (0.2, 0.5, 1.2, 3.0)  # weights that are tried for all axes at once, then × and ÷ FACTOR for one at a time
FACTOR = 4.0
SPREAD = 1.5  # of the prior of a weight's logarithm, a normal one around the smaller weights


class MixedGP(PointSampler):
    """Suggests the candidate with the largest expected improvement; `n_startup_trials` random points come first."""

    def choose(self, trials: Sequence[FrozenTrial], losses: np.ndarray, space: Space) -> Point | None:
        done = [k for k, trial in enumerate(trials) if trial.state.is_finished()]
        if not np.isfinite(losses[done]).any():
            return None
        seen = encoded([trials[k].params for k in done], space)
        target = normal_scores(losses[done])
        inactive = rules([trials[k].params for k in done], space)
        near = [trials[k] for k in np.argsort(losses, kind="stable")[:BEST]]
        points = [point for trial in near for point in self.neighbours(trial, space)]
        points += [{axis: draw(options, self.rng) for axis, options in space.items()} for _ in range(RANDOM)]
        gains = expected_improvement(seen, target, encoded([active(p, inactive) for p in points], space), self.rng)
        return next((points[k] for k in np.argsort(-gains) if untried(points[k], trials)), None)


def normal_scores(losses: np.ndarray) -> np.ndarray:
    """The quantiles of a normal distribution that belong to the ranks of the losses, with mean 0 and variance 1."""
    ranks = ((losses[:, None] > losses).sum(1) + (losses[:, None] >= losses).sum(1)) / 2
    scores = norm.ppf(ranks / len(losses))
    return (scores - scores.mean()) / (scores.std() or 1.0)


def expected_improvement(
    seen: np.ndarray, target: np.ndarray, candidates: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The expected improvement of each candidate.

    Args:
        seen, candidates: a row a point, a column an axis.
        target: what was measured at the points that were seen.
    """
    weights, noise = fit(distances(seen, seen), target, rng)
    lower, variance = _posterior(distances(seen, seen), weights, noise, target)[1:]
    cross = np.exp(-np.tensordot(weights, distances(seen, candidates), 1))
    mean = cross.T @ cho_solve((lower, True), target)
    explained = (solve_triangular(lower, cross, lower=True) ** 2).sum(0)
    deviation = np.sqrt(np.maximum(1 - explained, 1e-9) * variance)
    z = (target.min() - mean) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


def fit(apart: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The weights of the axes and the noise whose posterior is the largest found: first equal weights, then one by one."""
    one = np.ones(len(apart))
    tried = [(_posterior(apart, one * scale, noise, target)[0], scale, noise) for scale in SCALES for noise in NOISES]
    best, scale, noise = max(tried)
    weights = one * scale
    for axis in rng.permutation(len(apart)):
        for factor in (FACTOR, 1 / FACTOR):
            other = np.where(np.arange(len(apart)) == axis, weights * factor, weights)
            found = _posterior(apart, other, noise, target)[0]
            if found > best:
                best, weights = found, other
    return weights, noise


def _posterior(
    apart: np.ndarray, weights: np.ndarray, noise: float, target: np.ndarray
) -> tuple[float, np.ndarray, float]:
    """The log posterior of the weights, up to a constant; the Cholesky factor; the variance that fits best."""
    kernel = np.exp(-np.tensordot(weights, apart, 1))
    kernel[np.diag_indices_from(kernel)] += noise
    lower = cholesky(kernel, lower=True)
    variance = float(target @ cho_solve((lower, True), target)) / len(target) + 1e-12
    fits = -len(target) / 2 * np.log(variance) - np.log(np.diag(lower)).sum()
    return fits - (np.log(weights / SCALES[0]) ** 2).sum() / (2 * SPREAD**2), lower, variance


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The distance on each axis, from 0 to 1, shape (axes, some, others)."""
    return np.minimum(1.0, np.abs(some.T[:, :, None] - others.T[:, None, :]))


def encoded(points: Sequence[Mapping[str, Any]], space: Space) -> np.ndarray:
    """A row for each point, a column for each axis: the position of the value; −1 if the point has none."""
    found = np.full((len(points), len(space)), -1.0)
    for column, (axis, options) in enumerate(space.items()):
        rows = [k for k, point in enumerate(points) if axis in point]
        found[rows, column] = positions([points[k][axis] for k in rows], options)
    return found


def rules(points: Sequence[Mapping[str, Any]], space: Space) -> dict[str, tuple[str, set[Any]]]:
    """For each axis that some points lack: an axis before it, and its values with which it is lacking."""
    found: dict[str, tuple[str, set[Any]]] = {}
    for k, axis in enumerate(space):
        for decider in [*space][:k]:
            without = {point.get(decider) for point in points if axis not in point}
            if isinstance(space[decider], CategoricalDistribution) and without:
                if without.isdisjoint(point.get(decider) for point in points if axis in point):
                    found[axis] = decider, without
                    break
    return found


def active(point: Mapping[str, Any], inactive: Mapping[str, tuple[str, set[Any]]]) -> Point:
    """The point without the values that would not be asked for."""
    kept: Point = {}
    for axis, value in point.items():
        if axis not in inactive or kept.get(inactive[axis][0]) not in inactive[axis][1]:
            kept[axis] = value
    return kept
