"""List the terms of an analysis of variance: each axis, each pair of axes, options nested in their axis.

An axis is nested in another if the other's value says whether it is active: a plain block has no shortcut, so
`shortcut` is nested in `block`. Its term compares its values inside the values of `block` that have it. Each term comes
with the projector (a symmetric matrix, cells × cells) onto what it adds to the terms that do not contain it (Type II).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ablations.analysis.results import INACTIVE

HIGHER_ORDER = "three and more together"
Cell = Mapping[str, str]  # axis → value, as text


class Projected(NamedTuple):
    """A term and its projector; `df` is the rank of the projector."""

    axes: tuple[str, ...]
    within: tuple[str, ...]
    df: int
    projector: Any


def nesting(axes: Sequence[str], cells: Sequence[Cell]) -> dict[str, str]:
    """Find the axes that are nested, and the axis that each is nested in.

    Where several axes would do, the one that the name gives is taken (`body` for `body.reduction`), then one that is
    active everywhere, then the first.
    """
    partial = {axis for axis in axes if any(cell[axis] == INACTIVE for cell in cells)}
    found: dict[str, str] = {}
    for axis in (axis for axis in axes if axis in partial):
        for other in sorted(axes, key=lambda one: (not axis.startswith(f"{one}."), one in partial)):
            having = {cell[other] for cell in cells if cell[axis] != INACTIVE}
            lacking = {cell[other] for cell in cells if cell[axis] == INACTIVE}
            if INACTIVE not in having and not having & lacking and axis not in _closure(other, found):
                found[axis] = other
                break
    return found


def varying(axes: Sequence[str], cells: Sequence[Cell]) -> list[str]:
    """The axes that have two values somewhere: a nested axis inside one value of the axis that it is nested in."""
    parents = nesting(axes, cells)

    def groups(axis: str) -> dict[str, set[str]]:
        seen: dict[str, set[str]] = {}
        for cell in cells:
            seen.setdefault(cell[parents[axis]] if axis in parents else "", set()).add(cell[axis])
        return seen

    return [axis for axis in axes if any(len(values) > 1 for values in groups(axis).values())]


def project(axes: Sequence[str], cells: Sequence[Cell]) -> list[Projected]:
    """The terms of the axes with their projectors, for the means of the cells in the given order."""
    import numpy as np

    parents = nesting(axes, cells)
    named: dict[frozenset[str], tuple[str, ...]] = {_closure(axis, parents): (axis,) for axis in axes}
    for a, b in combinations(axes, 2):
        named.setdefault(_closure(a, parents) | _closure(b, parents), (a, b))
    columns = {term: _indicators([tuple(cell[axis] for axis in sorted(term)) for cell in cells]) for term in named}
    ones = np.ones((len(cells), 1))
    found = []
    for term, own in named.items():
        others = [columns[other] for other in columns if not term <= other]
        gained = _projector([ones, *others, columns[term]]) - _projector([ones, *others])
        within = tuple(dict.fromkeys(parents[axis] for axis in own if axis in parents))
        df = round(np.trace(gained))
        if df or not (len(own) > 1 and within):  # options that never meet have nothing to do together
            found.append(Projected(own, within, df, gained))
    if len(axes) > 2:
        rest = np.eye(len(cells)) - _projector([ones, *columns.values()])
        df = round(np.trace(rest))
        found += [Projected((HIGHER_ORDER,), (), df, rest)] if df or not parents else []
    return found


def combinations_possible(axes: Sequence[str], cells: Sequence[Cell]) -> int:
    """How many combinations of values the axes allow; a nested axis counts inside each value that has it."""
    parents = nesting(axes, cells)

    def count(axis: str, members: Sequence[Cell]) -> int:
        """The values of an axis among some cells, each times the values of what is nested in it."""
        inner = [other for other in axes if parents.get(other) == axis]
        total = 0
        for value in dict.fromkeys(cell[axis] for cell in members):
            having = [cell for cell in members if cell[axis] == value]
            total += math.prod(count(other, having) for other in inner)
        return total

    return math.prod(count(axis, cells) for axis in axes if axis not in parents)


def _closure(axis: str, parents: Mapping[str, str]) -> frozenset[str]:
    """The axis, the axis it is nested in, and so on."""
    return frozenset({axis}) | (_closure(parents[axis], parents) if axis in parents else frozenset())


def _indicators(levels: Sequence[tuple[str, ...]]) -> Any:
    """One column for each level: 1 in the rows of the cells that have it, else 0."""
    import numpy as np

    return np.array([[float(level == name) for name in dict.fromkeys(levels)] for level in levels])


def _projector(columns: Sequence[Any]) -> Any:
    """The projector onto the span of columns, which may be linearly dependent."""
    import numpy as np

    basis, sizes, _ = np.linalg.svd(np.hstack(columns), full_matrices=False)
    basis = basis[:, sizes > 1e-9 * sizes[0]]
    return basis @ basis.T
