"""Find the cells of a study by what is chosen in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.results import Row
from ablations.question.did_you_mean import nearest

BUDGET, RAW, MATCHED = "budget", "raw", "matched"  # of a study with `match:`, as its grid points say


def select(choice: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """The cells that agree with every named axis, by what is active in them or by a grid point they answer.

    Where a study has its cells twice, raw and with matched budgets, the raw ones are meant unless `budget` says else.
    """
    if BUDGET not in choice and any(BUDGET in point for row in rows for point in row.points):
        choice = {BUDGET: RAW, **choice}

    def agrees(known: Mapping[str, Any]) -> bool:
        return all(axis in known and str(known[axis]) == str(value) for axis, value in choice.items())

    return [row for row in rows if any(agrees({**point, **row.axes}) for point in row.points or ({},))]


def not_one(choice: Mapping[str, Any], found: Sequence[Row], rows: Sequence[Row] = ()) -> str:
    """Why `choice`, which found none or several cells of `rows`, names no single one; with the nearest that would."""
    named = ", ".join(f"{axis}={value}" for axis, value in choice.items())
    if not found:
        return f"no such cell in this study: {named}{_nearest(choice, rows)}"
    axes = dict.fromkeys(axis for row in found for axis in row.axes)
    varied = [axis for axis in axes if axis not in choice and len({str(row.axes.get(axis)) for row in found}) > 1]
    return f"{named} matches {len(found)} cells; name also {' and '.join(varied) or 'another axis'}"


def _nearest(choice: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """What of `choice` no row has, and what there is instead."""
    there: dict[str, dict[str, None]] = {}
    for row in rows:
        for axis, value in [*row.axes.items(), *(pair for point in row.points for pair in point.items())]:
            there.setdefault(axis, {})[str(value)] = None
    for axis, value in choice.items():
        if there and axis not in there:
            return f"; it has no axis {axis}{nearest(axis, there, cutoff=0)}"
        if there and str(value) not in there[axis]:
            return f"; {axis} is {', '.join(there[axis])}"
    return ""
