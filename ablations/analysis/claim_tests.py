"""Test whether the effects of a claim lie inside the regions where the claim expects them.

A claim holds if all its hypotheses hold, so "inside" needs every test to succeed (intersection-union test: the largest
p value counts), and "outside" needs one of them (Bonferroni: the smallest p value times the number of tests counts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ablations.analysis.claim_schema import Hypothesis
from ablations.analysis.statistics import POWER, Effect

MOST_SEEDS = 100  # above this, the advice "about n more seeds" helps nobody


@dataclass(frozen=True)
class Evidence:
    """The hypotheses of a claim, and the estimated effect of each."""

    hypotheses: tuple[Hypothesis, ...]
    effects: tuple[Effect, ...]

    @property
    def pairs(self) -> list[tuple[Hypothesis, Effect]]:
        return list(zip(self.hypotheses, self.effects, strict=True))

    @property
    def holds(self) -> bool:
        """Whether the estimates lie inside their regions, without regard to uncertainty."""
        return all(hypothesis.holds(effect.mean) for hypothesis, effect in self.pairs)

    @property
    def p_inside(self) -> float:
        """The p value for "all effects lie inside": the largest p value of the tests, one for each finite bound."""
        tests = [effect.p_above(one.low) for one, effect in self.pairs if one.low > -math.inf]
        return max(tests + [effect.p_below(one.high) for one, effect in self.pairs if one.high < math.inf])

    @property
    def p_outside(self) -> float:
        """The p value for "at least one effect lies outside": the smallest p value times the number of tests."""
        tests = [effect.p_below(one.low) for one, effect in self.pairs if one.low > -math.inf]
        tests += [effect.p_above(one.high) for one, effect in self.pairs if one.high < math.inf]
        return min(1.0, len(tests) * min(tests))

    def least_p(self, *, inside: bool) -> float:
        """The smallest `p_inside` (or `p_outside`) that this number of seeds can give, for any distribution."""
        tests = [
            effect.least_p(bound, above=(bound == one.low) == inside)
            for one, effect in self.pairs
            for bound in one.bounds
        ]
        return max(tests) if inside else min(1.0, len(tests) * min(tests))

    @property
    def weakest(self) -> Effect:
        """The effect with the largest p value for "inside"."""
        return max(self.pairs, key=lambda pair: Evidence((pair[0],), (pair[1],)).p_inside)[1]

    def seeds_needed(self, alpha: float, *, inside: bool) -> int | None:
        """The smallest number of seeds with which the test reaches POWER, if the effects are as estimated.

        Args:
            alpha: the significance level, already divided by Holm's factor.
            inside: whether to show "inside" or "outside".

        Returns:
            more seeds than there are now; None if MOST_SEEDS are not enough.
        """
        import numpy as np

        n = np.arange(2, MOST_SEEDS + 1)
        power: list[Any] = []
        each = alpha if inside else alpha / sum(len(one.bounds) for one in self.hypotheses)
        for one, effect in self.pairs:
            for bound, above in ((one.low, inside), (one.high, not inside)):
                if math.isfinite(bound):
                    power.append(effect.power_above(bound, n, each) if above else effect.power_below(bound, n, each))
        together = sum(power) - (len(power) - 1) if inside else np.max(power, axis=0)  # Bonferroni: all must succeed
        enough = n[(together >= POWER) & (n > self.effects[0].n)]
        return int(enough[0]) if len(enough) else None
