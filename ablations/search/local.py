"""Local search: the untried neighbours of the best trial, then of the next best one.

White, Nolen and Savani 2021, "Exploring the loss landscape in neural architecture search" (arXiv 2005.02960).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial

from ablations.search.points import Point, PointSampler, Space, untried


class LocalSearch(PointSampler):
    """Suggests a random untried neighbour of the best complete trial that has one; where none has, a random point.

    Args:
        n_startup_trials: how many random points are tried first.
    """

    def choose(self, trials: Sequence[FrozenTrial], losses: np.ndarray, space: Space) -> Point | None:
        for k in np.argsort(losses, kind="stable")[: np.isfinite(losses).sum()]:
            free = [point for point in self.neighbours(trials[k], space) if untried(point, trials)]
            if free:
                return free[self.rng.integers(len(free))]
        return None
