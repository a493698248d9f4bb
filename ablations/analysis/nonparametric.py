"""Test numbers for which a mean and a t test make no sense: one skewed cell, infinite values, fractions, counts.

Typical              the median, by signs: of one cell, or where numbers are infinite
PairedProportions    a contrast of fractions: the sign test
Proportion           the fraction of one cell: the binomial test
ExactCount           a count that is equal for all seeds: no test
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.looking import binomial_critical, binomial_looked
from ablations.analysis.statistics import ALPHA, Difference, Effect, Interval, difference_of


class _Signs(Effect):
    """The sign test of the numbers less the bound; ties are left out."""

    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        return self._p(self._shifts(bound, above=above), horizon)

    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        return self._power(self._shifts(bound, above=above), n, alpha)

    def critical(self, alpha: float, horizon: int | None, bound: float, *, above: bool) -> float:
        return alpha if horizon is None else binomial_critical(alpha, horizon)

    def _shifts(self, bound: float, *, above: bool) -> list[float]:
        return [value - bound if above else bound - value for value in self.values]

    def _p(self, shifts: Sequence[float], horizon: int | None) -> float:
        p = sign_test(shifts)
        return p if horizon is None else binomial_looked(p, horizon)

    def _power(self, shifts: Sequence[float], n: Any, alpha: float) -> Any:
        return sign_power(shifts, n, alpha)


@dataclass(frozen=True)
class Typical(_Signs):
    """The median, tested by signs, which holds for every distribution: the seed in the middle lies above the bound.

    A contrast is judged so where some numbers are infinite (the loss of a diverged run, an error never reached), and
    would be judged by its mean without them. One infinite number must not help: the p value is therefore at least that
    of Student's t with the infinite numbers put where they help least, see `_replaced`.
    """

    values: tuple[float, ...]
    single: bool = False  # the numbers of one cell
    judged: str = "median, by signs"

    @property
    def mean(self) -> float:
        """The median, which may be infinite; infinity less infinity (nan) counts as 0."""
        found = statistics.median(0.0 if math.isnan(value) else value for value in self.values)
        return 0.0 if math.isnan(found) else found

    @property
    def interval(self) -> Interval | None:
        """The interval between two of the ordered numbers that covers the median in at least 95%; None of few."""
        from scipy.special import bdtr

        ordered = sorted(0.0 if math.isnan(value) else value for value in self.values)
        outside = [k for k in range(1, self.n // 2 + 1) if bdtr(k - 1, self.n, 0.5) <= ALPHA / 2]
        return (ordered[outside[-1] - 1], ordered[-outside[-1]]) if outside else None

    @property
    def bootstrap(self) -> Interval | None:
        return None

    def _p(self, shifts: Sequence[float], horizon: int | None) -> float:
        p = sign_test([shift if shift else -1.0 for shift in shifts])  # a number on the bound is not above it
        p = p if horizon is None else binomial_looked(p, horizon)
        finite = None if self.single else _replaced(shifts)
        return p if finite is None else max(p, finite.p(0.0, horizon, above=True))

    def _power(self, shifts: Sequence[float], n: Any, alpha: float) -> Any:
        finite = None if self.single else _replaced(shifts)
        return super()._power(shifts, n, alpha) * (finite is None or finite.mean > 0)


@dataclass(frozen=True)
class PairedProportions(_Signs):
    """A contrast of fractions (diverged or not): −1, 0 or 1 for each seed, tested by McNemar's exact (sign) test."""

    values: tuple[float, ...]
    judged: str = "share of the seeds"


@dataclass(frozen=True)
class Proportion(Effect):
    """The fraction of one cell's seeds: the exact binomial test, with Clopper and Pearson's interval."""

    values: tuple[float, ...]
    judged: str = "share of the seeds"

    @property
    def interval(self) -> Interval | None:
        from scipy import stats

        found = stats.binomtest(round(sum(self.values)), self.n).proportion_ci(1 - ALPHA)
        return float(found.low), float(found.high)

    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        """The p value; certain (0 or 1) for a bound that no fraction can reach, as the end of a margin may be."""
        from scipy import stats

        if not 0 <= bound <= 1:
            return float((bound > 1) == above)
        many, share = round(sum(self.values)), bound if above else 1 - bound
        p = float(stats.binomtest(many if above else self.n - many, self.n, share, alternative="greater").pvalue)
        return p if horizon is None else binomial_looked(p, horizon, share)

    def least_p(self, bound: float, *, above: bool) -> float:
        return (bound if above else 1 - bound) ** self.n if 0 <= bound <= 1 else 0.0

    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        from scipy import stats

        if not 0 <= bound <= 1:
            return 0.0 * n + ((bound < 0) if above else (bound > 1))
        if above:
            critical = stats.binom.isf(alpha, n, bound) + 1
            return stats.binom.sf(critical - 1, n, self.mean)
        critical = stats.binom.ppf(alpha, n, bound)
        critical = critical - (stats.binom.cdf(critical, n, bound) > alpha)
        return stats.binom.cdf(critical, n, self.mean)

    def critical(self, alpha: float, horizon: int | None, bound: float, *, above: bool) -> float:
        if horizon is None or not 0 <= bound <= 1:
            return alpha
        return binomial_critical(alpha, horizon, bound if above else 1 - bound)


@dataclass(frozen=True)
class ExactCount(Effect):
    """A count (parameters, multiply-adds), equal for all seeds: p is 0 or 1."""

    values: tuple[float, ...]
    judged: str = "count"

    @property
    def mean(self) -> float:
        return self.values[0]

    @property
    def bootstrap(self) -> Interval | None:
        return None

    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        return 0.0 if (self.mean > bound if above else self.mean < bound) else 1.0

    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        return 1 - self.p(bound, above=above)


def sign_test(shifts: Sequence[float]) -> float:
    """The one-sided p value for "more lie above zero than below"; ties are left out."""
    above, below = sum(shift > 0 for shift in shifts), sum(shift < 0 for shift in shifts)
    if above + below == 0:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(above, above + below, 0.5, alternative="greater").pvalue)


def sign_power(shifts: Sequence[float], n: Any, alpha: float) -> Any:
    """The probability that the sign test of `n` seeds gives p ≤ alpha, if shifts are positive as often as in `shifts`.

    Half a seed is added to each side: three positive shifts of three do not mean that all of thirty will be positive.
    """
    import numpy as np
    from scipy import stats

    above, below = sum(shift > 0 for shift in shifts), sum(shift < 0 for shift in shifts)
    untied = np.round(np.asarray(n) * (above + below) / len(shifts))
    critical = stats.binom.isf(alpha, untied, 0.5) + 1
    return np.where(untied > 0, stats.binom.sf(critical - 1, untied, (above + 0.5) / (above + below + 1)), 0.0)


def _replaced(shifts: Sequence[float]) -> Difference | None:
    """Finite numbers instead of the shifts, for "above zero"; None where fewer than two shifts are finite.

    +∞ is put at the largest finite shift. −∞ is put so far below that beside it all others are zero: the limit of
    Student's t, which never shows that the mean is above zero.
    """
    shifts = [0.0 if math.isnan(shift) else shift for shift in shifts]
    finite = [shift for shift in shifts if math.isfinite(shift)]
    if len(finite) < 2 or len(finite) == len(shifts):
        return None
    if -math.inf in shifts:
        return difference_of([-1.0 if shift == -math.inf else 0.0 for shift in shifts], scale=1.0)
    return difference_of([min(shift, max(finite)) for shift in shifts], scale=max(map(abs, finite)))
