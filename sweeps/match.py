"""Match budgets: `match: params` plans each cell as it is, and with the width that gives all cells equal budgets.

The grid's points get a `budget`, raw or matched; the first point that can be built sets the budget. In claims and
tables `budget` is then an axis like any other, and a claim that does not name it means the raw cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablations.analysis.cell_selection import BUDGET, MATCHED, RAW
from ablations.question.budget_matching import UNIT, Scale, match_widths
from ablations.question.study import Point, StudyError

BUDGETS = ("params", "macs")
Count = Callable[[Point], tuple[int, float]]


def budget_of(study: dict[str, Any]) -> str | None:
    """Return what the cells of the study are matched in: params, macs, or None; StudyError where that cannot be."""
    match = study.get("match")
    if match is not None and match not in BUDGETS:
        raise StudyError(f"match: {match} is neither of {', '.join(BUDGETS)}")
    if match is not None and study.get("space"):
        raise StudyError("match and space do not go together; a search can have the budget as a constraint")
    return match


def raw_and_matched(points: list[Point]) -> list[Point]:
    """Return each point twice, with `budget` raw and with `budget` matched."""
    return [{**point, BUDGET: budget} for point in points for budget in (RAW, MATCHED)]


@dataclass
class Widths:
    """Find the widths of matched points; all are solved together, when the first is asked for.

    Args:
        points: all of the grid, with what is fixed.
        count: point → what is matched, and its width; raises ValueError for a point that cannot be built.
    """

    points: list[Point]
    count: Count

    def __call__(self, point: Point) -> Point:
        """Replace `budget` in a point by the width that it stands for; ValueError where no width suits."""
        bare = _bare(point)
        if point.get(BUDGET) != MATCHED:
            return bare
        widths, reasons = self.solved
        if repr(bare) in reasons:
            raise ValueError(reasons[repr(bare)])
        return {**bare, "width": widths[repr(bare)]}

    @cached_property
    def solved(self) -> tuple[dict[str, float], dict[str, str]]:
        """The width of each point, or the reason why there is none; keys are the repr of the bare point."""
        scales: dict[str, Scale] = {}
        reasons: dict[str, str] = {}
        target: int | None = None
        for point in (_bare(point) for point in self.points if point.get(BUDGET) == MATCHED):
            try:
                own, width = self.count(point)
            except ValueError as error:
                reasons[repr(point)] = str(error)
                continue
            target = own if target is None else target
            scales[repr(point)] = Scale(self._scaled(point), width, {round(width * UNIT): own})
        widths, more = match_widths(scales, target or 0)
        return widths, reasons | more

    def _scaled(self, point: Point) -> Callable[[float], int]:
        return lambda width: self.count({**point, "width": width})[0]


def _bare(point: Point) -> Point:
    return {axis: value for axis, value in point.items() if axis != BUDGET}
