"""Test the mean of numbers that lie between two ends, such as errors in percent, whatever their distribution.

Student's t fails where a cell sometimes fails to train: three seeds of 1% say nothing of the fourth, of 90%. Betting
holds: a player bets, seed after seed, that the numbers lie above a bound m. If the mean is at most m, no bet gains on
average, and the capital exceeds 1/p at any time with a probability of at most p (Ville's inequality): its inverse is
a p value that holds at every look. With bets λ spread evenly over (0, 1) the capital after the numbers x₁ … xₙ is

    K(m) = mean over λ of  Π (1 + λ (xᵢ − m) / (m − low))

Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting", Sec. 4 and App. B (arXiv
2010.09686).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ablations.analysis.statistics import ALPHA, Effect, Interval

BETS = 60  # values of λ


@dataclass(frozen=True)
class BoundedMean(Effect):
    """The mean of numbers in [low, high], tested by betting; valid at every look, so looks cost nothing more."""

    values: tuple[float, ...]
    low: float
    high: float
    judged: str = "mean, by betting"

    @property
    def interval(self) -> Interval | None:
        """The 95% confidence interval, valid at every look: the bounds that neither player has ruled out."""
        return self._end(self.low, above=True), self._end(self.high, above=False)

    def least_p(self, bound: float, *, above: bool) -> float:
        return 0.0  # there is no limit that only the number of seeds sets

    def _returns(self, bound: float, *, above: bool) -> Any:
        """(xᵢ − m) / (m − low): what a bet of 1 gains with each number, at worst −1. None for a bound outside."""
        import numpy as np

        room = bound - self.low if above else self.high - bound
        x = np.asarray(self.values)
        return (x - bound if above else bound - x) / room if 0 < room < self.high - self.low else None

    def p(self, bound: float = 0.0, horizon: int | None = None, *, above: bool) -> float:
        import numpy as np

        returns = self._returns(bound, above=above)
        if returns is None:  # every number lies on one side of such a bound
            outside = bound < self.low if above else bound > self.high
            return 0.0 if outside else 1.0
        bets = (np.arange(BETS) + 0.5) / BETS
        logs = np.cumsum(np.log1p(bets[:, None] * returns), axis=1)  # [bet, seed]
        capital = np.logaddexp.reduce(logs, axis=0) - math.log(BETS)
        return float(min(1.0, np.exp(-capital.max())))

    def _end(self, start: float, *, above: bool) -> float:
        """The bound nearest to the mean that is ruled out from the side of `start`."""
        out, inside = start, self.mean
        for _ in range(40):
            middle = (out + inside) / 2
            ruled_out = self.p(middle, above=above) <= ALPHA / 2
            out, inside = (middle, inside) if ruled_out else (out, middle)
        return out

    def power(self, bound: float, n: Any, alpha: float, *, above: bool) -> Any:
        """How far the capital grows on the way to 1 / alpha, at the rate of the best bet on the numbers so far."""
        import numpy as np

        returns = self._returns(bound, above=above)
        if returns is None:
            return np.asarray(n) * 0.0 + (self.p(bound, above=above) == 0)
        bets = (np.arange(BETS) + 0.5) / BETS
        rate = np.log1p(bets[:, None] * returns).mean(axis=1).max()
        return np.clip(np.asarray(n) * rate / math.log(5 / alpha), 0.0, 1.0)  # 5: most bets are worse than the best
