"""Make the table of one or several studies from their plans, records, curves and trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE
from ablations.records.provenance import public
from ablations.records.record import Record
from ablations.records.task_metrics import ERROR, of_all
from ablations.search.table import RUN, Axis, Table, active, plain
from ablations.search.table_files import typed
from ablations.search.trials import read_trials

ABOUT_A_CELL = ("params", "macs", "cell")
NOT_METRICS = ("epoch", "lr", "seconds")  # of a curve
PARTS = "train val test"  # in which order the metrics stand

Point = dict[str, Any]


class Incomplete(ValueError):
    """Says how many runs or trials of a study are missing."""


@dataclass
class Entry:
    """A point of the table, with the runs there are of it.

    Attributes:
        point: the values of the axes that are active there.
        about: what is known of its cell before training.
        runs: by seed, as plans and trials name them.
        cause: why it is not trained, where it cannot be.
    """

    point: Point
    about: dict[str, Any]
    runs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    cause: str | None = None


def table_of(
    plans: Sequence[Mapping[str, Any]], records: Mapping[str, Record], runs: Path, *, partial: bool = False
) -> Table:
    """Make the table of the runs of some studies.

    Args:
        plans: of the studies, with all the seeds that their claims want.
        partial: leave out what is missing, instead of refusing.

    Raises:
        Incomplete: runs or trials are missing.
        ValueError: there is no run, or a study does not say the value of an axis that another one varies.
    """
    import pandas as pd

    trials = [trial for plan in plans for trial in _trials(plan, runs, partial=partial)]
    axes = dict.fromkeys(axis for plan in plans for axis in _open_axes(plan))
    found: dict[tuple[Any, ...], Entry] = {}
    for entry in (*_of_trials(trials, axes), *(one for plan in plans for one in _of_plan(plan, axes))):
        first = found.setdefault(tuple(entry.point.get(axis) for axis in axes), entry)
        first.runs |= entry.runs
    entries = [entry for entry in found.values() if entry.runs or entry.cause is not None]
    wanted = [run for plan in plans for cell in plan["cells"] for run in cell["runs"]]
    wanted += [run for trial in trials if trial["state"] == "complete" for run in trial["runs"]]
    missing = [run["label"] for run in wanted if run["identity"] not in records]
    if missing and not partial:
        first, *others = missing
        raise Incomplete(f"{len(missing)} runs are missing, {first} among them" if others else f"{first} is missing")
    identities = dict.fromkeys(run["identity"] for entry in entries for run in entry.runs.values())
    used = [records[identity] for identity in identities if identity in records]
    if not used:
        raise ValueError("there is nothing to put into a table: no run has a record")
    described = _axes(entries, _asking_order(trials, axes), strict=bool(trials))
    for entry in entries:
        known = entry.point
        entry.point = {axis: known[axis] for axis in described if axis in known and active(described, axis, known)}
    entries = list({tuple(entry.point.values()): entry for entry in reversed(entries)}.values())[::-1]
    rows = [row for entry in entries for row in _rows_of(entry, records, runs)]
    names = {name for row in rows for name in row} - {*RUN, *described}
    metrics = sorted(names, key=lambda name: (PARTS.find(name.partition("_")[0]), name))
    frame = typed(pd.DataFrame(rows, columns=[*described, *RUN[:2], *metrics, *RUN[2:]]), described)
    return Table(frame, described, _about(plans, used, described, whole=not trials and not missing))


def _open_axes(plan: Mapping[str, Any]) -> list[str]:
    """The axes that a plan's study searches, and those that vary in its grid or between the tunings of its search."""
    points = [one["point"] for one in plan["study"].get("tunings") or []]
    among = {axis for point in points for axis in point if len({repr(one.get(axis)) for one in points}) > 1}
    return [*(plan["study"].get("space") or {}), *plan["swept"], *sorted(among)]


