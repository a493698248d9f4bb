"""Write the notes below an analysis of variance: what was analysed, left out, nested, and what it cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.anova_terms import combinations_possible, nesting
from ablations.analysis.failing_seeds import not_excluded
from ablations.analysis.results import INACTIVE, Row
from ablations.question.wording import and_more

Values = dict[int, float]  # seed → value of the metric
Known = Sequence[tuple[Row, Values]]


def seeds_note(known: Known, common: Sequence[int], n: int) -> str:
    """How many runs were analysed, and how they are paired."""
    left = sum(len(values) for _, values in known) - n * len(known)
    size = f"{n * len(known)} runs in {len(known)} cells, {n} a cell, paired "
    if len(common) < 2:
        more = f"; {left} further runs have no pair" if left else ""
        return f"{size}in the order of their seeds, since the cells have no two seeds in common{more}."
    more = f"; {left} further runs have seeds that not all cells have" if left else ""
    return f"{size}by seed{more}."


def grid_notes(rows: Sequence[Row], known: Known, axes: Sequence[str], cells: Sequence[Mapping[str, str]]) -> list[str]:
    """What is missing of the grid, which axes are nested, and what diverged."""
    untrained = sum(not row.n for row in rows)
    notes = [f"Incomplete: {untrained} cells have no run yet."] if untrained else []
    there, full = len({tuple(cell[axis] for axis in axes) for cell in cells}), combinations_possible(axes, cells)
    if there < full:
        present = f"only {there} of the {full} combinations of {', '.join(axes)} have cells"
        notes.append(f"Incomplete grid: {present}; effects and means say nothing about the others.")
    parents = nesting(axes, cells)
    for axis in axes:
        having = [cell for cell in cells if cell[axis] != INACTIVE]
        if axis in parents:
            values = ", ".join(dict.fromkeys(cell[parents[axis]] for cell in having))
            notes.append(f"{axis} is compared within {parents[axis]} ({values}), where it is active.")
        elif len(having) < len(cells):
            notes.append(f"{axis} is not active in {len(cells) - len(having)} of the cells ({INACTIVE}).")
    diverged = sum(row.diverged for row, _ in known)
    verb = "run diverged and counts" if diverged == 1 else "runs diverged and count"
    return notes + ([f"{diverged} {verb} as measured."] if diverged else [])


def spread_note(known: Known, axes: Sequence[str], numbers: Any, share: float) -> str:
    """How much of the variation lies between the seeds of a cell, and which cells scatter least and most."""
    spreads = sorted((float(cell.std(ddof=1)), k) for k, cell in enumerate(numbers))
    (least, first), (most, last) = spreads[0], spreads[-1]
    ends = [f"{sd:.3g} ({names([known[k][0]], axes)})" for sd, k in ((least, first), (most, last))]
    return f"Between the seeds of a cell: {share:.1%} of variation, sd from {' to '.join(ends)}, not pooled."


def failure_note(n: int) -> str:
    """The failure rate that so few seeds do not exclude."""
    return (
        f"Judged are the means of seeds like these: {n} seeds do not exclude that a cell fails to train in "
        f"up to {not_excluded(n):.0%} of its seeds, and no test sees what did not occur."
    )


def names(rows: Sequence[Row], axes: Sequence[str]) -> str:
    """The first cells by their values: `plain 56, residual 8 and 3 more`."""
    named = [" ".join(row.level(axis) for axis in axes if row.level(axis) != INACTIVE) for row in rows]
    return and_more(named, 3)
