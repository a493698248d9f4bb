"""Bayesian optimisation with an additive Gaussian process: main effects of the axes, and effects of pairs of them.

    k(x, x') = (mean of k_a + c · mean of k_a k_b over pairs of axes) / (1 + c),   k_a = 1 − d_a

d_a is the distance of two values on axis a, from 0 to 1: where there is an order, on its scale; otherwise 1 if they
differ. It is 1 too if only one of the points has the axis. c and the noise are those with the largest likelihood.

    Duvenaud, Nickisch and Rasmussen 2011, "Additive Gaussian processes".
    Jones, Schonlau and Welch 1998, "Efficient global optimization of expensive black-box functions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtr

from ablations.search.points import Point, PointSampler, Space, draw, positions, untried

BEST = 5  # trials whose neighbours are candidates
RANDOM = 100  # candidates that are random
PAIRS = (0.3, 1.0, 3.0)  # c
NOISES = (0.1, 0.3)  # variances, where a point has the variance 1

Inactive = dict[str, tuple[str, set[Any]]]


class AdditiveGP(PointSampler):
    """Suggests the untried candidate with the largest expected improvement, after `n_startup_trials` random points."""

    def choose(self, trials: Sequence[FrozenTrial], losses: np.ndarray, space: Space) -> Point | None:
        done = [k for k, trial in enumerate(trials) if trial.state.is_finished()]
        if not np.isfinite(losses[done]).any():
            return None
        seen = [trials[k].params for k in done]
        best = [trials[k] for k in np.argsort(losses, kind="stable")[:BEST]]
        points = [point for trial in best for point in self.neighbours(trial, space)]
        points += [{axis: draw(options, self.rng) for axis, options in space.items()} for _ in range(RANDOM)]
        inactive = inactive_axes(seen, space)
        candidates = [active(point, inactive) for point in points]
        gain = expected_improvement(encoded(seen, space), compressed(losses[done]), encoded(candidates, space))
        return next((points[k] for k in np.argsort(-gain, kind="stable") if untried(points[k], trials)), None)


def compressed(losses: np.ndarray) -> np.ndarray:
    """The losses on a logarithmic scale from the best one, with mean 0 and variance 1; infinite ones are the worst."""
    finite = losses[np.isfinite(losses)]
    losses = np.minimum(losses, finite.max()) - finite.min()
    scale = np.quantile(losses, 0.25) or np.median(losses) or losses.max() or 1.0
    losses = np.log1p(losses / scale)
    return (losses - losses.mean()) / (losses.std() or 1.0)


def expected_improvement(seen: np.ndarray, target: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The expected improvement of each candidate.

    Args:
        seen, candidates: a row a point, a column an axis; see `encoded`.
        target: a loss for each point that was seen.
    """
    kernels = main_and_pairs(seen, seen)

    def fit(pairs: float, noise: float) -> tuple[float, float, np.ndarray, float]:
        lower = cholesky(mixed(kernels, pairs) + noise * np.eye(len(seen)), lower=True)
        variance = float(target @ cho_solve((lower, True), target)) / len(seen) + 1e-12
        likelihood = -len(seen) / 2 * np.log(variance) - np.log(np.diag(lower)).sum()
        return likelihood, pairs, lower, variance

    _, pairs, lower, variance = max((fit(c, noise) for c in PAIRS for noise in NOISES), key=lambda found: found[0])
    cross = mixed(main_and_pairs(seen, candidates), pairs)
    mean = cross.T @ cho_solve((lower, True), target)
    explained = (solve_triangular(lower, cross, lower=True) ** 2).sum(0)
    deviation = np.sqrt(np.maximum(1 - explained, 1e-9) * variance)
    z = (target.min() - mean) / deviation
    return deviation * (z * ndtr(z) + np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))


def main_and_pairs(some: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of k_a over the axes, and of k_a k_b over the pairs of axes; shape (some, others)."""
    alike = 1 - np.minimum(1.0, np.abs(some.T[:, :, None] - others.T[:, None, :]))
    axes, total = len(alike), alike.sum(0)
    return total / axes, (total**2 - (alike**2).sum(0)) / max(1, axes * (axes - 1))


def mixed(kernels: tuple[np.ndarray, np.ndarray], pairs: float) -> np.ndarray:
    """The kernel, of its two parts."""
    return (kernels[0] + pairs * kernels[1]) / (1 + pairs)


def encoded(points: Sequence[Mapping[str, Any]], space: Space) -> np.ndarray:
    """A row for each point, a column for each axis: the position of the value; −1 if the point has none."""
    found = np.full((len(points), len(space)), -1.0)
    for column, (axis, options) in enumerate(space.items()):
        rows = [k for k, point in enumerate(points) if axis in point]
        found[rows, column] = positions([points[k][axis] for k in rows], options)
    return found


def inactive_axes(points: Sequence[Mapping[str, Any]], space: Space) -> Inactive:
    """For each axis that some points lack: another one before it, and those of its values with which it is lacking."""
    found: Inactive = {}
    for k, axis in enumerate(space):
        lacking = [point for point in points if axis not in point]
        having = [point for point in points if axis in point]
        for decider in [*space][:k] if lacking else []:
            values = {point.get(decider) for point in lacking}
            is_list = isinstance(space[decider], CategoricalDistribution)
            if is_list and values.isdisjoint(point.get(decider) for point in having):
                found[axis] = decider, values
                break
    return found


def active(point: Mapping[str, Any], inactive: Inactive) -> Point:
    """The point without the values that would not be asked for."""
    kept: Point = {}
    for axis, value in point.items():
        if axis not in inactive or kept.get(inactive[axis][0]) not in inactive[axis][1]:
            kept[axis] = value
    return kept
