"""Read how many seeds a study trains: a list of seeds, or as many as its claims need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablations.question.did_you_mean import instead
from ablations.question.study import StudyError

UNTIL_DECIDED = "until_decided"  # seed=until_decided on the command line
LEAST, MOST = 3, 30  # seeds for any verdict; the most of a cell, where a study does not say
FIELDS = ("from", "most", "context")
EXAMPLE = "{from: 3, most: 30}"
RANGE = re.compile(r"range\((?:(\d+), *)?(\d+)\)")  # as the command line has it
LARGEST = 2**63 - 1  # torch takes no larger seed


@dataclass(frozen=True)
class SeedDesign:
    """How many seeds a study trains.

    Attributes:
        first: the seeds that every cell begins with.
        most: the largest number of seeds of a cell whose claims are open; of a fixed design `len(first)`.
        context: how many of the first seeds are trained of a cell that no claim names.
        fixed: whether the seeds are a list, judged once, when all are there.
    """

    first: tuple[int, ...]
    most: int
    context: int
    fixed: bool

    @property
    def further(self) -> tuple[int, ...]:
        """The seeds that follow the first ones while a claim is open."""
        return tuple(range(len(self.first), self.most))

    @property
    def horizon(self) -> int | None:
        """The number of seeds up to which looks are allowed for; None for a fixed design."""
        return None if self.fixed else self.most

    def as_written(self) -> Any:
        """The design as a study has it."""
        return list(self.first) if self.fixed else {"from": len(self.first), "most": self.most, "context": self.context}


def seed_design(seeds: Any, *, most: int | None = None) -> SeedDesign:
    """Read `seeds` of a study: a list, range(200), a mapping like {from: 3, most: 30, context: 1}, or "until_decided".

    Args:
        most: replaces that of the study.

    Raises:
        StudyError: it is anything else.
    """
    seeds = written_out(seeds)
    if isinstance(seeds, list | tuple):
        if most is not None:
            raise StudyError(f"most={most}: this study has the fixed seeds {list(seeds)}; add seed={UNTIL_DECIDED}")
        _check_list(list(seeds))
        return SeedDesign(tuple(seeds), len(seeds), len(seeds), fixed=True)
    about = {} if seeds == UNTIL_DECIDED else seeds
    if not isinstance(about, Mapping):
        raise StudyError(f"seeds={seeds} is neither a list like [0, 1, 2], nor {EXAMPLE}, nor {UNTIL_DECIDED}")
    if odd := [str(key) for key in about if key not in FIELDS]:
        raise StudyError(f"seeds: unknown field {odd[0]!r}{instead(odd[0], FIELDS, 'allowed are')}")
    first = _whole("seeds.from", about.get("from"), LEAST)
    last = _whole("most" if most is not None else "seeds.most", most if most is not None else about.get("most"), MOST)
    context = _whole("seeds.context", about.get("context"), first)
    if first < LEAST:
        raise StudyError(f"seeds.from={first}: a verdict needs at least {LEAST} seeds")
    if last < first:
        raise StudyError(f"most={last} is fewer than the first {first} seeds")
    if not 1 <= context <= first:
        raise StudyError(f"seeds.context={context}: cells that no claim names get from 1 to {first} seeds")
    return SeedDesign(tuple(range(first)), last, context, fixed=False)


def written_out(seeds: Any) -> Any:
    """Return the list that `range(2)` or `range(3, 8)` stands for; anything else as it is."""
    if isinstance(seeds, str) and (ends := RANGE.fullmatch(seeds)):
        seeds = range(int(ends[1] or 0), int(ends[2]))
    return list(seeds) if isinstance(seeds, range) else seeds


def _whole(name: str, value: Any, default: int) -> int:
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100_000:
        raise StudyError(f"{name}={value} is not a whole number ≥ 1")
    return value


def _check_list(seeds: list[Any]) -> None:
    if large := [seed for seed in seeds if isinstance(seed, int) and seed > LARGEST]:
        raise StudyError(f"seed={large[0]} is too large: the largest seed is {LARGEST}")
    good = seeds and all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seeds)
    if not good or len(set(seeds)) < len(seeds):
        raise StudyError(f"seeds={seeds} is not a list of different whole numbers ≥ 0, like [0, 1, 2]")
