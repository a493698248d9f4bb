"""Decide what tells the cells of a figure apart: names, colours, dashes, panels."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import INACTIVE, Plan, Row, grid_values

OKABE_ITO = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]  # safe for the colour-blind
DASHES = [[1, 0], [6, 3], [2, 2], [9, 3, 2, 3]]

Spec = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """A swept axis of several values.

    Attributes:
        levels: the level of each cell, as text.
        values: the levels that occur, in the order of the grid.
        numeric: whether it is the axis that errors are drawn against.
    """

    name: str
    levels: list[str]
    values: list[str]
    numeric: bool


def axes_of(plan: Plan, rows: Sequence[Row]) -> list[Axis]:
    """The axes that tell the cells apart. A width that was matched to a budget is not one of them."""
    found, numeric = [], numeric_axis(rows)
    for name in plan["swept"]:
        if name == "width" and BUDGET in plan["swept"]:
            continue
        levels, grid = [row.level(name) for row in rows], grid_values(plan, name)
        if plan["study"].get("tunings") and all(isinstance(value, int | float) for value in grid):
            grid = sorted(grid)  # a search meets them in no order
        there = {*levels}
        values = [text for value in grid if (text := str(value)) in there]
        values += sorted(there - {*values, INACTIVE}) + [INACTIVE] * (INACTIVE in there)
        if len(values) > 1:
            found.append(Axis(name, levels, values, name == numeric))
    return found


def numeric_axis(rows: Sequence[Row]) -> str | None:
    """The first swept axis with numbers as values along which some line has two points, or None."""
    for axis in rows[0].shown if rows else ():
        known = [row.shown for row in rows if row.shown[axis] is not None]
        numbers = all(isinstance(at[axis], int | float) and not isinstance(at[axis], bool) for at in known)
        aside = {axis, "width"} if BUDGET in rows[0].shown else {axis}
        lines = [str([value for name, value in at.items() if name not in aside]) for at in known]
        if numbers and len({*zip(lines, (at[axis] for at in known), strict=True)}) > len({*lines}):
            return axis
    return None


def cell_names(axes: Sequence[Axis], *, without: Collection[str] = (), cells: int = 0) -> list[str]:
    """A name for each cell: words as they are, numbers with their axis where there is more than one axis.

    `plain, depth=20`; without the axis `block`: `20`.
    """
    left = [axis for axis in axes if axis.name not in without]
    names = []
    for cell in range(len(axes[0].levels) if axes else cells):
        words = [
            f"{axis.name.rpartition('.')[2]}={axis.levels[cell]}"
            if len(left) > 1 and _is_number(axis.levels[cell])
            else axis.levels[cell]
            for axis in left
            if axis.levels[cell] != INACTIVE
        ]
        names.append(", ".join(words) or "all")
    return names


def panel_axis(axes: Sequence[Axis]) -> Axis | None:
    """The axis that has a panel a value: the first of words, if an axis is left for the lines."""
    return next((axis for axis in axes if not axis.numeric), None) if len(axes) > 1 else None


@dataclass(frozen=True)
class Looks:
    """How the lines of a figure are told apart.

    Attributes:
        columns: `colour` and `dash` of each cell, for the rows of the figure.
        colour, dash: the encodings; `dash` is None where colours are enough.
        shape: whether there are as many point shapes as lines.
    """

    columns: dict[str, list[str]]
    colour: Spec
    dash: Spec | None
    shape: bool


def looks_of(axes: Sequence[Axis], *, without: Collection[str], cells: int) -> Looks:
    """Choose colours and dashes: a colour a line, up to seven; beyond that a colour for one axis, a dash for the other.

    Args:
        without: the axes that are shown in another way.
    """
    left = [axis for axis in axes if axis.name not in without]
    names = cell_names(axes, without=without, cells=cells)
    known, title = list(dict.fromkeys(names)), ", ".join(axis.name for axis in left)
    two = sorted(left, key=lambda axis: (not axis.numeric, -len(axis.values)))
    if len(known) > len(OKABE_ITO) and len(left) == 2 and len(two[0].values) <= 7 and len(two[1].values) <= 4:
        columns = {"colour": two[0].levels, "dash": two[1].levels}
        dash = scaled("dash", two[1].values, two[1].name) | {"legend": LINES}
        dash["scale"] |= {"range": DASHES[: len(two[1].values)]}
        return Looks(columns, scaled("colour", two[0].values, two[0].name), dash, True)
    colour = scaled("colour", known, title)
    if len(known) <= len(OKABE_ITO) or "scheme" in colour["scale"]:
        return Looks({"colour": names}, colour, None, len(known) <= len(OKABE_ITO))
    dash = scaled("colour", known, title) | {"legend": LINES}
    dash["scale"] |= {"range": [DASHES[i // len(OKABE_ITO)] for i in range(len(known))]}
    return Looks({"colour": names}, colour | {"legend": LINES}, dash, False)


LINES = {"orient": "top", "symbolType": "stroke", "symbolSize": 500}


def scaled(field: str, values: Sequence[str], title: str) -> Spec:
    """A nominal encoding with a colour a value. The theme has seven, which come in turn; many values get viridis."""
    ordered = len(values) > len(OKABE_ITO) and all(map(_is_number, values))
    many = ordered or len(values) > len(OKABE_ITO) * len(DASHES)
    scale = {"domain": list(values), **({"scheme": "viridis"} if many else {})}
    legend = {"orient": "top", "symbolType": "circle"}
    return {"field": field, "type": "nominal", "title": title or None, "scale": scale, "legend": legend}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
