"""Effects with their intervals and p values, and Holm's correction. The distributions are SciPy's.

An effect is one number a seed: a metric of one cell, or a contrast of cells paired by seed. Student's t is the rule;
where means are undefined or the number is a share, `signs.py` has the tests.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 0.05  # the error rate of a study's claims together, in either direction; intervals are 95%
POWER = 0.8  # how surely "about so many more seeds" would decide

Interval = tuple[float, float]


class Effect(ABC):
    """What the seeds say about one number; p values are one-sided."""

    values: tuple[float, ...]  # one a seed

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.values)

    @property
    @abstractmethod
    def mean(self) -> float:
        """The estimate."""

    @property
    def interval(self) -> Interval | None:
        """The 95% confidence interval of the estimate; None where there is none."""
        return None

    @property
    def bootstrap(self) -> Interval | None:
        """The 95% bootstrap interval of the mean (bias-corrected, accelerated; always the same draws), or None."""
        return bootstrap_interval(self.values)

    @abstractmethod
    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of "it is at most `bound`": small when it is larger."""

    @abstractmethod
    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of "it is at least `bound`": small when it is smaller."""

    def least_p(self, bound: float, *, above: bool) -> float:
        """The smallest p that n seeds can give without assuming how they are distributed: that of the sign test."""
        return 0.5**self.n

    @abstractmethod
    def power_above(self, bound: float, n: Any, level: float) -> Any:
        """How likely `p_above` of `n` seeds is at most `level`, if the truth is what was seen; `n` may be an array."""

    @abstractmethod
    def power_below(self, bound: float, n: Any, level: float) -> Any:
        """The same of `p_below`."""


@dataclass(frozen=True)
class Difference(Effect):
    """A mean over seeds with Student's t, usually of plus − minus, paired by seed.

    With no spread at all (every seed gives the same number) t has nothing to stand on: there is no interval, and the
    p values are those of the exact sign test, ½ⁿ.
    """

    values: tuple[float, ...]
    sd: float  # sample standard deviation (n − 1)

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    @property
    def interval(self) -> Interval | None:
        return self.interval_at(LEVEL)

    @property
    def bootstrap(self) -> Interval | None:
        return bootstrap_interval(self.values) if self.sd else None

    def interval_at(self, level: float) -> Interval | None:
        """The confidence interval at 1 − level."""
        if self.sd == 0:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.n - 1, 1 - level / 2)) * self.sd / math.sqrt(self.n)
        return self.mean - half, self.mean + half

    def p_above(self, bound: float = 0.0) -> float:
        return self._p(self.mean - bound)

    def p_below(self, bound: float = 0.0) -> float:
        return self._p(bound - self.mean)

    def p_two_sided(self, bound: float = 0.0) -> float:
        """Two-sided p of "it is `bound`"."""
        return min(1.0, 2 * min(self.p_above(bound), self.p_below(bound)))

    def power_above(self, bound: float, n: Any, level: float) -> Any:
        return self._power(self.mean - bound, n, level)

    def power_below(self, bound: float, n: Any, level: float) -> Any:
        return self._power(bound - self.mean, n, level)

    def _p(self, shift: float) -> float:
        """One-sided p against a mean shift of at most zero."""
        if self.sd == 0:
            return 0.5**self.n if shift > 0 else 1.0
        from scipy.special import stdtr

        return float(stdtr(self.n - 1, -shift * math.sqrt(self.n) / self.sd))

    def _power(self, shift: float, n: Any, level: float) -> Any:
        """By the noncentral t."""
        import numpy as np
        from scipy.special import nctdtr, stdtrit

        n = np.asarray(n)
        if self.sd == 0:
            return np.where((0.5**n <= level) & (shift > 0), 1.0, 0.0)
        far = np.sqrt(n) * min(30.0, max(-30.0, shift / self.sd))  # beyond that it is certain, and SciPy says nan
        return 1 - np.nan_to_num(nctdtr(n - 1, far, stdtrit(n - 1, 1 - level)), nan=0.0 if shift > 0 else 1.0)


def paired_difference(plus: Sequence[float], minus: Sequence[float]) -> Difference:
    """Compare two cells seed by seed.

    Raises:
        ValueError: the sequences differ in length, hold fewer than two pairs, or a difference is not finite.
    """
    if len(plus) != len(minus):
        raise ValueError(f"a paired difference needs a partner for every value; got {len(plus)} and {len(minus)}")
    differences = [a - b for a, b in zip(plus, minus, strict=True)]
    return difference_of(differences, scale=max(map(abs, [*plus, *minus]), default=0.0))


def difference_of(values: Sequence[float], *, scale: float) -> Difference:
    """A mean over seeds; `scale` is the size of what was added up, below whose rounding there is no spread.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    if len(values) < 2:
        raise ValueError(f"a paired difference needs at least 2 pairs; got {len(values)}")
    if not all(map(math.isfinite, values)):
        raise ValueError("a paired difference needs finite values: a diverged run has no finite loss; compare errors")
    mean = math.fsum(values) / len(values)
    sd = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))
    rounding = 1e-12 * scale  # 90.3 − 90.2 and 50.3 − 50.2 differ by rounding only
    return Difference(values=tuple(values), sd=0.0 if sd <= rounding else sd)


def bootstrap_interval(values: Sequence[float]) -> Interval | None:
    """SciPy's BCa interval of the mean, from a fixed seed; None without spread or where a value is not finite."""
    if len(set(values)) < 2 or not all(map(math.isfinite, values)):
        return None
    import numpy as np
    from scipy import stats

    draws = stats.bootstrap((np.asarray(values),), np.mean, random_state=0)  # pyright: ignore[reportCallIssue]
    found = draws.confidence_interval
    return float(found.low), float(found.high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given.   Holm 1979."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[i]))
        adjusted[i] = largest
    return adjusted
