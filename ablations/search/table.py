"""The table of a study: a row an epoch of every run, with its axes as columns. A search can ask it instead of training.

docs/tables.md describes the format; `table_files` reads and writes it, `tabulate` makes it from records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from ablations.question.did_you_mean import instead
from ablations.question.hydra_syntax import quoted

if TYPE_CHECKING:
    from pandas import DataFrame

SCHEMA = 1
KINDS = ("categorical", "whole", "real")
STATUSES = ("finished", "diverged", "failed", "pruned", "infeasible")
RUN = ("seed", "epoch", "seconds", "status", "cause", "params", "macs", "label", "identity", "cell")


@dataclass(frozen=True)
class Axis:
    """One axis of a table.

    Attributes:
        kind: `categorical`, `whole` (numbers) or `real` (numbers).
        values: those in the table; numbers in ascending order.
        depends_on: the axes whose values decide whether this one is active; none of an axis that always is.
        active_for: the values of these axes, in their order, for which it is active.
    """

    kind: str
    values: tuple[Any, ...]
    depends_on: tuple[str, ...] = ()
    active_for: frozenset[tuple[Any, ...]] = frozenset()

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Axis:
        """Read what `as_json` wrote."""
        active = frozenset(tuple(values) for values in said.get("active_for", ()))
        return cls(said["kind"], tuple(said["values"]), tuple(said.get("depends_on", ())), active)

    def as_json(self) -> dict[str, Any]:
        """Say it in plain data; `depends_on` and `active_for` only of an axis that is not always active."""
        said = {**asdict(self), "active_for": sorted(map(list, self.active_for), key=str)}
        return said if self.depends_on else {"kind": self.kind, "values": list(self.values)}


@dataclass(frozen=True, eq=False)
class Table:
    """The runs of a study with their epochs.

    Attributes:
        frame: a row an epoch; `RUN` are its columns beside the axes and the metrics.
        axes: by name, each behind those on which it depends.
        about: what the file says beside: studies, fixed axes, metrics, provenance, whether it holds a whole grid.
    """

    frame: DataFrame
    axes: dict[str, Axis]
    about: dict[str, Any]

    def cell(self, point: Mapping[str, Any] | None = None, **axes: Any) -> DataFrame:
        """Return the rows of one cell, of all seeds.

            table.cell({"block": "plain", "depth": 8, "recipe.lr": 0.1})

        Args:
            point: a value of every active axis; other axes do not matter.
            axes: the same as keywords.

        Raises:
            ValueError: an axis or a value is not in the table, or an active axis has no value.
        """
        key = self.key({**(point or {}), **axes})
        known = self.frame.status.notna()
        for axis, value in zip(self.axes, key, strict=True):
            known &= self.frame[axis].isna() if value is None else self.frame[axis].isin([value])
        if not known.any():
            raise ValueError(f"the table has no cell {self.words(key)}")
        return self.frame.loc[known]

    def seed_in_turn(self, k: int) -> int:
        """Return the seed whose trainings search k sees, where each search sees those of the next seed."""
        seeds = sorted({int(seed) for seed in self.frame.seed.dropna()})
        return seeds[k % len(seeds)]

    def key(self, point: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return a value of every axis in their order, None where it is not active; ValueError as `cell`."""
        for axis, value in point.items():
            fixed = self.about["fixed"]
            if axis in fixed and value != fixed[axis]:
                raise ValueError(f"the table has no {axis}={value}: it is of {axis}={fixed[axis]}")
            if axis not in {**self.axes, **fixed}:
                raise ValueError(f"the table has no axis {axis}{instead(axis, self.axes, 'there are')}")
        for name, axis in self.axes.items():
            if not active(self.axes, name, point):
                continue
            if name not in point:
                raise ValueError(f"{name} has no value; the table has {', '.join(map(str, axis.values))}")
            if (value := plain(point[name])) not in axis.values:
                near = instead(str(value), [*map(str, axis.values)], "there are")
                raise ValueError(f"the table has no {name}={value}{near}")
        return self.key_of(point)

    def key_of(self, point: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return a value of every axis in their order, None where it is not active; it need not be there."""
        return tuple(plain(point.get(axis)) if active(self.axes, axis, point) else None for axis in self.axes)

    def to_syne_tune(self) -> Any:
        """Return the table as a black box that Syne Tune's schedulers can ask, see `ablations.search.syne_tune`."""
        from ablations.search.syne_tune import blackbox

        return blackbox(self)

    def words(self, key: tuple[Any, ...]) -> str:
        """Write a key as `block=plain depth=8`."""
        pairs = zip(self.axes, key, strict=True)
        return " ".join(f"{axis}={value}" for axis, value in pairs if value is not None)

    @property
    def cells(self) -> int:
        """How many cells have a run."""
        return self.frame.loc[self.frame.status != "infeasible", "cell"].nunique()

    @cached_property
    def by_key(self) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
        """The rows of each cell, by its key, without the fields that are empty; of each run in the order of epochs."""
        found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        heads = [*self.frame.columns]
        for line in zip(*(_plain_column(self.frame[head]) for head in heads), strict=True):
            row = dict(zip(heads, line, strict=True))
            known = {name: value for name, value in row.items() if value is not None}
            found.setdefault(tuple(known.get(axis) for axis in self.axes), []).append(known)
        for rows in found.values():
            rows.sort(key=lambda row: row["epoch"])
        return found

    @property
    def names(self) -> str:
        """The studies that it is made of."""
        return ", ".join(study["name"] for study in self.about["studies"])

    def __repr__(self) -> str:
        runs = self.frame.identity.nunique()
        return f"<Table {self.names}: {self.cells:,} cells, {runs:,} runs, {len(self.frame):,} rows>"

    def _repr_html_(self) -> str:
        lines = "".join(
            f"<tr><td>{escape(name)}</td><td>{axis.kind}</td><td>{escape(', '.join(map(str, axis.values[:20])))}"
            f"{' …' if len(axis.values) > 20 else ''}</td><td>{escape(_condition(axis))}</td></tr>"
            for name, axis in self.axes.items()
        )
        head = "<tr><th>axis</th><th>kind</th><th>values</th><th>where</th></tr>"
        asked = escape(" ".join(study["question"] or "" for study in self.about["studies"]))
        return f"<b>{escape(repr(self)[1:-1])}</b><br>{asked}<table>{head}{lines}</table>"


def _plain_column(column: Any) -> list[Any]:
    """The values of a column as Python has them, None where there is none."""
    return column.astype(object).where(column.notna(), None).tolist()


def active(axes: Mapping[str, Axis], axis: str, point: Mapping[str, Any]) -> bool:
    """Tell whether an axis is active beside the values of a point; axes that are not active there may have one too."""
    about = axes[axis]
    values = (plain(point[one]) if one in point and active(axes, one, point) else None for one in about.depends_on)
    return not about.depends_on or tuple(values) in about.active_for


def plain(value: Any) -> Any:
    """Return a value of an axis as a table has it.

    The word `null` stands for null, since empty means not active; what is typed, as `[a,b]`, for a list or a mapping.
    """
    return quoted(value) if value is None or isinstance(value, list | tuple | Mapping) else value


def _condition(axis: Axis) -> str:
    """Say where an axis is active: `block: plain, residual`."""
    cases = sorted(" and ".join(map(str, values)) for values in axis.active_for)
    return f"{' and '.join(axis.depends_on)}: {', '.join(cases)}" if axis.depends_on else "everywhere"
