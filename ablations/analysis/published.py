"""Compare the mean of our runs with a published number, which scatters too.

The difference of the two means has the variance s²/k + sd²/n: k runs of ours with standard deviation s, n published
ones with sd. Welch's t test, with the degrees of freedom of Welch and Satterthwaite. What is not published is assumed:

    sd unknown       the published runs scatter as ours do: s² (1/k + 1/n) with k − 1 degrees of freedom
    n unknown        one run
    sd, but not n    the sd rests on two runs, the fewest that have one
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.looking import t_looked
from ablations.analysis.statistics import ALPHA, Interval, MeanEffect, spread_of
from ablations.question.wording import counted


@dataclass(frozen=True)
class Agreement(MeanEffect):
    """The difference of our mean and a published number; `values` are ours minus that number, `sd` is that of ours."""

    values: tuple[float, ...]
    sd: float
    published_sd: float | None = None
    published_n: int | None = None
    judged: str = "mean of seeds like these, less the published one"

    @property
    def interval(self) -> Interval | None:
        from scipy.special import stdtrit

        error, df = self.standard_error, self.df
        if not error:
            return None
        half = float(stdtrit(df, 1 - ALPHA / 2)) * error
        return self.mean - half, self.mean + half

    @property
    def bootstrap(self) -> Interval | None:
        """None: there is one published number, from which nothing can be drawn."""
        return None

    @property
    def standard_error(self) -> float:
        return math.sqrt(self._variance(self.n))

    @property
    def df(self) -> float:
        """The degrees of freedom of the standard error."""
        return float(self._df(self.n))

    @property
    def words(self) -> str:
        """What is known of the published runs, and what is assumed: `published sd unknown, taken to be ours`."""
        n, sd = self.published_n, self.published_sd
        unknown = "number of runs unknown, taken as one"
        if sd is not None:
            return f"published sd {sd:g}" + (f" of {counted(n, 'run')}" if n else f", {unknown}")
        return "published spread unknown, taken to be ours" + (f" ({counted(n, 'run')})" if n else f"; {unknown}")

    @property
    def _theirs(self) -> float:
        """The variance of the published number."""
        return (self.sd if self.published_sd is None else self.published_sd) ** 2 / (self.published_n or 1)

    def _variance(self, n: Any) -> Any:
        """The variance of the difference, with n runs of ours."""
        return self.sd**2 / n + self._theirs

    def _df(self, n: Any) -> Any:
        if self.published_sd is None or not self._theirs:
            return n - 1
        return self._variance(n) ** 2 / (
            (self.sd**2 / n) ** 2 / (n - 1) + self._theirs**2 / (max(self.published_n or 1, 2) - 1)
        )

    def _p(self, shift: float, horizon: int | None) -> float:
        """One-sided p value for a difference above zero; that of the sign test where nothing scatters.

        Looks are allowed for as by Student's t test. Here they have more in common, the same published number.
        """
        from scipy.special import stdtr

        by_signs = 0.5**self.n if shift > 0 else 1.0
        p = float(stdtr(self.df, -shift / error)) if (error := self.standard_error) else by_signs
        return p if horizon is None else t_looked(p, horizon)

    def _power(self, shift: float, n: Any, alpha: float) -> Any:
        """The power with n runs of ours: the published number keeps its variance, however many they are."""
        import numpy as np
        from scipy.special import nctdtr, stdtrit

        n = np.asarray(n)
        error, df = np.sqrt(self._variance(n)), self._df(n)
        if not self.standard_error:
            return np.where((0.5**n <= alpha) & (shift > 0), 1.0, 0.0)
        away = np.clip(shift / error, -30, 30)  # beyond, SciPy returns nan
        return 1 - np.nan_to_num(nctdtr(df, away, stdtrit(df, 1 - alpha)), nan=0.0 if shift > 0 else 1.0)


def agreement(
    values: Sequence[float], published: float, sd: float | None = None, n: int | None = None, *, unit: float = 0.0
) -> Agreement:
    """Compare our runs with a published number, the mean of `n` runs with the standard deviation `sd`.

    Args:
        values: the metric of our runs, one a seed.
        unit: the step in which the metric is counted, see `difference_of`.

    Raises:
        ValueError: fewer than two runs, a value that is not finite, a negative sd, or n below 1.
    """
    if len(values) < 2:
        raise ValueError(f"to compare with a published number takes at least 2 runs; got {len(values)}")
    if not all(map(math.isfinite, (*values, published))):
        raise ValueError("to compare with a published number takes finite values: a diverged run has no finite loss")
    if sd is not None and not 0 <= sd < math.inf:
        raise ValueError(f"the published standard deviation is 0 or more, not {sd}")
    if n is not None and n < 1:
        raise ValueError(f"the published number is the mean of 1 run or more, not of {n}")
    own = spread_of(values, scale=max(map(abs, (*values, published))), unit=unit)
    return Agreement(tuple(value - published for value in values), own, sd, n)
