"""Correct p values for being looked at again and again, after every seed from the third up to a horizon.

A p value that is computed once is below 5% in 5% of the studies in which the claim is false. Who looks after every
seed and stops at a good moment gets there more often. The corrected p value is the probability that a path of p
values falls to p at *some* look up to the horizon, if the claim is false; it is again below 5% in at most 5% of those
studies, whenever one stops. This is a group-sequential design with a constant nominal level (Pocock 1977; Jennison &
Turnbull 2000).

For Student's t the probability is read from `looking.csv`, which `benchmarks/looking.py` simulates. For the sign test
and the binomial test it is computed exactly.
"""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("looking.csv")
FIRST = 3  # seeds at the first look: fewer give no verdict
HORIZON = 30  # seeds at the last look, where a study does not say


def t_looked(p: Any, horizon: int) -> Any:
    """The probability that a one-sided t test has a p value ≤ `p` at a look from `FIRST` up to `horizon` seeds.

    `p` may be an array. It is at most the number of looks times p (Bonferroni), which is taken below the least p
    value of the table and beyond its last horizon. A horizon between two of the table is taken as the larger.
    """
    import numpy as np

    looks = max(1, horizon - FIRST + 1)
    found = np.minimum(1.0, looks * np.asarray(p))
    p_values, shares = _table()
    column = next((shares[known] for known in shares if known >= horizon), None)
    if looks > 1 and column is not None:
        known = np.exp(np.interp(np.log(np.maximum(p, p_values[0])), np.log(p_values), np.log(column)))
        found = np.minimum(found, known)
    return found if found.shape else float(found)


@lru_cache(maxsize=1024)
def t_critical(alpha: float, horizon: int) -> float:
    """The p value that a t test reaches by chance at one look or more in `alpha` of the studies."""
    low, high = math.log(alpha) - math.log(max(1, horizon - FIRST + 1)), math.log(alpha)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if t_looked(math.exp(middle), horizon) <= alpha else (low, middle)
    return math.exp(low)


@lru_cache(maxsize=4096)
def binomial_looked(p: float, horizon: int, share: float = 0.5) -> float:
    """The probability that the exact test of "more than `share` succeed" has a p value ≤ `p` at a look up to `horizon`.

    It follows the number of successes, seed after seed, and stops the paths that have reached `p`. Looks begin with the
    first seed, because a sign test leaves ties out.
    """
    import numpy as np

    reached, paths = 0.0, np.ones(1)  # the probability of each number of successes, of the paths that go on
    for tails in _binomial_tails(horizon, share):
        paths = np.append(paths * (1 - share), 0.0) + np.append(0.0, paths * share)
        over = tails <= p * (1 + 1e-12)
        reached += float(paths[over].sum())
        paths[over] = 0.0
    return min(1.0, reached)


def binomial_critical(alpha: float, horizon: int, share: float = 0.5) -> float:
    """The largest p value of the exact test that is reached by chance in at most `alpha` of the studies; 0 for none."""
    possible = sorted({float(tail) for tails in _binomial_tails(horizon, share) for tail in tails if tail <= alpha})
    low, high = 0, len(possible)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if binomial_looked(possible[middle], horizon, share) <= alpha else (low, middle)
    return possible[low - 1] if low else 0.0


@lru_cache(maxsize=64)
def _binomial_tails(horizon: int, share: float) -> list[Any]:
    """For n = 1 … horizon: the probability of k or more successes of n, for k = 0 … n."""
    import numpy as np
    from scipy.special import bdtrc

    return [np.append(1.0, bdtrc(np.arange(n), n, share)) for n in range(1, horizon + 1)]


@lru_cache(maxsize=1)
def _table() -> tuple[Any, dict[int, Any]]:
    """The p values of the table, and for each horizon the probabilities."""
    import numpy as np

    with open(TABLE, encoding="utf-8", newline="") as file:
        heads, *lines = csv.reader(file)
    numbers = np.array(lines, dtype=float)
    return numbers[:, 0], {int(head): numbers[:, k] for k, head in enumerate(heads[1:], start=1)}
