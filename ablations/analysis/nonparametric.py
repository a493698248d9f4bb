"""Effects that have no mean to trust: infinite numbers are ranked, shares are counted, counts are exact."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.statistics import LEVEL, Effect, Interval


@dataclass(frozen=True)
class SignedRank(Effect):
    """Numbers of which some are infinite (a diverged loss, a level never reached): Wilcoxon's signed ranks, exact.

    Infinite differences have the largest ranks; infinity against infinity (nan) is a tie, which speaks for nobody. The
    null distribution is that of all sign flips. A single cell's numbers have no reason to be symmetric: `alone`, only
    their signs count.
    """

    values: tuple[float, ...]
    alone: bool = False

    @property
    def mean(self) -> float:
        """The median, which may be infinite; a tie counts as 0."""
        return statistics.median(0.0 if math.isnan(value) else value for value in self.values)

    @property
    def bootstrap(self) -> Interval | None:
        return None

    def p_above(self, bound: float = 0.0) -> float:
        return self._p([value - bound for value in self.values])

    def p_below(self, bound: float = 0.0) -> float:
        return self._p([bound - value for value in self.values])

    def power_above(self, bound: float, n: Any, level: float) -> Any:
        return sign_power([value - bound for value in self.values], n, level)

    def power_below(self, bound: float, n: Any, level: float) -> Any:
        return sign_power([bound - value for value in self.values], n, level)

    def _p(self, shifts: Sequence[float]) -> float:
        shifts = [0.0 if math.isnan(shift) else shift for shift in shifts]
        if self.alone:
            return sign_test(shifts)
        import numpy as np
        from scipy import stats

        ranks = np.sign(shifts) * stats.rankdata(np.abs(shifts))  # Pratt: zeros are ranked, and count for nothing
        draws = 2 ** min(self.n, 13) + 1  # all sign flips of up to 13 seeds; so many random ones of more
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
class PairedProportions(Effect):
    """A contrast of shares (diverged or not), seed by seed −1, 0 or 1: the exact sign test, as McNemar's; bound 0."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    def p_above(self, bound: float = 0.0) -> float:
        return sign_test([value - bound for value in self.values])

    def p_below(self, bound: float = 0.0) -> float:
        return sign_test([bound - value for value in self.values])

    def power_above(self, bound: float, n: Any, level: float) -> Any:
        return sign_power([value - bound for value in self.values], n, level)

    def power_below(self, bound: float, n: Any, level: float) -> Any:
        return sign_power([bound - value for value in self.values], n, level)


@dataclass(frozen=True)
class Share(Effect):
    """The share of one cell's seeds: the exact binomial test, Clopper and Pearson's interval."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / self.n

    @property
    def interval(self) -> Interval | None:
        from scipy import stats

        found = stats.binomtest(round(sum(self.values)), self.n).proportion_ci(1 - LEVEL)
        return float(found.low), float(found.high)

    def p_above(self, bound: float = 0.0) -> float:
        return self._p(bound, "greater")

    def p_below(self, bound: float = 0.0) -> float:
        return self._p(bound, "less")

    def least_p(self, bound: float, *, above: bool) -> float:
        return (bound if above else 1 - bound) ** self.n if 0 <= bound <= 1 else 0.0

    def power_above(self, bound: float, n: Any, level: float) -> Any:
        from scipy import stats

        if not 0 <= bound <= 1:
            return 0.0 * n + (bound < 0)
        enough = stats.binom.isf(level, n, bound) + 1
        return stats.binom.sf(enough - 1, n, self.mean)

    def power_below(self, bound: float, n: Any, level: float) -> Any:
        from scipy import stats

        if not 0 <= bound <= 1:
            return 0.0 * n + (bound > 1)
        enough = stats.binom.ppf(level, n, bound)
        enough = enough - (stats.binom.cdf(enough, n, bound) > level)
        return stats.binom.cdf(enough, n, self.mean)

    def _p(self, bound: float, alternative: str) -> float:
        """Of a bound that no share can reach there is nothing to test: an end of a margin may be such."""
        from scipy import stats

        if not 0 <= bound <= 1:
            return float((bound > 1) == (alternative == "greater"))
        return float(stats.binomtest(round(sum(self.values)), self.n, bound, alternative=alternative).pvalue)


@dataclass(frozen=True)
class Exact(Effect):
    """Counts (parameters, multiply-adds): no seed changes them, so nothing is left to chance."""

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

    def power_above(self, bound: float, n: Any, level: float) -> Any:
        return 1 - self.p_above(bound)

    def power_below(self, bound: float, n: Any, level: float) -> Any:
        return 1 - self.p_below(bound)


def sign_test(shifts: Sequence[float]) -> float:
    """One-sided p of "as many below zero as above", ties left out: small when most are above."""
    above, below = sum(shift > 0 for shift in shifts), sum(shift < 0 for shift in shifts)
    if above + below == 0:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(above, above + below, 0.5, alternative="greater").pvalue)


def sign_power(shifts: Sequence[float], n: Any, level: float) -> Any:
    """How likely the sign test of `n` seeds is at most `level`, if as many are above and below as in `shifts`.

    Half a seed is added on either side: all of three seeds above does not mean that all of thirty will be.
    """
    import numpy as np
    from scipy import stats

    above, below = sum(shift > 0 for shift in shifts), sum(shift < 0 for shift in shifts)
    untied = np.round(np.asarray(n) * (above + below) / len(shifts))
    enough = stats.binom.isf(level, untied, 0.5) + 1
    return np.where(untied > 0, stats.binom.sf(enough - 1, untied, (above + 0.5) / (above + below + 1)), 0.0)
