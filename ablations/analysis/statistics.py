"""Estimate an effect over the seeds, with confidence intervals and p values; correct p values by Holm's method.

An effect is one number a seed: the metric of one cell, or a contrast of cells paired by seed. A contrast is tested by
Student's t (`Difference`). nonparametric.py and betting.py have the tests for numbers whose mean t cannot judge. The
distributions are SciPy's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.looking import t_critical, t_looked

ALPHA = 0.05  # the error rate over all claims of a study, in each direction; intervals are 95%
POWER = 0.8  # the power at which "about n more seeds" are enough
ENOUGH = 10  # numbers: a 95% bootstrap interval of ten covers nearly 95%, one of three 71%

Interval = tuple[float, float]


class Effect(ABC):
    """An estimate from one number a seed. All p values are one-sided; `judged` is the statistic that they are about."""

    values: tuple[float, ...]
    judged = "mean"

    @property
    def n(self) -> int:
        """The number of seeds."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """The estimate."""
        return math.fsum(self.values) / self.n

    @property
    def interval(self) -> Interval | None:
        """The 95% confidence interval of the estimate, or None."""
        return None

    @property
    def bootstrap(self) -> Interval | None:
        """The 95% bootstrap interval of the mean (BCa, from a fixed seed); None of fewer than ENOUGH numbers."""
        return bootstrap_interval(self.values) if self.n >= ENOUGH else None

    @abstractmethod
    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        """The p value for "the effect lies above `bound`", or below it: small if it does.

        Args:
            horizon: corrects it for looks after every seed up to this number; see looking.py.
        """

    def critical(self, alpha: float, horizon: int | None, bound: float, *, above: bool) -> float:
        """The p value that is needed for `alpha`: smaller than it where looks up to a horizon are allowed for."""
        return alpha

    def least_p(self, bound: float, *, above: bool) -> float:
        """The smallest p value that is possible with n seeds: ½ⁿ, that of the sign test."""
        return 0.5**self.n

    @abstractmethod
    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        """The probability that `p` of `n` seeds is at most `alpha`, if the truth equals the estimate.

        `n` may be an array.
        """


class MeanEffect(Effect):
    """A mean whose test needs only its distance from the bound."""

    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        return self._p(self.mean - bound if above else bound - self.mean, horizon)

    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        return self._power(self.mean - bound if above else bound - self.mean, n, alpha)

    def critical(self, alpha: float, horizon: int | None, bound: float, *, above: bool) -> float:
        return alpha if horizon is None else t_critical(alpha, horizon)

    @abstractmethod
    def _p(self, shift: float, horizon: int | None) -> float:
        """One-sided p value for a mean above zero, with the estimate `shift`."""

    @abstractmethod
    def _power(self, shift: float, n: Any, alpha: float) -> Any:
        """The power of the test of a mean above zero, if it is `shift`."""


@dataclass(frozen=True)
class Difference(MeanEffect):
    """A mean over seeds, tested by Student's t; usually of plus − minus, paired by seed.

    Without any spread, known or measured, t is undefined: there is no interval, and p is that of the sign test, ½ⁿ.
    """

    values: tuple[float, ...]
    sd: float  # n − 1 in the denominator
    judged: str = "mean"

    @property
    def interval(self) -> Interval | None:
        if self.sd == 0:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.n - 1, 1 - ALPHA / 2)) * self.sd / math.sqrt(self.n)
        return self.mean - half, self.mean + half

    def _p(self, shift: float, horizon: int | None) -> float:
        if self.sd == 0:
            p = 0.5**self.n if shift > 0 else 1.0
        else:
            from scipy.special import stdtr

            p = float(stdtr(self.n - 1, -shift * math.sqrt(self.n) / self.sd))
        return p if horizon is None else t_looked(p, horizon)

    def _power(self, shift: float, n: Any, alpha: float) -> Any:
        """The power of the one-sided t test, by the noncentral t distribution."""
        import numpy as np
        from scipy.special import nctdtr, stdtrit

        n = np.asarray(n)
        if self.sd == 0:
            return np.where((0.5**n <= alpha) & (shift > 0), 1.0, 0.0)
        noncentrality = np.sqrt(n) * min(30.0, max(-30.0, shift / self.sd))  # for larger ones SciPy returns nan
        cdf = np.nan_to_num(nctdtr(n - 1, noncentrality, stdtrit(n - 1, 1 - alpha)), nan=0.0 if shift > 0 else 1.0)
        return 1 - cdf


def difference_of(values: Sequence[float], *, scale: float, unit: float = 0.0, judged: str = "mean") -> Difference:
    """The effect of finite numbers, one a seed.

    Args:
        scale: the largest absolute value among the numbers that were subtracted; a standard deviation below the
            rounding error of that size counts as zero.
        unit: the step in which the metric is counted, such as one image of a test set; 0 if unknown. The standard
            deviation is taken to be at least unit / 2, the largest of numbers that fall on two neighbouring steps: a
            few equal numbers do not show that there is no spread.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    if len(values) < 2:
        raise ValueError(f"a paired difference needs at least 2 pairs; got {len(values)}")
    if not all(map(math.isfinite, values)):
        raise ValueError("a paired difference needs finite values: a diverged run has no finite loss; compare errors")
    return Difference(values=tuple(values), sd=spread_of(values, scale=scale, unit=unit), judged=judged)


def spread_of(values: Sequence[float], *, scale: float, unit: float) -> float:
    """The sample standard deviation of at least two numbers, as `difference_of` takes it."""
    mean = math.fsum(values) / len(values)
    sd = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))
    rounding = 1e-12 * scale  # 90.3 − 90.2 and 50.3 − 50.2 differ only by rounding
    return max(0.0 if sd <= rounding else sd, unit / 2)


def bootstrap_interval(values: Sequence[float]) -> Interval | None:
    """SciPy's BCa interval of the mean, from a fixed seed; None if all values are equal or one is not finite."""
    if len(set(values)) < 2 or not all(map(math.isfinite, values)):
        return None
    import numpy as np
    from scipy import stats

    draws = stats.bootstrap((np.asarray(values),), np.mean, random_state=0)  # pyright: ignore[reportCallIssue]
    found = draws.confidence_interval
    return float(found.low), float(found.high)


def holm(p_values: Sequence[float], family: int = 0) -> list[float]:
    """Holm 1979: adjusted p values, in the given order; further ones of `family` claims count as not shown."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    many = max(family, len(p_values))
    adjusted, largest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (many - step) * p_values[i]))
        adjusted[i] = largest
    return adjusted
