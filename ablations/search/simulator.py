"""Search on a table instead of training, on a simulated clock, with the code that a search that trains has.

Each of the simulated workers takes the next suggestion when it is free; a run takes the seconds that the table has for
its epochs. The sampler and the pruner see what has ended, or been reported, by then. A worker that finds neither a
suggestion to make nor a paused trial that may go on looks again when a trial of another one ends or pauses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from importlib import import_module
from itertools import count, islice
from math import inf
from typing import TYPE_CHECKING, Any

import yaml

from ablations.catalog.choices import CONF, config_files
from ablations.question.did_you_mean import instead
from ablations.question.fields import mapping, whole
from ablations.question.search_space import Search, read_search
from ablations.question.study import Point, StudyError
from ablations.search import suggestions
from ablations.search.carry_out import Source, carry_out, new_outcome
from ablations.search.in_memory import InMemory
from ablations.search.space import Space
from ablations.search.table import Table
from ablations.search.table_source import TableSource, covered, mean_over_seeds
from ablations.search.trials import UNCOUNTED, Trial, reached
from ablations.search.warm_start import known_cells

if TYPE_CHECKING:
    from pandas import DataFrame

TOLD = ("tuning", "number", "state", "cause", "same_as", "started", "ended", "worker", "trained")  # first in a frame
PATIENCE = 5  # failed trials in a row after which a worker stops: the default of max_consecutive_failures


@dataclass
class Clock:
    """The simulated time in seconds, the trials that have ended by then, and the epochs that they were trained."""

    now: float = 0.0
    ended: list[Trial] = field(default_factory=list)
    epochs: dict[tuple[str, int], int] = field(default_factory=dict)


def run(tunings: Sequence[InMemory], source: Source, *, workers: int = 1, patience: int = PATIENCE) -> list[Trial]:
    """Carry out searches that share their workers; return the trials, those that ended first in front.

    Each has the fields of trial.json, `started` and `ended` in simulated seconds, and the number of its `worker`. What
    the searches were told stands before them, with none of these three.

    Raises:
        Uncovered: a suggestion is not in the table.
    """
    clock, order = Clock(), count()
    staff = [_work(k, tunings, source, patience, clock) for k in range(workers)]
    due = [(0.0, False, next(order), k) for k in range(workers)]
    idle: list[int] = []
    while due:
        clock.now, _, _, k = heappop(due)
        before = len(clock.ended)
        for seconds, begins in islice(staff[k], 1):  # who begins a trial stands behind all who end one then
            if seconds < inf:
                heappush(due, (clock.now + seconds, begins, next(order), k))
            else:
                idle.append(k)
        if len(clock.ended) > before:
            for one in idle:
                heappush(due, (clock.now, True, next(order), one))
            idle.clear()
    last = {(trial["tuning"], trial["number"]): trial for trial in clock.ended}  # not each time that it paused
    whole = [trial for trial in clock.ended if last[trial["tuning"], trial["number"]] is trial]
    ended = [trial | {"state": "pruned"} if trial["state"] == "paused" else trial for trial in whole]
    return [*(trial for one in tunings for trial in one.known), *ended]


def _work(
    k: int, tunings: Sequence[InMemory], source: Source, patience: int, clock: Clock
) -> Iterator[tuple[float, bool]]:
    """Carry out one trial after the other, of the tuning that has the most to go; yield how long it waits meanwhile.

    Yields:
        seconds, infinite ones until a trial of another worker ends; and whether a trial begins after them.
    """
    failures = 0
    while failures < patience:
        yield 0.0, True
        asked = ((one, one.next_trial()) for one in sorted(tunings, key=lambda one: -one.to_go()))
        tuning, trial = next((pair for pair in asked if pair[1] is not None), (None, None))
        if tuning is None or trial is None:
            yield inf, True
            continue
        outcome, started = new_outcome(tuning, trial.number), clock.now
        for seconds in carry_out(tuning, trial, outcome, source):
            if seconds:  # not between the suggestion and its choice: the study has its sampler only now
                yield seconds, False
        tuning.tell(trial, outcome)
        clock.epochs[tuning.name, trial.number] = _trained(outcome)
        about = {"started": started, "ended": clock.now, "worker": k, "trained": sum(clock.epochs.values())}
        clock.ended.append(outcome | about)
        if outcome["state"] not in UNCOUNTED:
            failures = failures + 1 if outcome["state"] == "failed" else 0


def simulate(
    table: Table,
    *,
    sampler: str | Callable[..., Any],
    pruner: str | Any,
    trials: int,
    seed: int,
    workers: int,
    space: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    known: Iterable[Mapping[str, Any]] = (),
    **search: Any,
) -> DataFrame:
    """Search on a table, and return a row a trial; as `skipbench.simulate`, which has the defaults."""
    whole("workers", workers, least=1)
    held = dict(mapping("fixed", fixed))
    axes = {axis: list(about.values) for axis, about in table.axes.items() if axis not in held}
    said = {"space": axes if space is None else space, "search": {**search, "trials": trials, "seed": seed}}
    asked = read_search(said)
    asked = replace(asked, objectives=signed_objectives(table, asked.objectives if "objectives" in search else []))
    source = TableSource(table, asked.seeds, covered(table, asked, held))
    order = [axis for axis in table.axes if axis in asked.space]
    open_axes = Space({axis: asked.space[axis] for axis in order}, held, source.active)
    made = [
        built(node_of(group, one)) if isinstance(one, str) else one
        for group, one in (("sampler", sampler), ("pruner", pruner))
    ]
    suggestions.check_sampler(asked, made[0])
    suggestions.check_pruner(asked, made[1])
    tuning = InMemory("simulated", asked, open_axes, sampler=made[0], pruner=made[1], study=f"seed {seed}")
    try:
        tuning.begin(known_cells(tuning, known, source))
    except LookupError as error:
        raise StudyError(str(error.args[0])) from error
    return trials_frame(table, asked, run([tuning], source, workers=workers), source.defaults)


def signed_objectives(table: Table, objectives: Sequence[str]) -> list[str]:
    """The objectives with a minus where more is better; where there are none, what the table is judged by."""
    judged, better = table.about["judged"]
    sides = {name: about.get("better") for name, about in table.about["metrics"].items()} | {judged: better}
    names = [name.lstrip("-") for name in objectives or [judged]]
    return [f"-{name}" if sides.get(name) == "higher" else name for name in names]


def node_of(group: str, name: str) -> dict[str, Any]:
    """Read the file of `conf/` that describes a sampler or a pruner; StudyError where there is none."""
    files = config_files(CONF / group)
    if name not in files:
        raise StudyError(f"no {group} {name!r}{instead(str(name), files, 'there are')}")
    return yaml.safe_load(files[name].read_text(encoding="utf-8"))


def built(said: Mapping[str, Any]) -> Any:
    """Build a sampler or a pruner of what `node_of` says; StudyError for an option that it does not take."""
    options = dict(said)
    module, _, target = options.pop("_target_").rpartition(".")
    kind = getattr(import_module(module), target)
    if options.pop("_partial_", False):
        return partial(kind, **options)
    try:
        with suggestions.without_experimental_warning():
            return kind(**options)
    except TypeError as error:
        raise StudyError(f"{target}: {error}") from error


def trials_frame(table: Table, search: Search, trials: Iterable[Trial], defaults: Point) -> DataFrame:
    """A row a trial, those that ended first in front.

    `best` is the best value of the first objective so far, also among what the search was told; `best_test_…` is what
    that cell has on the test set: the mean over all seeds of the table; `trained` is how many epochs all trials were
    trained by then.

    Args:
        defaults: the values of the table's axes that the points of the trials do not have.
    """
    import pandas as pd

    first, metric = search.objectives[0], f"test_{table.about['judged'][0].removeprefix('val_')}"
    look_up = mean_over_seeds(table, metric)
    rows: list[dict[str, Any]] = []
    best: float | None = None
    at: float | None = None
    for trial in trials:
        if trial["state"] == "complete" and (best is None or trial["values"][first] < best):
            best, at = trial["values"][first], look_up({**defaults, **trial["point"]})
        if trial.get("warm_start"):
            continue
        known = {name: trial.get(name) for name in TOLD}
        chosen = {axis: trial["point"].get(axis) for axis in search.space}
        values = {name: trial["values"].get(name) for name in search.objectives}
        sizes = {name: trial.get(name) for name in ("params", "macs", "cell")}
        rows.append({**known, **chosen, **values, **sizes, "best": best, f"best_{metric}": at})
    return pd.DataFrame(rows)


def _trained(trial: Trial) -> int:
    """How many epochs a trial was trained, of all its seeds."""
    whole = trial.get("epochs", 0)
    if trial["state"] == "complete":
        return whole * len(trial.get("seed_values", ()))
    return reached(trial) + whole * max(0, len(trial.get("seed_values", ())) - 1)
