"""Let a search ask a table for the cells and values of its suggestions, and check first that the table has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from statistics import fmean
from typing import Any

from ablations.identity.run import identity_of
from ablations.question.search_space import Range, Search
from ablations.question.study import Point, StudyError
from ablations.records.recorder import Paused
from ablations.search.carry_out import Candidate, Uncovered, Watch
from ablations.search.space import Infeasible
from ablations.search.table import RUN, Table, active, plain

Row = dict[str, Any]
MOST_LEVELS = 100  # of a range that is looked up level by level


class TableSource:
    """The `Source` of a search that trains nothing.

    Args:
        seeds: those of the search.
        defaults: the values of the table's axes that are neither searched nor fixed by the study.
    """

    def __init__(self, table: Table, seeds: Sequence[int], defaults: Point) -> None:
        self.table, self.seeds, self.defaults = table, seeds, defaults
        self.epochs = int(table.frame.epoch.max())
        self.known: dict[tuple[Any, ...], Candidate | str] = {}

    def active(self, axis: str, point: Point) -> bool:
        """Tell whether an axis matters at a point."""
        return active(self.table.axes, axis, {**self.defaults, **point})

    def candidate(self, point: Point) -> Candidate:
        """Return the cell of a point.

        Raises:
            Infeasible: it cannot be built, as the table says.
            Uncovered: the table does not have it.
        """
        key = self.table.key_of({**self.defaults, **point})
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._candidate(key)
        if isinstance(found, str):
            raise Infeasible(found)
        return found

    def _candidate(self, key: tuple[Any, ...]) -> Candidate | str:
        rows = self.table.by_key.get(key)
        if rows is None:
            raise Uncovered(f"the table has no cell {self.table.words(key)}")
        first = rows[0]
        if "cell" not in first:
            return first.get("cause", "it cannot be built")
        planned = [[row for row in rows if row.get("seed") == seed] for seed in self.seeds]
        label = first["label"].rpartition("-s")[0] if "seed" in first else first.get("label", "")
        runs = [_run(seed, first["cell"], label, some) for seed, some in zip(self.seeds, planned, strict=True)]
        said = dict(zip(self.table.axes, key, strict=True)).get("recipe.epochs")
        ended = [row["epoch"] for row in rows if row["status"] == "finished"]
        epochs = said if isinstance(said, int) else max(ended, default=self.epochs)
        about = (label, epochs, first.get("params"), first.get("macs"))
        return Candidate(first["cell"], *about, runs, planned)

    def measure(
        self, candidate: Candidate, k: int, watch: Watch | None, after: int, until: int | None
    ) -> Iterator[float]:
        """Yield the seconds of each epoch of the k-th run, and return what is read of its record.

        Raises:
            Paused: after the epoch `until`.
            Uncovered: the table does not have the run, or not to its end.
        """
        rows: list[Row] = candidate.planned[k]
        before = 0.0
        for row in rows:
            if until is not None and row["epoch"] > until:
                raise Paused
            yield max(0.0, row.get("seconds", before) - before) if row["epoch"] > after or not after else 0.0
            before = max(before, row.get("seconds", before))
            if watch is not None and row["epoch"]:
                watch([row])
        early = bool(rows) and rows[-1]["status"] == "pruned"
        if early and until is not None and rows[-1]["epoch"] >= until:  # a search's own table ends where it paused
            raise Paused
        if early or not rows:
            raise Uncovered(f"the table has no whole run of {candidate.label} with seed {self.seeds[k]}")
        last = rows[-1]
        return {"cause": None, "seconds": before, **{key: last[key] for key in RUN if key in last}, "metrics": last}


def mean_over_seeds(table: Table, metric: str) -> Callable[[Point], float | None]:
    """Return what looks up a metric at the end of the training, as the mean over all seeds that the table has.

    An error of a run that diverged is 100%. There is no mean where another value is missing.
    """
    known: dict[tuple[Any, ...], float | None] = {}

    def look_up(point: Point) -> float | None:
        key = table.key_of(point)
        if key not in known:
            last = {row["identity"]: row for row in table.by_key.get(key, ()) if "identity" in row}
            worst = 100.0 if metric.endswith("_error") else None
            values = [worst if row["status"] == "diverged" else row.get(metric) for row in last.values()]
            whole = [value for value in values if value is not None]
            known[key] = fmean(whole) if whole and len(whole) == len(values) else None
        return known[key]

    return look_up


def covered(table: Table, search: Search, fixed: Point, default: Callable[[str], Any] | None = None) -> Point:
    """Check that a table has the space of a search; return the point that is fixed, on the table's axes.

    A table of a search's trials does not have a whole space: there, what is missing is found when it is asked for.

    Args:
        default: the value of an axis of which neither the space nor `fixed` says anything; None: it must be said.

    Raises:
        StudyError: values, axes or seeds are missing; names them.
    """
    whole, same = table.about["whole"], {axis: plain(value) for axis, value in table.about["fixed"].items()}
    missing = [f"metric {name}" for name in search.objectives if name.lstrip("-") not in table.frame]
    missing += [f"seed {seed}" for seed in search.seeds if whole and seed not in {*table.frame.seed.dropna()}]
    for axis, options in search.space.items():
        has = table.axes[axis].values if axis in table.axes else (same[axis],) if axis in same else ()
        levels = ", ".join(map(str, has))
        if not has:
            missing.append(f"axis {axis}")
        elif isinstance(options, Range) and options.size > MOST_LEVELS:
            if whole:
                says = f"the table has {levels}, not every number between {options.low} and {options.high}"
                raise StudyError(f"space.{axis}: {says}; write {axis}: [{levels}]")
        elif whole and (lacking := [value for value in options.all() if plain(value) not in has]):
            missing.append(f"{axis}={','.join(map(str, lacking))} (there are {levels})")
    point: Point = {}
    unsaid: list[str] = []
    for axis in dict.fromkeys((*table.axes, *same, *fixed)):
        if axis in search.space:
            continue
        if axis not in fixed and default is None:
            unsaid += [axis] if axis in table.axes and _may_matter(table, axis, search, fixed) else []
            continue
        value = plain(fixed[axis] if axis in fixed else default(axis) if default else None)
        if axis not in table.axes and axis not in same:
            missing.append(f"axis {axis}")
        elif value not in (table.axes[axis].values if axis in table.axes else (same[axis],)):
            missing.append(f"{axis}={value} (there is {_values(table, axis)})")
        point[axis] = value
    if missing:
        raise StudyError(f"the table {table.names} does not have this space: it lacks {'; '.join(missing)}")
    if unsaid:
        raise StudyError(f"{unsaid[0]} is neither in the space nor fixed: the table has {_values(table, unsaid[0])}")
    return point


def _may_matter(table: Table, axis: str, search: Search, fixed: Point) -> bool:
    """Whether an axis is active somewhere in the space."""
    about = table.axes[axis]
    values = [search.space[one].all() if one in search.space else [fixed.get(one)] for one in about.depends_on]
    return not values or any(tuple(map(plain, some)) in about.active_for for some in product(*values))


def _values(table: Table, axis: str) -> str:
    return ", ".join(map(str, table.axes[axis].values if axis in table.axes else [table.about["fixed"][axis]]))


def _run(seed: int, cell: str, label: str, rows: Sequence[Row]) -> dict[str, Any]:
    """What a trial's file says of a run; one that the table does not have is named as a training would name it."""
    about = rows[0] if rows else {"identity": identity_of(cell, seed), "label": f"{label}-s{seed}"}
    named = {"seed": seed, "identity": about["identity"], "label": about["label"]}
    return {**named, "folder": f"{named['label']}-{named['identity'][:8]}"}
