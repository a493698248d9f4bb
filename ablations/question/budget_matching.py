"""Find the width of each cell with which all cells have the same parameters, or multiply-adds, within 2%.

A width multiplies a family's channels, which are whole numbers: a count goes up in steps, on a small network of some
percent. Where a cell has no width close enough to the budget asked for, budgets nearby are tried; where none suits all
cells, the one farthest off is left out and says by how much, until one suits the others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

TOLERANCE = 0.02  # of the largest budget: how far the smallest may be below it
UNIT = 200  # widths are multiples of 0.005
WIDEST = 64 * UNIT
NEAR = 10  # percent: how far from the budget asked for others are tried

Key = TypeVar("Key", bound=Hashable)


class BudgetError(ValueError):
    """Raised where no width reaches a budget; says in one sentence how close one comes."""


@dataclass
class Scale:
    """The count of a network as a function of its width; every width is counted once.

    Args:
        count: width → parameters or multiply-adds; must not fall as the width grows.
        width: the network's own, which is kept where it is as good as any.
    """

    count: Callable[[float], int]
    width: float = 1.0
    known: dict[int, int] = field(default_factory=dict)

    def at(self, k: int) -> int:
        """The count at width k / UNIT."""
        if k not in self.known:
            self.known[k] = self.count(k / UNIT)
        return self.known[k]

    @property
    def own(self) -> int:
        """The count at its own width."""
        return self.at(round(self.width * UNIT))

    def nearest(self, target: int) -> tuple[float, int]:
        """Return the width whose count is nearest to `target`, and that count.

        Raises:
            BudgetError: the width has no influence, or none is wide enough.
        """
        if self.own == target:
            return self.width, target
        low, high = self._around(target)
        if self.at(low) == self.at(high) != target:
            raise BudgetError(f"its width changes nothing: the count stays {self.at(low):,}")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at(middle) < target else (low, middle)
        best = min((low, high), key=lambda k: abs(self.at(k) - target))
        return (self.width if self.own == self.at(best) else best / UNIT), self.at(best)

    def _around(self, target: int) -> tuple[int, int]:
        """Two widths, the first with a count below the target (or the smallest), the second with one not below it."""
        guess = round(self.width * UNIT * (target / max(1, self.own)) ** 0.5)  # counts grow about as the square
        low = high = min(max(guess, 1), WIDEST)
        step = max(1, guess // 50)
        while self.at(high) < target:
            if high == WIDEST:
                raise BudgetError(f"no width up to {WIDEST // UNIT} reaches {target:,}; that has {self.at(high):,}")
            low, high, step = high, min(WIDEST, high + step), 2 * step
        while low > 1 and self.at(low) >= target:
            low, high, step = max(1, low - step), low, 2 * step
        return low, high


def match_widths(scales: Mapping[Key, Scale], target: int) -> tuple[dict[Key, float], dict[Key, str]]:
    """Return widths whose counts agree within TOLERANCE, near `target`, and for each cell without one a reason."""
    reasons: dict[Key, str] = {}
    for key, scale in scales.items():
        try:
            scale.nearest(target)
        except ValueError as error:
            reasons[key] = str(error)
    able = {key: scale for key, scale in scales.items() if key not in reasons}
    while able:
        for percent in sorted(range(-NEAR, NEAR + 1), key=abs):
            budget = round(target * (1 + percent / 100))
            found = {key: scale.nearest(budget) for key, scale in able.items()}
            if _agree([count for _, count in found.values()]):
                return {key: width for key, (width, _) in found.items()}, reasons
        near = {key: scale.nearest(target) for key, scale in able.items()}
        farthest = max(near, key=lambda key: abs(near[key][1] - target))
        width, count = near[farthest]
        nearest = f"the nearest to {target:,} is width={width:g} with {count:,}, {abs(count / target - 1):.1%} off"
        reasons[farthest] = f"no width brings it within {TOLERANCE:.0%} of all the others; {nearest}"
        del able[farthest]
    return {}, reasons


def _agree(counts: list[int]) -> bool:
    return min(counts) >= (1 - TOLERANCE) * max(counts)
