"""Read and check the search of a study: its open axes, what it minimises, its constraints and its budget."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ablations.question.did_you_mean import nearest
from ablations.question.fields import check_one_of, listed, mapping, seed_list, switch, whole
from ablations.question.study import StudyError, check_known

SIZES = ("params", "macs")  # known before training
OTHERS = (*SIZES, "seconds")
CURVE = re.compile(r"-?(val|train)_\w+")  # known after every epoch; which there are is the task's to say
DIVERGED = ("worst", "failed")
PRUNE_BY = ("epochs", "seeds")
RANGE = ("low", "high", "step", "log")


@dataclass(frozen=True)
class Choice:
    """One of several values: `block: [plain, residual]`."""

    values: tuple[Any, ...]

    @property
    def size(self) -> float:
        return len(self.values)

    def all(self) -> list[Any]:
        return list(self.values)

    def like(self, value: Any) -> list[Any]:
        """The value that equals `value`, if there is one."""
        return [one for one in self.values if one == value and isinstance(one, bool) == isinstance(value, bool)]


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included: whole if both and `step` are, otherwise real."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        return all(isinstance(x, int) for x in (self.low, self.high, self.step or 1))

    @property
    def size(self) -> float:
        step = self.step or (1 if self.whole else None)
        return math.inf if step is None else _steps(self.low, self.high, step) + 1

    def all(self) -> list[float]:
        """Every value; none of a range that is real-valued and has no step."""
        return [] if self.size == math.inf else [self.low + k * (self.step or 1) for k in range(int(self.size))]

    def like(self, value: Any) -> list[float]:
        """`value`, if the range holds it."""
        if not isinstance(value, int | float) or isinstance(value, bool) or not self.low <= value <= self.high:
            return []
        steps = (value - self.low) / (self.step or 1)
        if (self.step or self.whole) and abs(steps - round(steps)) > 1e-9:
            return []
        return [int(value) if self.whole else float(value)]


@dataclass(frozen=True)
class Constraint:
    """A limit on a network, checked before it is trained: `params <= 300_000`."""

    quantity: str
    bound: float
    at_most: bool

    def excess(self, value: float) -> float:
        """How far `value` is on the wrong side; at most 0 where it is allowed."""
        return value - self.bound if self.at_most else self.bound - value

    def __str__(self) -> str:
        return f"{self.quantity} {'<=' if self.at_most else '>='} {self.bound:g}"


@dataclass(frozen=True)
class Search:
    """The search of a study.

    Attributes:
        trials: how many cells are trained; for a study with a grid too, in every cell of it.
        seeds: what each trial is trained with; the sampler is told the mean.
        objectives: what is minimised, `-val_r2` of a metric of which more is better; several give a Pareto front.
        constraints: what a network must keep to.
        top: how many of the best are trained again at the end, with `fresh` seeds.
        fresh: seeds that no trial saw, so that a winner's number is not the number it was chosen by.
        diverged: what the sampler is told of a diverged run: the `worst` value, or that the trial `failed`.
        prune_by: what the pruner counts: the epochs of the first seed, or the seeds.
        seed: decides the suggestions.
        warm_start: whether the sampler is told what was trained before; None: unless there is a grid.
    """

    space: dict[str, Choice | Range]
    trials: int
    seeds: list[int]
    objectives: list[str]
    constraints: list[Constraint]
    top: int
    fresh: list[int]
    diverged: str
    prune_by: str
    seed: int
    warm_start: bool | None = None

    @property
    def size(self) -> float:
        """How many points the space has, where every axis is active; infinite with a real-valued one."""
        return math.prod(axis.size for axis in self.space.values())


def is_curve(objective: str) -> bool:
    """Whether an objective is a metric that is known after every epoch."""
    return CURVE.fullmatch(objective) is not None


DEFAULTS: dict[str, Any] = {
    "trials": 20,
    "seeds": [0],
    "objectives": ["val_error"],
    "constraints": [],
    "replicate": {"top": 3, "seeds": [100, 101, 102]},
    "diverged": "worst",
    "prune_by": "epochs",
    "seed": 0,
    "warm_start": None,
}


def read_search(study: Mapping[str, Any]) -> Search:
    """Read the `space` and the `search` of a study; StudyError where something is malformed or contradicts itself."""
    given = mapping("search", study.get("search"))
    check_known("search", given, DEFAULTS)
    said = {**DEFAULTS, **given}
    replicate = {**DEFAULTS["replicate"], **mapping("search.replicate", said["replicate"])}
    check_known("search.replicate", replicate, DEFAULTS["replicate"])
    objectives = listed(said["objectives"])
    if not objectives or len({str(name).lstrip("-") for name in objectives}) < len(objectives):
        raise StudyError(f"search.objectives={objectives} is not a list of different metrics like [val_error, macs]")
    for name in objectives:
        if str(name).startswith("test"):
            raise StudyError(f"search.objectives: {name} would select on the test set; use val_error")
        if not is_curve(str(name)):
            check_one_of("search.objectives", name, ("val_error", "val_loss", *OTHERS))
    check_one_of("search.diverged", said["diverged"], DIVERGED)
    check_one_of("search.prune_by", said["prune_by"], PRUNE_BY)
    seeds, fresh = seed_list("search.seeds", said["seeds"]), seed_list("search.replicate.seeds", replicate["seeds"])
    if shared := sorted(set(seeds) & set(fresh)):
        raise StudyError(f"search.replicate.seeds: {shared[0]} is a seed of the search too; a winner needs fresh ones")
    space = {str(axis): _axis(str(axis), value) for axis, value in mapping("space", study.get("space")).items()}
    return Search(
        space=space,
        trials=whole("search.trials", said["trials"], least=1),
        seeds=seeds,
        objectives=objectives,
        constraints=[_constraint(text) for text in listed(said["constraints"])],
        top=whole("search.replicate.top", replicate["top"], least=1),
        fresh=fresh,
        diverged=said["diverged"],
        prune_by=said["prune_by"],
        seed=whole("search.seed", said["seed"], least=0),
        warm_start=switch("search.warm_start", said["warm_start"]),
    )


def _axis(axis: str, value: Any) -> Choice | Range:
    if axis == "seed":
        raise StudyError("space: seed is not searched; search.seeds says what each trial is trained with")
    if isinstance(value, Mapping):
        if odd := [key for key in value if key not in RANGE]:
            meant = nearest(str(odd[0]), RANGE) or f"; an option is an axis of its own: {axis}.{odd[0]}"
            raise StudyError(f"space.{axis}: {odd[0]!r} is none of {', '.join(RANGE)}{meant}")
        return _range(axis, value)
    values = tuple(listed(value))
    if not values or len({repr(item) for item in values}) < len(values):
        raise StudyError(f"space.{axis}={list(values)} is not a list of different values")
    if odd := [item for item in values if not isinstance(item, str | int | float | bool | None)]:
        raise StudyError(f"space.{axis}: {odd[0]!r} is neither a word nor a number")
    return Choice(values)


def _range(axis: str, value: Mapping[str, Any]) -> Range:
    low, high, step, log = (value.get(key) for key in ("low", "high", "step", "log"))
    for key, number in (("low", low), ("high", high), *((("step", step),) if step is not None else ())):
        if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
            raise StudyError(
                f"space.{axis}.{key}={number} is not a number; a range is {{low: 0.01, high: 1, log: true}}"
            )
    log = bool(switch(f"space.{axis}.log", log))
    found = Range(low, high, step, log)  # pyright: ignore[reportArgumentType] checked above
    if found.low >= found.high:
        raise StudyError(f"space.{axis}: low={low} is not below high={high}")
    if step is not None and step <= 0:
        raise StudyError(f"space.{axis}.step={step} must be > 0")
    if log and (found.low <= 0 or step is not None):
        raise StudyError(f"space.{axis}: log: true needs low > 0 and no step")
    last = found.high if step is None else found.low + _steps(found.low, found.high, step) * step
    return found if math.isclose(last, found.high) else replace(found, high=last)


def _steps(low: float, high: float, step: float) -> int:
    return math.floor((high - low) / step + 1e-9)


def _constraint(text: Any) -> Constraint:
    found = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*([0-9][0-9_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*", str(text))
    if not found:
        raise StudyError(f'search.constraints: {text!r} is not like "params <= 300_000" or "macs <= 25e6"')
    check_one_of("search.constraints", found[1], SIZES)
    return Constraint(found[1], float(found[3]), found[2] == "<=")
