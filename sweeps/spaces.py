"""Compose the points of a search's space: which axes matter there, which can be built, which were trained before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from graphlib import TopologicalSorter
from itertools import islice
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ablations.identity.run import REFERENCE
from ablations.plan.staleness import made_of_other_data
from ablations.question.search_space import Choice, Range, Search
from ablations.question.study import Point, StudyError
from ablations.records.record import Record, read_records
from ablations.search.space import Infeasible, Space
from ablations.search.suggestions import new_study
from ablations.search.trials import Trial, read_trials, read_warm_start
from ablations.search.warm_start import known_trials
from sweeps.cli.errors import as_value_error
from sweeps.compose.active_options import active_point, has_option
from sweeps.compose.compose import Composer
from sweeps.compose.fast_compose import FastComposer
from sweeps.data import data_digest
from sweeps.preflight import check_nodes

DRAWS = 100  # points of a space, of which one must be buildable
Axes = Mapping[str, Choice | Range]


class SpaceComposer:
    """What is known of points by composing them. Words alone decide which axes there are; numbers are left out.

    Raises:
        Infeasible: by `active` and `default`, where the point cannot be composed.
    """

    def __init__(self, composer: Composer, fast: FastComposer) -> None:
        self.composer, self.fast = composer, fast
        self.configs: dict[str, DictConfig] = {}
        self.known: dict[tuple[str, str], bool] = {}

    def asking_order(self, space: Axes, points: list[Point]) -> tuple[list[str], dict[str, str]]:
        """Order the axes so that each comes after those that decide whether it matters; also hash the code.

        Raises:
            ValueError: a choice or an axis of the space does not exist.
        """
        needs: dict[str, set[str]] = {axis: {axis.partition(".")[0]} & ({*space} - {axis}) for axis in space}
        code: dict[str, str] = {}
        refused: dict[str, ValueError] = {}
        built: set[str] = set()
        for axis in space:
            for point in self._choices(axis, space, points):
                try:
                    with as_value_error():
                        asked = {**active_point(point, self.fast), axis: point[axis]}
                        code |= self.fast(asked).run.code
                        node = self.fast.node(axis, asked)
                except ValueError as error:
                    refused.setdefault(axis, error)
                    if not needs[axis]:
                        raise
                    continue
                built.add(axis)
                named = set(REFERENCE.findall(json.dumps(node, default=str)))
                for other in named & {*space} - {axis}:
                    needs[other].add(axis)
        for axis in refused.keys() - built:
            raise refused[axis]
        before = {axis: sorted(some) for axis, some in needs.items()}  # the order of a set differs between processes
        return list(TopologicalSorter(before).static_order()), code

    def active(self, axis: str, point: Point) -> bool:
        """Whether an axis matters at a point that does not have it yet."""
        words = _words(point)
        where = repr(words), axis
        if where not in self.known:
            with as_infeasible():
                self.known[where] = self.fast.is_active(axis, active_point(words, self.fast))
        return self.known[where]

    def default(self, axis: str, point: Point) -> Any:
        """The value that an axis has at a point where nothing is said about it."""
        words = _words(point)
        if repr(words) not in self.configs:
            with as_infeasible():
                self.configs[repr(words)] = self.composer(active_point(words, self.fast))
        return OmegaConf.select(self.configs[repr(words)], axis)

    def is_cell_of(self, point: Point, record: Record) -> bool:
        """Whether a record is of the cell that a point is today, and of the data that is there today."""
        try:
            with as_value_error():
                run = self.fast(active_point(point, self.fast)).run
        except ValueError:
            return False
        digest_now = partial(data_digest, folder=Path(self.composer.master.data_dir))
        return run.cell == record["cell"] and not made_of_other_data(run, record, digest_now)

    def space(self, search: Search, order: list[str], point: Point) -> Space:
        """The space of a tuning, its axes in the order in which they are asked for."""
        return Space({axis: search.space[axis] for axis in order}, point, self.active)

    def refuse_infeasible(self, space: Space) -> None:
        """Raise StudyError for a space of which no point can be built, by points drawn at random."""
        causes: Counter[str] = Counter()
        for chosen in islice(space.random_points(new_study(1), 0), DRAWS):
            try:
                with as_value_error():
                    run = self.fast(active_point({**space.fixed, **chosen}, self.fast)).run
                    check_nodes(run.config, Path(self.composer.master.data_dir), run.start)
                return
            except OSError:  # its data is not here, of which more is said elsewhere
                return
            except ValueError as error:
                causes[str(error)] += 1
        raise StudyError(f"no network of this space can be built: {causes.most_common(1)[0][0]}")

    def _choices(self, axis: str, space: Axes, points: list[Point]) -> list[Point]:
        """List a point with each value of an axis; of an option (`block.coupled`) with each choice that may have it."""
        group = axis.partition(".")[0]
        if group != axis and group in space:
            hosts = [{**points[0], group: host} for host in _values_to_try(space[group])]
        else:
            hosts = [next((point for point in points if has_option(axis, point, self.fast)), points[0])]
        return [{**host, axis: value} for value in _values_to_try(space[axis]) for host in hosts]


def trained_before(
    runs: Path, study: str, search: Search, spaces: Mapping[str, Space], composed: SpaceComposer
) -> dict[str, list[Trial]]:
    """Find what the sampler of each tuning is told when the search begins, or was told then.

    Where there are several tunings, they are told nothing unless the study says so: all begin with equal knowledge.
    """
    told = {name: read_warm_start(runs, study, name) for name in spaces}
    wanted = search.warm_start if search.warm_start is not None else len(spaces) == 1
    begun = {trial["tuning"] for trial in read_trials(runs, study, spaces)[0]}
    new = [name for name in spaces if told[name] is None and name not in begun] if wanted else []
    records = list(read_records(runs)[0].values()) if new else []
    found = {name: known_trials(records, search, spaces[name], composed, runs=runs, tuning=name) for name in new}
    return {name: found.get(name, told[name] or []) for name in spaces}


def _words(point: Point) -> Point:
    return {axis: value for axis, value in point.items() if isinstance(value, str)}


@contextmanager
def as_infeasible() -> Iterator[None]:
    """Turn an error about a suggestion into `Infeasible`."""
    try:
        with as_value_error():
            yield
    except ValueError as error:
        raise Infeasible(str(error)) from error


def _values_to_try(options: Choice | Range) -> list[Any]:
    """Values to compose once: all of a choice, the lower end of a range."""
    return list(options.values) if isinstance(options, Choice) else [options.low]
