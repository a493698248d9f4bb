"""Compare the setting of a published number with the setting of this study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.metrics import read_metric
from ablations.analysis.reference_units import foreign_unit, unit_words
from ablations.analysis.results import Plan, Row
from ablations.question.references import LEVELS, Reference, named, references

NAMES = {"image_folder": "ImageNet"}  # the data sets that the publications call by another name


def published_settings(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """For each claim: `on cifar10, n 5, primary; here digits, digits_quick: only the direction compares`.

    Empty where a claim refers to no published number. Of a count only the level is said: it has no data or recipe. A
    number in another unit than the metric's is said not to compare.
    """
    return [_setting(claim, rows, plan["study"].get("metrics")) for claim in plan["study"].get("claims") or []]


def publications(plan: Plan) -> list[str]:
    """A sentence for each publication that claims refer to: which claims, and the setting of its numbers."""
    found: dict[str, list[int]] = {}
    for number, claim in enumerate(plan["study"].get("claims") or [], start=1):
        for text in dict.fromkeys(f"{one.source}: {' '.join(one.setting.split())}" for one in _references(claim)):
            found.setdefault(text, []).append(number)
    return [f"Published for {_claims(numbers)}: {text}." for text, numbers in found.items()]


def _setting(claim: Mapping[str, Any], rows: Sequence[Row], metrics: Mapping[str, Any] | None) -> str:
    known = _references(claim)
    if not known:
        return ""
    level = max((one.level for one in known), key=LEVELS.index)  # as good as the weakest of them
    metric = read_metric(claim["metric"], metrics)
    unit = foreign_unit(claim["reference"], metric)
    other = f"in {unit} and not in {unit_words(metric)}: the numbers do not compare; " if unit else ""
    if metric.is_count:
        return other + level
    data = list(dict.fromkeys(one.data for one in known))
    runs = list(dict.fromkeys("n not stated" if one.n is None else f"n {one.n}" for one in known))
    spread = [f"sd {known[0].std:g}"] if len(known) == 1 and known[0].std else []
    theirs = ["on " + " and ".join(NAMES.get(name, name) for name in data), *runs, *spread, level]
    notes = sorted({str(run["note"]) for row in rows for run in row.runs if run.get("note")})
    same = _values(rows, "data") == data and not notes
    ours = [*_values(rows, "data"), *notes, *(_held_out(rows) if same else ()), *_recipe(rows)]
    direction = "" if same or unit else ": only the direction compares"
    return f"{other}{', '.join(theirs)}; here {', '.join(ours)}{direction}"


def _held_out(rows: Sequence[Row]) -> list[str]:
    """How many images of the published training set this study does not train on."""
    configs = [run.get("config") or {} for row in rows for run in row.runs]
    held = sorted({config["data"]["held_out"] for config in configs if (config.get("data") or {}).get("held_out")})
    counts = [f"{n:,}" if n >= 1 else f"{100 * n:g}% of the" for n in held]
    return [f"{' or '.join(counts)} images held out"] if held else []


def _recipe(rows: Sequence[Row]) -> list[str]:
    changed = dict.fromkeys(axis for row in rows for axis in row.axes if axis.startswith("recipe."))
    return [*_values(rows, "recipe"), *(f"{axis}={'|'.join(_values(rows, axis))}" for axis in changed)]


def _values(rows: Sequence[Row], axis: str) -> list[str]:
    return list(dict.fromkeys(str(row.axes[axis]) for row in rows if axis in row.axes))


def _references(claim: Mapping[str, Any]) -> list[Reference]:
    return [references()[key] for key in named(claim["reference"])] if claim.get("reference") else []


def _claims(numbers: Sequence[int]) -> str:
    return f"claim{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