def _trials(plan: Mapping[str, Any], runs: Path, *, partial: bool) -> list[dict[str, Any]]:
    """The trials of a study that searches; none of another. Incomplete is raised where one has not ended."""
    tunings = [one["name"] for one in plan["study"].get("tunings") or []]
    trials, _ = read_trials(runs, plan["name"], tunings)
    ended = [trial for trial in trials if trial["state"] != "running"]
    if not partial and (len(ended) < len(trials) or {*tunings} - {trial["tuning"] for trial in ended}):
        raise Incomplete(f"{plan['name']} has trials that have not ended")
    return ended


def _of_trials(trials: Iterable[Mapping[str, Any]], axes: Iterable[str]) -> Iterable[Entry]:
    for trial in trials:
        if trial["state"] == "infeasible" or trial["cell"] is not None:
            point = {axis: plain(value) for axis, value in trial["point"].items() if axis in axes}
            cause = trial.get("cause", "") if trial["state"] == "infeasible" else None
            about = {key: trial.get(key) for key in (*ABOUT_A_CELL, "label")}
            pruned = {"pruned": trial["state"] == "pruned"}
            yield Entry(point, about, {run["seed"]: run | pruned for run in trial["runs"]}, cause)


def _of_plan(plan: Mapping[str, Any], axes: Iterable[str]) -> Iterable[Entry]:
    """An entry for each point of a plan; ValueError where an axis that another study varies has no value here."""
    options = {axis for axis in axes if "." in axis} - {*_open_axes(plan)}
    for cell in plan["cells"]:
        for point in cell["points"]:
            values = {**cell["axes"], **{axis: value for axis, value in point.items() if axis in cell["axes"]}}
            if unsaid := sorted(options - {*values}):
                raise ValueError(f"{plan['name']} does not say its {unsaid[0]}, which another of these studies varies")
            chosen = {axis: plain(values[axis]) for axis in axes if axis in values}
            about = {key: cell.get(key) for key in ABOUT_A_CELL}
            yield Entry(chosen, about, {run["seed"]: run for run in cell["runs"]})
    for item in plan.get("invalid", []):
        chosen = {axis: plain(value) for axis, value in item["point"].items() if axis in axes}
        yield Entry(chosen, dict.fromkeys(ABOUT_A_CELL), cause=item["reason"])


def _rows_of(entry: Entry, records: Mapping[str, Record], runs: Path) -> list[dict[str, Any]]:
    """The rows of a point: of its runs, or one that says why there is none."""
    about = {**entry.point, **entry.about}
    if not entry.runs:
        return [{**about, "epoch": 0, "status": "infeasible", "cause": entry.cause}]
    return [about | row for run in entry.runs.values() for row in _rows(run, records.get(run["identity"]), runs)]


def _rows(run: Mapping[str, Any], record: Record | None, runs: Path) -> list[dict[str, Any]]:
    """A row an epoch of a run; of one without epochs a row with epoch 0; none where it has not been trained."""
    try:
        curve = read_epochs(runs / (record or run)["folder"] / CURVE)
    except OSError:
        curve = []
    if record is None and not (curve and run.get("pruned")):
        return []
    about = {key: run[key] for key in ("seed", "label", "identity")}
    about |= {key: record[key] for key in ("status", "cause", *ABOUT_A_CELL)} if record else {"status": "pruned"}
    rows = [
        {**about, "epoch": int(row["epoch"]), "seconds": row["seconds"]}
        | {name: value for name, value in row.items() if name not in NOT_METRICS}
        for row in curve
    ] or [{**about, "epoch": 0, "seconds": (record or {}).get("seconds")}]
    rows[-1] |= {name: value for name, value in (record or {"metrics": {}})["metrics"].items() if value is not None}
    return rows


def _asking_order(trials: Iterable[Mapping[str, Any]], axes: Iterable[str]) -> list[str]:
    """The axes in the order in which trials asked for them; of a grid, as they are written."""
    after: dict[str, set[str]] = {axis: set() for axis in axes}
    for trial in trials:
        for one, following in pairwise(trial["suggested"]):
            after[following].add(one)
    try:
        return list(TopologicalSorter(after).static_order())
    except CycleError:
        raise ValueError("these searches ask for their axes in different orders: make a table of each") from None


