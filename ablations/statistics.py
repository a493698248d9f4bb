"""Paired differences, their intervals and p values, and Holm's correction. The distributions are SciPy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.05  # the error rate of a study's claims together; intervals are 95%


@dataclass(frozen=True)
class Difference:
    """plus − minus, paired by seed.

    With no spread at all (every pair differs by the same amount) Student's t has nothing to stand on: there is no
    interval, and the p values are those of the exact sign test, ½ⁿ.
    """

    mean: float
    sd: float  # sample standard deviation (n − 1) of the differences
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% confidence interval of the mean difference; None without spread."""
        return self.interval_at(LEVEL)

    def interval_at(self, level: float) -> tuple[float, float] | None:
        """The confidence interval at 1 − level."""
        if self.sd == 0:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.n - 1, 1 - level / 2)) * self.sd / math.sqrt(self.n)
        return self.mean - half, self.mean + half

    def p_above(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is at most `bound`": small when it is larger."""
        return _p_positive(self.mean - bound, self.sd, self.n)

    def p_below(self, bound: float = 0.0) -> float:
        """One-sided p of "the difference is at least `bound`": small when it is smaller."""
        return _p_positive(bound - self.mean, self.sd, self.n)

    def p_two_sided(self, bound: float = 0.0) -> float:
        """Two-sided p of "the difference is `bound`"."""
        return min(1.0, 2 * min(self.p_above(bound), self.p_below(bound)))

    def with_pairs(self, n: int) -> Difference:
        """The same effect and spread seen with `n` pairs: what more seeds would show if nothing else changed."""
        return Difference(mean=self.mean, sd=self.sd, n=n)


def paired_difference(plus: Sequence[float], minus: Sequence[float]) -> Difference:
    """Compare two cells seed by seed.

    Raises:
        ValueError: the sequences differ in length, hold fewer than two pairs, or a difference is not finite.
    """
    if len(plus) != len(minus):
        raise ValueError(f"a paired difference needs a partner for every value; got {len(plus)} and {len(minus)}")
    if len(plus) < 2:
        raise ValueError(f"a paired difference needs at least 2 pairs; got {len(plus)}")
    differences = [a - b for a, b in zip(plus, minus, strict=True)]
    if not all(map(math.isfinite, differences)):
        raise ValueError("a paired difference needs finite values: a diverged run has no finite loss; compare errors")
    mean = math.fsum(differences) / len(differences)
    sd = math.sqrt(math.fsum((x - mean) ** 2 for x in differences) / (len(differences) - 1))
    rounding = 1e-12 * max(map(abs, [*plus, *minus]))  # 90.3 − 90.2 and 50.3 − 50.2 differ by rounding only
    return Difference(mean=mean, sd=0.0 if sd <= rounding else sd, n=len(differences))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given.   Holm 1979."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _p_positive(mean: float, sd: float, n: int) -> float:
    """One-sided p against a mean of at most zero."""
    if sd == 0:
        return 0.5**n if mean > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(n - 1, -mean * math.sqrt(n) / sd))
