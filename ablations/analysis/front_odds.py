"""Estimate how likely each network is to be on the Pareto front, from the spread over its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ablations.analysis.results import Spread

DRAWS = 4000


def front_odds(cells: Sequence[Sequence[Spread]]) -> list[float | None]:
    """The probability that no other of these cells is better in one objective and worse in none.

    Each cell has a spread an objective; all are minimised. A mean over n seeds is drawn from mean + sd/√n · t with
    n − 1 degrees of freedom, from a fixed seed; with sd 0 it is exact. A cell with fewer than two seeds or without a
    finite mean is left out: None.
    """
    draw, drawn = np.random.default_rng(0), {}
    for index, spreads in enumerate(cells):
        known = [(one.mean, one.sd, one.n) for one in spreads if one.mean is not None and one.sd is not None]
        if len(known) == len(spreads) and all(np.isfinite(mean) and n > 1 for mean, _, n in known):
            drawn[index] = np.array([m + sd / n**0.5 * draw.standard_t(n - 1, DRAWS) for m, sd, n in known])
    odds: list[float | None] = [None] * len(cells)
    for index, mine in drawn.items():
        beaten = np.zeros(DRAWS, dtype=bool)
        for other in drawn.values():
            beaten |= (other <= mine).all(0) & (other < mine).any(0)
        odds[index] = float(1 - beaten.mean())
    return odds
