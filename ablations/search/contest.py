"""Make simulated searches the runs of a study: a cell is a table, a sampler and a pruner; the seed is the search's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.catalog.choices import CONF
from ablations.identity.run import Run
from ablations.question.did_you_mean import instead
from ablations.question.fields import listed, whole, written_out
from ablations.question.study import Point, StudyError, check_known
from ablations.search.simulator import built, node_of, signed_objectives, simulate
from ablations.search.table import Table
from ablations.search.table_source import mean_over_seeds

if TYPE_CHECKING:
    from pandas import DataFrame

FIELDS = ("trials", "after", "seeds", "objectives", "constraints", "diverged", "prune_by")
CHOSEN = ("sampler", "pruner")  # by the name of a file, whose options may be axes too
AXES = {"table": None, "sampler": "tpe", "pruner": "none", "trials": 50, "workers": 1}
LEVELS = {f"{part}_regret": {"better": "lower", "low": 0.0} for part in ("val", "test")}
JUDGED = ["val_regret", "lower"]
IN_TURN = "in turn"  # each search sees the trainings of one of the table's seeds, the next one those of the next


@dataclass(frozen=True)
class Contest:
    """What the searches of a study have in common.

    Attributes:
        tables: by the name that the axis `table` gives them.
        search: what a study says under `search`; `trials` is the length of a search where the axis does not say it,
            `after` how many whole trainings cost what a search has spent where its regret is taken, too; `seeds` are
            seeds of the table, or IN_TURN.
    """

    tables: Mapping[str, Path]
    search: Mapping[str, Any]

    @classmethod
    def read(cls, study: Mapping[str, Any]) -> Contest:
        """Read a study with `tables`; StudyError where a table is not there, or the search is malformed."""
        search = {"trials": AXES["trials"], "after": [], "seeds": IN_TURN, **(study.get("search") or {})}
        check_known("search", search, FIELDS)
        search |= {"after": listed(search["after"]), "seeds": written_out(search["seeds"])}
        if wrong := [k for k in search["after"] if not isinstance(k, int) or isinstance(k, bool) or k < 1]:
            raise StudyError(f"search.after: {wrong[0]} is no number of trainings such as 20")
        if isinstance(search["seeds"], str) and search["seeds"] != IN_TURN:
            raise StudyError(f"search.seeds: {search['seeds']} is neither {IN_TURN!r} nor a list of a table's seeds")
        return cls({str(name): _found(str(path)) for name, path in study["tables"].items()}, search)

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics that a search has, as a study declares them."""
        after = {f"test_regret_{k}": LEVELS["test_regret"] for k in self.search["after"]}
        return {**after, **LEVELS, "epochs": {"better": "lower", "low": 0.0}}

    def run(self, point: Point) -> Run:
        """Describe the search of a point, with the seed 0; ValueError where an axis or a choice does not exist."""
        if unknown := [axis for axis in point if axis not in AXES and axis.partition(".")[0] not in CHOSEN]:
            raise ValueError(f"a simulated search has no axis {unknown[0]}{instead(unknown[0], AXES, 'there are')}")
        axes = {**AXES, "trials": self.search["trials"], **point}
        if axes["table"] not in self.tables:
            near = instead(str(axes["table"]), self.tables, "there are")
            raise ValueError(f"table={axes['table']} is none of study.tables{near}")
        for axis in ("trials", "workers"):
            whole(axis, axes[axis], least=1)
        nodes = {
            "carried_out": {"_target_": f"{simulate.__module__}.{simulate.__name__}", **self.search},
            "table": hashlib.sha256(self.tables[axes["table"]].read_bytes()).hexdigest(),
            **{axis: axes[axis] for axis in ("trials", "workers")},
        }
        nodes |= {group: chosen(group, axes) for group in CHOSEN}
        unusual = tuple(axis for axis in axes if axes[axis] != AXES.get(axis) or axis == "sampler")
        return Run(axes=axes, seed=0, config=nodes, unusual=unusual)

    def carry_out(self, run: Run, table: Table) -> SearchResult:
        """Search, and say how far from the best network of the table the chosen one is after each trial."""
        told = {key: value for key, value in self.search.items() if key not in ("after", "trials")}
        if told["seeds"] == IN_TURN:
            told["seeds"] = [table.seed_in_turn(run.seed)]
        axes = {**AXES, **run.axes}
        told |= {group: built(chosen(group, axes)) for group in CHOSEN}
        trials = simulate(table, trials=axes["trials"], workers=axes["workers"], seed=run.seed, **told)
        objective, *_ = signed_objectives(table, listed(told.get("objectives", [])))
        return SearchResult.of(trials, table, objective, self.search["after"])

    def try_out(self, run: Run, table: Table) -> None:
        """Carry out the first trial of a search; a mistake raises ValueError before all others begin."""
        self.carry_out(replace(run, axes={**run.axes, "trials": 1}), table)


