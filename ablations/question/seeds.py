"""Read how many seeds a study trains: a list of seeds, or as many as its claims need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablations.question.fields import seed_list, whole, written_out
from ablations.question.study import StudyError, check_known

UNTIL_DECIDED = "until_decided"  # seed=until_decided on the command line
LEAST, MOST = 3, 30  # seeds for any verdict; the most of a cell, where a study does not say
FIELDS = ("from", "most", "context")
EXAMPLE = "{from: 3, most: 30}"
ALLOWED = 100_000  # seeds of a cell


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
        return SeedDesign(tuple(seed_list("seeds", seeds)), len(seeds), len(seeds), fixed=True)
    about = {} if seeds == UNTIL_DECIDED else seeds
    if not isinstance(about, Mapping):
        raise StudyError(f"seeds={seeds} is neither a list like [0, 1, 2], nor {EXAMPLE}, nor {UNTIL_DECIDED}")
    check_known("seeds", about, FIELDS)
    given = {name: value for name, value in about.items() if value is not None}
    first = whole("seeds.from", given.get("from", LEAST), least=1)
    wanted = ("seeds.most", given.get("most", MOST)) if most is None else ("most", most)
    last = whole(*wanted, least=1)
    context = whole("seeds.context", given.get("context", first), least=1)
    if first < LEAST:
        raise StudyError(f"seeds.from={first}: a verdict needs at least {LEAST} seeds")
    if last < first:
        raise StudyError(f"most={last} is fewer than the first {first} seeds")
    if last > ALLOWED:
        raise StudyError(f"most={last}: a cell has {ALLOWED} seeds at most")
    if context > first:
        raise StudyError(f"seeds.context={context}: cells that no claim names get from 1 to {first} seeds")
    return SeedDesign(tuple(range(first)), last, context, fixed=False)
