"""Test whether the effects of a claim lie inside the regions where the claim expects them.

A claim holds if all its hypotheses hold, so "inside" needs every test to succeed (intersection-union test: the largest
p value counts), and "outside" needs one of them (Bonferroni: the smallest p value times the number of tests counts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from ablations.analysis.claim_schema import Hypothesis
from ablations.analysis.statistics import POWER, Effect

MOST_SEEDS = 100  # above this, the advice "about n more seeds" helps nobody


class BoundTest(NamedTuple):
    """One test of an effect against one end of its region."""

    effect: Effect
    bound: float
    above: bool

    def p(self, horizon: int | None = None) -> float:
        return self.effect.p(self.bound, horizon, above=self.above)

    def critical(self, alpha: float, horizon: int | None) -> float:
        return self.effect.critical(alpha, horizon, self.bound, above=self.above)

    def power(self, n: Any, alpha: float, horizon: int | None) -> Any:
        return self.effect.power(self.bound, n, self.critical(alpha, horizon), above=self.above)


@dataclass(frozen=True)
class Evidence:
    """The hypotheses of a claim and their effects; looks are allowed for up to `horizon` seeds, with None for none."""

    hypotheses: tuple[Hypothesis, ...]
    effects: tuple[Effect, ...]
    horizon: int | None = None

    @property
    def pairs(self) -> list[tuple[Hypothesis, Effect]]:
        return list(zip(self.hypotheses, self.effects, strict=True))

    @property
    def holds(self) -> bool:
        """Whether the estimates lie inside their regions, without regard to uncertainty."""
        return all(hypothesis.holds(effect.mean) for hypothesis, effect in self.pairs)

    @property
    def p_inside(self) -> float:
        """The p value for "all effects lie inside", of one look."""
        return self._inside(None)

    @property
    def looked_inside(self) -> float:
        """The p value for "all effects lie inside", corrected for the looks."""
        return self._inside(self.horizon)

    @property
    def looked_outside(self) -> float:
        """The p value for "at least one effect lies outside", corrected for the looks."""
        tests = [test.p(self.horizon) for test in self.tests(inside=False)]
        return min(1.0, len(tests) * min(tests)) if tests else 1.0

    def level(self, alpha: float) -> float:
        """The p value that "all effects lie inside" must reach for `alpha`, where its weakest test decides."""
        decisive = max(self.tests(inside=True), key=lambda test: test.p(self.horizon))
        return self._sides * decisive.critical(alpha / self._sides, self.horizon)

    def tests(self, *, inside: bool) -> list[BoundTest]:
        """The tests, one for each finite end: that the effect lies inside of it, or outside.

        That an effect equals a number exactly cannot be shown: "differs from" has no tests for outside.
        """
        found: list[BoundTest] = []
        for one, effect in self.pairs:
            if one.differs:
                found += [BoundTest(effect, one.low, above=effect.mean > one.low)] if inside else []
                continue
            found += [BoundTest(effect, one.low, above=inside)] if one.low > -math.inf else []
            found += [BoundTest(effect, one.high, above=not inside)] if one.high < math.inf else []
        return found

    @property
    def _sides(self) -> int:
        """2 for "differs from", which may be shown on either side, else 1: so often p counts."""
        return 2 if any(one.differs for one in self.hypotheses) else 1

    def _inside(self, horizon: int | None) -> float:
        """The largest p value of the tests; of "differs from" twice that of the side where the estimate lies."""
        return min(1.0, self._sides * max(test.p(horizon) for test in self.tests(inside=True)))

    def least_p(self, *, inside: bool) -> float:
        """The smallest p value that this number of seeds can give, for any distribution."""
        tests = [test.effect.least_p(test.bound, above=test.above) for test in self.tests(inside=inside)]
        return self._sides * max(tests) if inside else min(1.0, len(tests) * min(tests, default=1.0))

    @property
    def weakest(self) -> Effect:
        """The effect with the largest p value for "inside"."""
        return max(self.pairs, key=lambda pair: Evidence((pair[0],), (pair[1],)).p_inside)[1]

    def seeds_needed(self, alpha: float, power: float = POWER) -> int | None:
        """The smallest number of seeds with which the likelier outcome is shown, if the effects are as estimated.

        It is more than there are now; None if MOST_SEEDS, or the seeds of the last look, are not enough.

        Args:
            alpha: the significance level, already divided by Holm's factor.
            power: the probability of showing it.
        """
        import numpy as np

        n = np.arange(2, (self.horizon or MOST_SEEDS) + 1)
        enough = n[(self.power(n, alpha) >= power) & (n > self.effects[0].n)]
        return int(enough[0]) if len(enough) else None

    def power(self, n: Any, alpha: float) -> Any:
        """The probability that `n` seeds (an array) show the likelier outcome, if the effects are as estimated."""
        import numpy as np

        n, inside = np.asarray(n), self.holds
        tests = self.tests(inside=inside)
        if not tests:
            return np.zeros(len(n))
        each = alpha if inside else alpha / len(tests)
        powers = [test.power(n, each, self.horizon) for test in tests]
        return sum(powers) - (len(powers) - 1) if inside else np.max(powers, axis=0)  # Bonferroni: all must succeed
