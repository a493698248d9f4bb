"""Expand the grid of a study into points, and merge it with what the command line says about its axes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Any

from ablations.question.did_you_mean import instead

Point = dict[str, Any]
WORDS = {str: "a text", int: "a text", float: "a text", dict: "a mapping", list: "a list"}


class StudyError(ValueError):
    """Raised for a study or a command line that cannot be asked; says in one sentence why and what is allowed."""


KEYS: dict[str, tuple[type, ...]] = {
    "name": (str, int),
    "question": (str, int, float),
    "expect": (str,),
    "cost": (dict,),
    "grid": (dict, list),
    "space": (dict,),
    "search": (dict,),
    "seeds": (list, dict, str, int),
    "fixed": (dict,),
    "claims": (list,),
    "metrics": (dict,),
    "match": (str,),
    "tables": (dict,),
}
COSTS = ("runs", "cpu_minutes", "gpu_minutes")


def check_known(where: str, given: Iterable[Any], allowed: Collection[str]) -> None:
    """Raise StudyError for a field that is not allowed."""
    if odd := [field for field in given if field not in allowed]:
        raise StudyError(f"{where}: unknown field {odd[0]!r}{instead(str(odd[0]), allowed, 'allowed are')}")


def check_keys(study: Mapping[str, Any]) -> None:
    """Raise StudyError unless a study has keys that a study can have, each with a value of its kind."""
    check_known("study", study, KEYS)
    for key, value in study.items():
        if value is not None and (not isinstance(value, KEYS[key]) or isinstance(value, bool)):
            kinds = " or ".join(dict.fromkeys(WORDS[kind] for kind in KEYS[key]))
            quotes = f"; write '{'yes' if value else 'no'}' in quotes for the word" if isinstance(value, bool) else ""
            raise StudyError(f"study.{key}: {value!r} is not {kinds}{quotes}")
    if (study.get("search") or "space" in study) and not (study.get("space") or study.get("tables")):
        raise StudyError("study.space has no axis to search: write one, as {depth: [8, 20]}, or leave out search")
    if study.get("space") and study.get("tables"):
        raise StudyError("study.space and study.tables: a study either searches or compares searches")
    check_known("study.cost", study.get("cost") or {}, COSTS)


def grid_points(grid: Any) -> list[Point]:
    """Return the points of a grid, a union of products, in the order written.

    Args:
        grid: a mapping axis → value or list of values, or a list of such mappings.

    Raises:
        StudyError: the grid has another form, or an axis without a value.
    """
    points: list[Point] = []
    for part in [grid] if isinstance(grid, dict) else grid or []:
        if not isinstance(part, dict):
            raise StudyError(f"a grid is a mapping like {{block: [plain, residual]}} or a list of them, not {part!r}")
        values = {axis: value if isinstance(value, list) else [value] for axis, value in part.items()}
        empty = [axis for axis, choices in values.items() if not choices]
        if empty:
            raise StudyError(f"the grid gives {empty[0]} no value; write one, or leave {empty[0]} out")
        if "seed" in values:
            raise StudyError("seeds belong into the study's `seeds` list, not into its grid")
        points += [dict(zip(values, choice, strict=True)) for choice in product(*values.values())]
    return list({repr(point): point for point in points}.values())


def merge(study: dict[str, Any], chosen: Point, swept: dict[str, list[Any]]) -> tuple[list[Point], list[str]]:
    """Return the points of a study, changed by what the command line says about its axes.

    An axis chosen on the command line replaces that axis in every point. A swept axis (several values) replaces the
    study's grid: the grid is then the product of the swept axes. `seed` leaves the grid alone.

    Args:
        study: `grid` is read.
        chosen: axis → the one value given on the command line.
        swept: axis → the values given on the command line.

    Returns:
        Points without the study's fixed choices, and the axes that vary, in the order written.
    """
    swept = {axis: values for axis, values in swept.items() if axis != "seed"}
    chosen = {axis: value for axis, value in chosen.items() if axis != "seed"}
    points = grid_points([swept]) if swept else grid_points(study.get("grid")) or [{}]
    merged = [{**point, **chosen} for point in points]
    merged = list({repr(sorted(point.items(), key=str)): point for point in merged}.values())
    axes = list(dict.fromkeys(axis for point in merged for axis in point))
    varying = [axis for axis in axes if len({repr(point.get(axis)) for point in merged}) > 1]
    return merged, varying