def chosen(group: str, axes: Mapping[str, Any]) -> dict[str, Any]:
    """Read how a sampler or a pruner is made, with options that are axes, as `pruner.factor`; or raise ValueError."""
    node = node_of(group, axes[group])
    options = {axis.partition(".")[2]: value for axis, value in axes.items() if axis.startswith(f"{group}.")}
    if odd := [option for option in options if option not in node or option.startswith("_")]:
        own = [option for option in node if not option.startswith("_")]
        raise ValueError(f"{group}={axes[group]} has no option {odd[0]}{instead(odd[0], own, 'there are')}")
    return node | options


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        metrics: of its end, and of the trials that a study asks for.
        rows: one a trial: `trial`, `seconds` (simulated) and `epochs` of all, `val_regret` and `test_regret`.
    """

    metrics: dict[str, float]
    rows: list[dict[str, float]]

    @classmethod
    def of(cls, trials: DataFrame, table: Table, objective: str, after: Sequence[int]) -> SearchResult:
        """Compare what a search has chosen after each trial with the best of its table.

        The validation regret is of the value that the search saw, and may be below that of a mean over seeds: it is
        taken from the best value of a single run. The test regret is of the mean over the table's seeds. Before there
        is a network, an error is 100%, and another metric what the worst of the table has.

        Args:
            objective: the first one of the search, with a minus where more is better.

        Raises:
            StudyError: no trial has trained anything.
        """
        from pandas import isna

        used = trials.loc[trials.state.isin(["complete", "pruned", "failed"])]
        if used.empty:
            causes = trials.cause.dropna()
            raise StudyError(f"no network can be trained{f': {causes.mode()[0]}' if len(causes) else ''}")
        metric = next(name for name in trials if name.startswith("best_")).removeprefix("best_")
        better = -1.0 if table.about["judged"][1] == "higher" else 1.0
        seen, means = values_of(table, objective), [better * value for value in means_of(table, metric)]
        no_val = 100.0 if objective.endswith("_error") else max(seen)
        no_test = 100.0 if metric.endswith("_error") else max(means)
        rows = [
            {
                **{"trial": k, "seconds": line["ended"], "epochs": line["trained"]},
                "val_regret": (no_val if isna(line["best"]) else line["best"]) - min(seen),
                "test_regret": (no_test if isna(at := line[f"best_{metric}"]) else better * at) - min(means),
            }
            for k, line in enumerate(used.to_dict("records"), 1)
        ]
        whole = int(table.frame.epoch.max())
        by_then = {k: [row for row in rows if row["epochs"] <= k * whole] for k in after}
        nothing = no_test - min(means)  # before the first trial has ended
        taken = {f"test_regret_{k}": some[-1]["test_regret"] if some else nothing for k, some in by_then.items()}
        return cls({**taken, **{name: rows[-1][name] for name in (*LEVELS, "epochs")}}, rows)


@lru_cache(maxsize=8)
def values_of(table: Table, objective: str) -> list[float]:
    """What each finished run of a table has in an objective at its end."""
    last = {row["identity"]: row for rows in table.by_key.values() for row in rows if row["status"] == "finished"}
    name, sign = objective.lstrip("-"), -1.0 if objective.startswith("-") else 1.0
    return [sign * row[name] for row in last.values() if name in row]


@lru_cache(maxsize=8)
def means_of(table: Table, metric: str) -> list[float]:
    """What each cell of a table has in a metric, as the mean over its seeds; without those that lack it."""
    look_up = mean_over_seeds(table, metric)
    cells = (dict(zip(table.axes, key, strict=True)) for key in table.by_key)
    return [value for cell in cells if (value := look_up(cell)) is not None]


def _found(path: str) -> Path:
    """A table's file: from where the command is typed, or else of this repository."""
    here = next((one for one in (Path(path), CONF.parent / path) if one.is_file()), None)
    if here is None:
        raise StudyError(f"study.tables: there is no file {path}; `python -m ablations tabulate` makes tables")
    return here
