"""What the effects of a claim show: how surely all of its parts lie inside their regions, or one of them outside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ablations.analysis.claim_schema import Part
from ablations.analysis.statistics import POWER, Effect

MOST_SEEDS = 100  # beyond this many, "about how many more seeds" is of no use to anybody


@dataclass(frozen=True)
class Evidence:
    """A claim's effects, part by part."""

    parts: tuple[Part, ...]
    effects: tuple[Effect, ...]

    @property
    def holds(self) -> bool:
        """Whether the estimates lie inside, however surely."""
        return all(part.holds(effect.mean) for part, effect in zip(self.parts, self.effects, strict=True))

    @property
    def inside(self) -> float:
        """p of "not all parts lie inside": the largest of the tests that must all succeed."""
        return max(
            p
            for part, effect in zip(self.parts, self.effects, strict=True)
            for p in (
                effect.p_above(part.low) if part.low > -math.inf else 0.0,
                effect.p_below(part.high) if part.high < math.inf else 0.0,
            )
        )

    @property
    def outside(self) -> float:
        """p of "all parts lie inside": the smallest of the tests of which one may succeed, times their number."""
        tests = [
            p
            for part, effect in zip(self.parts, self.effects, strict=True)
            for p in (
                effect.p_below(part.low) if part.low > -math.inf else None,
                effect.p_above(part.high) if part.high < math.inf else None,
            )
            if p is not None
        ]
        return min(1.0, len(tests) * min(tests))

    def least_p(self, *, inside: bool) -> float:
        """The smallest p that so many seeds can give, inside or outside, without assuming how they are distributed."""
        each = [
            effect.least_p(bound, above=(bound == part.low) == inside)
            for part, effect in zip(self.parts, self.effects, strict=True)
            for bound in part.ends
        ]
        return max(each) if inside else min(1.0, len(each) * min(each))

    @property
    def weakest(self) -> Effect:
        """The effect of the part that is the least sure to lie inside."""
        single = [Evidence((part,), (effect,)) for part, effect in zip(self.parts, self.effects, strict=True)]
        return max(single, key=lambda evidence: evidence.inside).effects[0]

    def enough(self, level: float, *, inside: bool) -> int | None:
        """The smallest number of seeds that shows with POWER what was seen, at a level; None beyond MOST_SEEDS."""
        import numpy as np

        n = np.arange(2, MOST_SEEDS + 1)
        power: list[Any] = []
        ends = sum((part.low > -math.inf) + (part.high < math.inf) for part in self.parts)
        for part, effect in zip(self.parts, self.effects, strict=True):
            for bound, above in ((part.low, inside), (part.high, not inside)):
                if math.isfinite(bound):
                    at = level if inside else level / ends
                    power.append(effect.power_above(bound, n, at) if above else effect.power_below(bound, n, at))
        together = sum(power) - (len(power) - 1) if inside else np.max(power, axis=0)  # all must succeed: Bonferroni
        surely = n[(together >= POWER) & (n > self.effects[0].n)]
        return int(surely[0]) if len(surely) else None
