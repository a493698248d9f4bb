"""Decide what names, colours, dashes and panels mean, once for all charts of a study."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import INACTIVE, Plan, Row, grid_values
from ablations.charts.options import DEFAULTS, FigureOptions

# Okabe and Ito's, safe for the colour-blind; further values get a shade of these, and a dash
LIGHT = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
LIGHT += ["#8C3B00", "#003F63", "#00563F", "#7B3F61", "#8A6100", "#1F6E96", "#8C8C8C"]
DARK = ["#E8752B", "#4FA8E0", "#1FBF93", "#E09AC2", "#F0B840", "#8FD0F5", "#FFFFFF"]
DARK += ["#B8561A", "#2F7FB5", "#0F8A68", "#B06A92", "#B88A2A", "#5A9FC5", "#A0A0A0"]
SAFE = 7
NEUTRAL = "#7a8490"  # of marks that belong to no value
HIGHLIGHT = "#8E6BD1"  # of what stands out: no value has this colour
DASHES = [[1, 0], [6, 3], [2, 2], [9, 3, 2, 3]]
SHAPES = ["circle", "square", "triangle-up", "diamond"]
SPLIT = "split(datum.label, '\\n')"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """A swept axis of several values.

    Attributes:
        levels: the level of each cell, as text.
        values: the levels that occur, in the order that was asked for, or that of the study.
        numeric: whether all of them are numbers.
        label: the axis as it is printed.
        named: the values that speak for themselves, since a person chose their words.
        usual: the values in the order of the study, which decides their colours.
    """

    name: str
    levels: list[str]
    values: list[str]
    numeric: bool
    label: str
    named: frozenset[str] = frozenset()
    usual: tuple[str, ...] = ()

    def words(self, cell: int) -> str:
        """`norm=batch`, or the words that a person chose for the value."""
        level = self.levels[cell]
        return level if level in self.named else f"{self.label}={level.replace(' = ', '/')}"  # of two points one cell


def axes_of(plan: Plan, rows: Sequence[Row], options: FigureOptions = DEFAULTS) -> list[Axis]:
    """The axes that tell the cells apart. A width that was matched to a budget is not one of them."""
    found = []
    for name in plan["swept"]:
        if name == "width" and BUDGET in plan["swept"]:
            continue
        levels, grid = [row.level(name) for row in rows], grid_values(plan, name)
        if plan["study"].get("tunings") and all(isinstance(value, int | float) for value in grid):
            grid = sorted(grid)  # a search meets them in no order
        there = {*levels}
        usual = [text for value in grid if (text := str(value)) in there]
        usual += sorted(there - {*usual, INACTIVE}) + [INACTIVE] * (INACTIVE in there)
        first = [value for value in options.order.get(name, ()) if value in there]
        values = first + [value for value in usual if value not in first]
        if len(values) > 1:
            numeric = all(map(_is_number, there - {INACTIVE}))
            short = {
                value: f"{float(value):.4g}" for value in values if numeric and re.fullmatch(r"-?\d+\.\d{4,}.*", value)
            }
            short = short if len({*short.values()}) == len(short) else {}
            said = {value: options.label(short.get(value, value)) for value in values}
            named = frozenset(said[value] for value in values if value in options.labels)
            label = options.label(name) if name in options.labels else name.rpartition(".")[2]
            levels, words, order = ([said[value] for value in some] for some in (levels, values, usual))
            found.append(Axis(name, levels, words, numeric, label, named, tuple(order)))
    return found


def numeric_axis(rows: Sequence[Row], varied: Mapping[str, int] | None = None) -> str | None:
    """The swept axis with numbers as values along which some line has two points; None where there is none.

    Of several it is the one that most claims vary, then the first; `varied` counts the claims by axis.
    """
    found = []
    for axis in rows[0].shown if rows else ():
        known = [row.shown for row in rows if row.shown[axis] is not None]
        numbers = all(isinstance(at[axis], int | float) and not isinstance(at[axis], bool) for at in known)
        aside = {axis, "width"} if BUDGET in rows[0].shown else {axis}
        lines = [str([value for name, value in at.items() if name not in aside]) for at in known]
        if numbers and len({*zip(lines, (at[axis] for at in known), strict=True)}) > len({*lines}):
            found.append(axis)
    return max(found, key=lambda axis: (varied or {}).get(axis, 0), default=None)


def cell_names(axes: Sequence[Axis], *, without: Collection[str] = (), cells: int = 0) -> list[str]:
    """A name for each cell: `block=plain, depth=20`; without the axis `block`: `depth=20`."""
    left = [axis for axis in axes if axis.name not in without]
    nothing = ", ".join(f"no {axis.label}" for axis in left) or "all"
    return [
        ", ".join(axis.words(cell) for axis in left if axis.levels[cell] != INACTIVE) or nothing
        for cell in range(len(axes[0].levels) if axes else cells)
    ]


def row_names(axes: Sequence[Axis], cells: Sequence[int]) -> tuple[dict[int, str], list[str]]:
    """Names that tell these cells apart, and the choices that all of them share, which the names leave out."""
    same = [axis for axis in axes if len({axis.levels[cell] for cell in cells}) == 1 and len(cells) > 1]
    names = cell_names(axes, without={axis.name for axis in same}, cells=len(cells))
    shared = [axis.words(cells[0]) for axis in same if axis.levels[cells[0]] != INACTIVE]
    return {cell: names[cell] for cell in cells}, shared


def hue_axis(axes: Sequence[Axis], varied: Mapping[str, int], *, x: str | None, wanted: str = "") -> Axis | None:
    """The axis that has a colour a value in every chart: of those with words the one that most claims vary.

    Args:
        varied: axis → how many claims compare its values.
        x: the axis that errors are drawn against, which has a colour only where there is no other.
        wanted: the axis that was asked for.
    """
    others = [axis for axis in axes if axis.name != x] or list(axes)
    pool = [axis for axis in axes if axis.name == wanted] or [axis for axis in others if not axis.numeric] or others
    return max(pool, key=lambda axis: varied.get(axis.name, 0), default=None)


def colours(axis: Axis | None, field: str = "hue") -> Spec:
    """The colour of each value of an axis: of words a colour of the theme, of numbers a shade."""
    if axis is None:
        return {"value": NEUTRAL}
    known, shown = (
        [value for value in some if value != INACTIVE or not axis.numeric] for some in (axis.usual, axis.values)
    )
    scale: Spec = {"domain": known}
    if axis.numeric:
        scale["scheme"] = {"name": "viridis", "extent": [0.1, 0.9]}
    words = legend() | {"values": shown}
    return {"field": field, "type": "nominal", "title": axis.label, "scale": scale, "legend": words}


def dashes(values: Sequence[str], field: str, *, each: int = 1) -> Spec:
    """The dash of each value, or of `each` values in turn."""
    return _told(values, field, [DASHES[i // each % len(DASHES)] for i in range(len(values))])


def shapes(values: Sequence[str], field: str) -> Spec:
    """The point of each value, shown in the legend of the dashes."""
    return _told(values, field, [SHAPES[i % len(SHAPES)] for i in range(len(values))])


def _told(values: Sequence[str], field: str, marks: list[Any]) -> Spec:
    scale, words = {"domain": list(values), "range": marks}, {"symbolType": "stroke", "symbolSize": 160}
    return {"field": field, "type": "nominal", "title": None, "scale": scale, "legend": legend() | words}


def legend() -> Spec:
    """A legend above the chart, whose labels may have several lines and are never cut."""
    return {"orient": "top", "symbolType": "circle", "labelExpr": SPLIT, "labelLimit": 0, "titleLimit": 0}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
