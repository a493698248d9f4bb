"""Test values for which a mean and a t test make no sense: infinite values, fractions, counts.

SignedRank           some numbers are infinite: Wilcoxon's signed ranks
PairedProportions    a contrast of fractions: the sign test
Proportion           the fraction of one cell: the binomial test
ExactCount           a count that is equal for all seeds: no test
"""

from __future__ import annotations

import math
import statistics
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.statistics import ALPHA, Effect, Interval


@dataclass(frozen=True)
class _Signed(Effect):
    """A test of whether the values lie above zero; the power is that of the sign test."""

    values: tuple[float, ...]

    @abstractmethod
    def _p(self, shifts: Sequence[float]) -> float:
        """One-sided p value for "the shifts lie above zero"."""

    def p_above(self, bound: float = 0.0) -> float:
        return self._p([value - bound for value in self.values])

    def p_below(self, bound: float = 0.0) -> float:
        return self._p([bound - value for value in self.values])

    def power_above(self, bound: float, n: Any, alpha: float) -> Any:
        return sign_power([value - bound for value in self.values], n, alpha)

    def power_below(self, bound: float, n: Any, alpha: float) -> Any:
        return sign_power([bound - value for value in self.values], n, alpha)


@dataclass(frozen=True)
class SignedRank(_Signed):
    """Numbers of which some are infinite (the loss of a diverged run, a threshold never reached).

    Wilcoxon's signed-rank test, with the null distribution of all sign flips. Infinite differences have the largest
    ranks; infinity minus infinity (nan) is a tie. With `single`, the numbers are those of one cell: they need not be
    symmetric, so only their signs count.
    """

    single: bool = False

    @property
    def mean(self) -> float:
        """The median, which may be infinite; a tie counts as 0."""
        return statistics.median(0.0 if math.isnan(value) else value for value in self.values)

    @property
    def bootstrap(self) -> Interval | None:
        return None

    def _p(self, shifts: Sequence[float]) -> float:
        shifts = [0.0 if math.isnan(shift) else shift for shift in shifts]
        if self.single:
            return sign_test(shifts)
        import numpy as np
        from scipy import stats

        ranks = np.sign(shifts) * stats.rankdata(np.abs(shifts))  # Pratt: zeros get a rank, but do not enter the sum
        draws = 2 ** min(self.n, 13) + 1  # all sign flips of up to 13 seeds; of more seeds, as many random ones
        test = stats.permutation_test(
            (ranks,),
            lambda x, axis=-1: np.sum(x, axis=axis),
            permutation_type="samples",
            alternative="greater",
            n_resamples=draws,
            random_state=0,  # pyright: ignore[reportCallIssue]
        )
        return float(test.pvalue)


@dataclass(frozen=True)
class PairedProportions(_Signed):
    """A contrast of fractions (diverged or not): −1, 0 or 1 for each seed, tested by McNemar's exact (sign) test."""

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    def _p(self, shifts: Sequence[float]) -> float:
        return sign_test(shifts)


@dataclass(frozen=True)
class Proportion(Effect):
    """The fraction of one cell's seeds: the exact binomial test, with Clopper and Pearson's interval."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    @property
    def interval(self) -> Interval | None:
        from scipy import stats

        found = stats.binomtest(round(sum(self.values)), self.n).proportion_ci(1 - ALPHA)
        return float(found.low), float(found.high)

    def p_above(self, bound: float = 0.0) -> float:
        return self._p(bound, "greater")

    def p_below(self, bound: float = 0.0) -> float:
        return self._p(bound, "less")

    def least_p(self, bound: float, *, above: bool) -> float:
        return (bound if above else 1 - bound) ** self.n if 0 <= bound <= 1 else 0.0

    def power_above(self, bound: float, n: Any, alpha: float) -> Any:
        from scipy import stats

        if not 0 <= bound <= 1:
            return 0.0 * n + (bound < 0)
        critical = stats.binom.isf(alpha, n, bound) + 1
        return stats.binom.sf(critical - 1, n, self.mean)

    def power_below(self, bound: float, n: Any, alpha: float) -> Any:
        from scipy import stats

        if not 0 <= bound <= 1:
            return 0.0 * n + (bound > 1)
        critical = stats.binom.ppf(alpha, n, bound)
        critical = critical - (stats.binom.cdf(critical, n, bound) > alpha)
        return stats.binom.cdf(critical, n, self.mean)

    def _p(self, bound: float, alternative: str) -> float:
        """The p value; certain (0 or 1) for a bound that no fraction can reach, as the end of a margin may be."""
        from scipy import stats

        if not 0 <= bound <= 1:
            return float((bound > 1) == (alternative == "greater"))
        return float(stats.binomtest(round(sum(self.values)), self.n, bound, alternative=alternative).pvalue)


@dataclass(frozen=True)
class ExactCount(Effect):
    """A count (parameters, multiply-adds), equal for all seeds: p is 0 or 1."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return self.values[0]

    @property
    def bootstrap(self) -> Interval | None:
        return None

    def p_above(self, bound: float = 0.0) -> float:
        return 0.0 if self.mean > bound else 1.0

    def p_below(self, bound: float = 0.0) -> float:
        return 0.0 if self.mean < bound else 1.0

    def power_above(self, bound: float, n: Any, alpha: float) -> Any:
        return 1 - self.p_above(bound)

    def power_below(self, bound: float, n: Any, alpha: float) -> Any:
        return 1 - self.p_below(bound)


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
