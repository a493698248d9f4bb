"""Regularised evolution: change one axis of the best of a few trials, drawn from the youngest ones.

Real, Aggarwal, Huang and Le 2019, "Regularized evolution for image classifier architecture search".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial

from ablations.search.points import Point, PointSampler, Space, untried

TOURNAMENTS = 20  # before a random point is suggested, where all neighbours of each winner were tried


class RegularizedEvolution(PointSampler):
    """Suggests an untried neighbour of the winner of a tournament among the last finished trials.

    Args:
        population_size: how many of the last finished trials may win; also how many random points are tried first.
        tournament_size: how many of the population are compared.

    Raises:
        ValueError: one of them is less than 1.
    """

    def __init__(self, seed: int | None = None, population_size: int = 10, tournament_size: int = 3) -> None:
        if min(population_size, tournament_size) < 1:
            raise ValueError(
                f"population_size={population_size} and tournament_size={tournament_size} must be at least 1"
            )
        super().__init__(seed, n_startup_trials=population_size)
        self.tournament_size = tournament_size

    def choose(self, trials: Sequence[FrozenTrial], losses: np.ndarray, space: Space) -> Point | None:
        population = [k for k, trial in enumerate(trials) if trial.state.is_finished()][-self.n_startup_trials :]
        for _ in range(TOURNAMENTS if population else 0):
            drawn = self.rng.permutation(population)[: self.tournament_size]
            winner = trials[drawn[losses[drawn].argmin()]]
            free = [point for point in self.neighbours(winner, space) if untried(point, trials)]
            if free:
                return free[self.rng.integers(len(free))]
        return None
