"""Compare two sides cell by cell, paired by seed: two studies, or one study under older and newer code.

A comparison is a study of its own. Its cells are those of the two sides, and of each pair of cells it claims where
second − first lies. So verdicts.py judges it like any other study, with Holm's correction over the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import BUDGET, select
from ablations.analysis.claim_effects import common_seeds
from ablations.analysis.metrics import Metric, read_metric
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.question.seeds import LEAST, seed_design
from ablations.question.wording import and_more

SIDES = FIRST, SECOND = "first", "second"
NAMED = 6  # cells in one sentence


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a study's plan with the seeds that it needs by now, its records, and their folder."""

    name: str
    plan: Plan
    records: Mapping[str, Record]
    runs: Path


@dataclass(frozen=True)
class Comparison:
    """Two sides as one study.

    Attributes:
        plan, records: as `judge` takes them; a claim a pair.
        pairs: of each claim its cell, and the mean of each side.
        notes: sentences on what is not compared, or differs.
    """

    plan: dict[str, Any]
    records: dict[str, Record]
    pairs: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def compare(
    first: Side, second: Side, *, metric: str, expect: str = "!= 0", where: Mapping[str, Any] | None = None
) -> Comparison:
    """Pair the cells of two sides that have the same values on all axes that vary in either.

    Args:
        metric, expect: as in a claim: where second − first should lie.
        where: only the cells that agree with these values.

    Raises:
        ValueError: no cells agree, or only in runs that both sides share.
    """
    metrics = {**(first.plan["study"].get("metrics") or {}), **(second.plan["study"].get("metrics") or {})}
    read, notes = read_metric(metric, metrics), []
    claims, cells, pairs, equal = [], [], [], []
    records: dict[str, Record] = {}
    for values, rows in _paired(first, second, where or {}, notes):
        k, found = len(pairs), {}
        for side, name in ((first, FIRST), (second, SECOND)):
            cell, known = _cell(side, rows[name], k, name)
            cells.append(cell)
            records |= known
            found[name] = _values(read, known.values(), common_seeds(rows))
        pairs.append({"cell": values, **{name: _mean(numbers.values()) for name, numbers in found.items()}})
        words = _short(values)
        equal += [words] if found[FIRST] and found[FIRST] == found[SECOND] else []
        contrast = {"plus": {"pair": k, "side": SECOND}, "minus": {"pair": k, "side": FIRST}}
        says = f"{words}: {_number(pairs[k][FIRST])} → {_number(pairs[k][SECOND])}"
        claims.append({"says": says, "metric": metric, "contrast": contrast, "expect": expect})
    if equal:
        notes.append(f"equal in every digit, for every seed: {', '.join(equal)}")
    study = {
        "name": " and ".join(dict.fromkeys((first.name, second.name))),
        "question": f"Does {metric} differ between {first.name} and {second.name}?",
        **_design(first.plan["study"], second.plan["study"], cells),
        "metrics": metrics,
        "claims": claims,
    }
    plan = {"schema": 1, "name": study["name"], "study": study, "swept": [], "cells": cells, "invalid": []}
    return Comparison(plan, records, tuple(pairs), tuple(notes))


def _paired(
    first: Side, second: Side, where: Mapping[str, Any], notes: list[str]
) -> list[tuple[dict[str, Any], dict[str, Row]]]:
    """The values that tell each pair of cells from the others, and its two rows; what is left out goes to `notes`."""
    axes = list(dict.fromkeys([*first.plan["swept"], *second.plan["swept"]]))
    if BUDGET in axes:  # then the width follows from it
        axes = [axis for axis in axes if axis != "width"]
    sides = {name: _by_value(side, axes, where) for name, side in ((FIRST, first), (SECOND, second))}
    found, same = [], []
    for key, (values, row) in sides[FIRST].items():
        if key not in sides[SECOND]:
            continue
        rows = {FIRST: row, SECOND: sides[SECOND][key][1]}
        if _folders(first, row) & _folders(second, rows[SECOND]):
            same.append(_short(values))
        else:
            found.append((values, rows))
    for name, other, side in ((FIRST, SECOND, first), (SECOND, FIRST, second)):
        if alone := [_short(values) for key, (values, _) in sides[name].items() if key not in sides[other]]:
            notes.append(f"only in {side.name}: {and_more(alone, NAMED)}")
    if same:
        notes.append(f"not compared, since both sides share their runs: {and_more(same, NAMED)}")
    if differ := _differences([rows for _, rows in found]):
        notes.append(f"what differs: {', '.join(differ)}")
    if other_data := [_short(values) for values, rows in found if len(_digests(rows.values())) > 1]:
        notes.append(f"of other data on the two sides: {and_more(other_data, NAMED)}")
    if not found:
        why = "; ".join(notes) or "no cell agrees"
        raise ValueError(f"{first.name} and {second.name} have nothing to compare: {why}")
    return found