def _axes(entries: Sequence[Entry], order: Sequence[str], *, strict: bool) -> dict[str, Axis]:
    """Describe the axes, each behind those on which it depends.

    Args:
        strict: an axis can only depend on those before it.
    """
    plainly: dict[str, Axis] = {}
    for axis in order:
        values = list(dict.fromkeys(entry.point[axis] for entry in entries if axis in entry.point))
        if len({*map(str, values)}) < len(values):
            raise ValueError(f"{axis}: {', '.join(map(repr, values))} are written alike in a table")
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        kind = "categorical" if not numbers else "whole" if all(isinstance(v, int) for v in values) else "real"
        plainly[axis] = Axis(kind, tuple(sorted(values) if numbers else values))
    entries = [entry for entry in entries if entry.about["cell"]]  # the points of others may lack axes
    needs: dict[str, tuple[tuple[str, ...], frozenset[tuple[Any, ...]]]] = {}
    for k, axis in enumerate(order):
        others = [*order[:k], *(() if strict else order[k + 1 :])]
        others.sort(key=lambda other: plainly[other].kind != "categorical")
        needs[axis] = _condition(axis, others, entries)
    sequence = order if strict else TopologicalSorter({axis: needs[axis][0] for axis in order}).static_order()
    return {axis: Axis(plainly[axis].kind, plainly[axis].values, *needs[axis]) for axis in sequence}


def _condition(axis: str, others: Sequence[str], entries: Sequence[Entry]) -> tuple[tuple[str, ...], frozenset[Any]]:
    """The fewest other axes that decide whether an axis is active, and their values where it is."""
    if all(axis in entry.point for entry in entries):
        return (), frozenset()
    for many in range(1, len(others) + 1):
        for parents in combinations(others, many):
            seen = {(tuple(entry.point.get(one) for one in parents), axis in entry.point) for entry in entries}
            where = {values for values, is_active in seen if is_active}
            if not where & {values for values, is_active in seen if not is_active}:
                return parents, frozenset(where)
    return tuple(others), frozenset(tuple(e.point.get(one) for one in others) for e in entries if axis in e.point)


def _about(
    plans: Sequence[Mapping[str, Any]], records: Sequence[Record], axes: Mapping[str, Axis], *, whole: bool
) -> dict[str, Any]:
    """What the file says beside its rows."""
    metrics, judged = of_all(record["config"] for record in records)
    shared = set.intersection(*({(axis, repr(value)) for axis, value in one["axes"].items()} for one in records))
    fixed = {axis: value for axis, value in records[0]["axes"].items() if (axis, repr(value)) in shared}
    lengths = {record["config"]["recipe"].get("epochs") for record in records}  # a recipe may say it, and no axis
    if len(lengths) == 1 and None not in lengths:
        fixed["recipe.epochs"] = lengths.pop()
    origins = [record.get("provenance") or {} for record in records]
    provenance = {
        **{key: sorted({origin.get(key) or "" for origin in origins}) for key in ("git", "device", "processor")},
        "versions": _values_by_name(origin.get("versions") for origin in origins),
        "data": sorted({record["data_digest"] for record in records if record.get("data_digest")}),
        "code": _values_by_name(record.get("code") for record in records),
        "started": min(origin.get("started") or "" for origin in origins),
        "finished": max(origin.get("finished") or "" for origin in origins),
    }
    return {
        "studies": [
            {"name": plan["name"], "question": plan["study"].get("question"), "command": public(plan["command"])}
            for plan in plans
        ],
        "whole": whole,
        "fixed": {axis: value for axis, value in fixed.items() if axis not in axes},
        "judged": list(judged or ERROR),
        "metrics": metrics,
        "provenance": provenance,
    }


def _values_by_name(some: Iterable[Mapping[str, str] | None]) -> dict[str, list[str]]:
    """Every name in several mappings with the values it has there."""
    pairs = {pair for one in some for pair in (one or {}).items()}
    return {name: sorted(value for key, value in pairs if key == name) for name in sorted({name for name, _ in pairs})}
