"""Find the cells of a study that have given values on given axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.results import Row
from ablations.question.did_you_mean import nearest

BUDGET, RAW, MATCHED = "budget", "raw", "matched"  # the axis that `match:` adds to a study, and its two values


def select(selector: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """The rows whose values agree with the selector (axis → value).

    A value is looked up among the active axes of the cell, then in the grid points that lead to the cell. With `match:`
    in the study every cell exists twice, and a selector says `budget: raw` or `budget: matched`.
    """

    def agrees(known: Mapping[str, Any]) -> bool:
        return all(axis in known and str(known[axis]) == str(value) for axis, value in selector.items())

    return [row for row in rows if any(agrees({**point, **row.axes}) for point in row.points or ({},))]


def raw_cells(selector: Mapping[str, Any], rows: Sequence[Row]) -> list[Row]:
    """As `select`, but with `match:` in the study a selector without `budget` means the raw cells."""
    doubled = BUDGET not in selector and any(BUDGET in point for row in rows for point in row.points)
    return select({BUDGET: RAW, **selector} if doubled else selector, rows)


def selection_error(selector: Mapping[str, Any], found: Sequence[Row], rows: Sequence[Row] = ()) -> str:
    """The error message for a selector that matches no cell of `rows`, or several (`found`).

    It names the nearest value there is, or the axes that would tell the matches apart.
    """
    named = ", ".join(f"{axis}={value}" for axis, value in selector.items())
    if not found:
        return f"no such cell in this study: {named}{_nearest(selector, rows)}"
    axes = dict.fromkeys(axis for row in found for axis in row.axes)
    varied = [axis for axis in axes if axis not in selector and len({str(row.axes.get(axis)) for row in found}) > 1]
    if BUDGET not in selector and any(BUDGET in point for row in found for point in row.points):
        varied = [f"{BUDGET} ({RAW} or {MATCHED})", *(axis for axis in varied if axis != "width")]
    return f"{named} matches {len(found)} cells; name also {' and '.join(varied) or 'another axis'}"


def _nearest(selector: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The first axis or value of the selector that no row has, and what the rows have instead."""
    known: dict[str, dict[str, None]] = {}
    for row in rows:
        for axis, value in [*row.axes.items(), *(pair for point in row.points for pair in point.items())]:
            known.setdefault(axis, {})[str(value)] = None
    for axis, value in selector.items():
        if known and axis not in known:
            return f"; it has no axis {axis}{nearest(axis, known, cutoff=0)}"
        if known and str(value) not in known[axis]:
            return f"; {axis} is {', '.join(known[axis])}"
    return ""