def _differences(pairs: Sequence[Mapping[str, Row]]) -> list[str]:
    """`recipe short → long` of an axis that differs in the same way in all pairs, `width` of one that does not."""
    found: dict[str, set[str]] = {}
    for rows in pairs:
        first, second = rows[FIRST].axes, rows[SECOND].axes
        for axis in dict.fromkeys([*first, *second]):
            if first.get(axis) != second.get(axis):
                words = f"{axis} {first.get(axis, 'by default')} → {second.get(axis, 'by default')}"
                found.setdefault(axis, set()).add(words)
    return [min(words) if len(words) == 1 else axis for axis, words in found.items()]


def _by_value(side: Side, axes: Sequence[str], where: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], Row]]:
    """The rows of a side that agree with `where`, by their values on these axes."""
    found: dict[str, tuple[dict[str, Any], Row]] = {}
    for row in select(where, result_rows(side.plan, side.records)):
        known = {axis: row.shown[axis] if axis in row.shown else row.axes.get(axis) for axis in axes}
        values = {axis: value for axis, value in known.items() if value is not None}
        key = _words(values)
        if key in found:
            raise ValueError(f"{key or 'every axis'} stands for several cells of {side.name}: it cannot be paired")
        found[key] = values, row
    return found


def _cell(side: Side, row: Row, pair: int, name: str) -> tuple[dict[str, Any], dict[str, Record]]:
    """A cell of one side as a cell of the comparison, and its records; their folders become absolute paths."""
    planned = next(cell["runs"] for cell in side.plan["cells"] if cell["cell"] == row.cell)
    place = side.runs.absolute()
    cell, runs, records = f"{name} {pair}", [], {}
    for run in planned:
        record = side.records.get(run["identity"])
        folder = place / (record or run)["folder"]
        here = {"identity": f"{name} {run['identity']}", "cell": cell, "folder": str(folder)}
        runs.append({**run, "identity": here["identity"], "folder": here["folder"]})
        if record is not None:
            records[here["identity"]] = {**record, **here}
    axes = {"pair": pair, "side": name}
    return {"cell": cell, "axes": axes, "points": [axes], "runs": runs, "further": [], "epochs": None}, records


def _design(first: Mapping[str, Any], second: Mapping[str, Any], cells: Sequence[Plan]) -> dict[str, Any]:
    """The seeds of the comparison. Where either study was looked at before its end, looks are allowed for here too."""
    horizons = [seed_design(study["seeds"]).horizon for study in (first, second) if study.get("seeds") is not None]
    looked = [horizon for horizon in horizons if horizon is not None]
    found: dict[str, Any] = {"grid": [], "seeds": sorted({run["seed"] for cell in cells for run in cell["runs"]})}
    if looked:
        found["seeds"] = {"from": LEAST, "most": max(looked)}
    for word in ("looked", "left_out", "follows"):
        if known := first.get(word) or second.get(word):
            found[word] = known
    return found


def _values(metric: Metric, records: Iterable[Record], seeds: Sequence[int]) -> dict[int, float]:
    """The metric of the runs with these seeds, by seed."""
    known = {record["seed"]: metric.value(record, Path()) for record in records if record["status"] != "failed"}
    return {seed: value for seed in seeds if (value := known.get(seed)) is not None}


def _mean(values: Collection[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _short(values: Mapping[str, Any]) -> str:
    """`plain 56`, as in a table with the axes as heads."""
    return " ".join(map(str, values.values())) or "the one cell"


def _folders(side: Side, row: Row) -> set[Path]:
    return {(side.runs / run["folder"]).resolve() for run in (*row.runs, *row.failures)}


def _digests(rows: Iterable[Row]) -> set[Any]:
    return {run["data_digest"] for row in rows for run in row.runs if run.get("data_digest")}


def _words(values: Mapping[str, Any]) -> str:
    return " ".join(f"{axis}={value}" for axis, value in values.items())
