"""Check the values of a study's fields; each error is one sentence that says where, what was wrong, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ablations.question.did_you_mean import nearest
from ablations.question.study import StudyError

RANGE = re.compile(r"range\((?:(\d+), *)?(\d+)\)")  # as the command line has it
LARGEST = 2**63 - 1  # torch takes no larger seed


def mapping(where: str, value: Any) -> Mapping[str, Any]:
    """Return a mapping; an empty one for None."""
    if value is not None and not isinstance(value, Mapping):
        raise StudyError(f"{where}: {value!r} is not a mapping")
    return value or {}


def check_one_of(where: str, value: Any, allowed: Sequence[str]) -> None:
    """Check that a value is one of a few words."""
    if value not in allowed:
        raise StudyError(f"{where}: {value!r} is none of {', '.join(allowed)}{nearest(str(value), allowed)}")


def seed_list(where: str, value: Any) -> list[int]:
    """Return different seeds: of a list, of `range(3)`, or a single one."""
    seeds = listed(written_out(value))
    good = all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds)
    if not (seeds and good) or len({*seeds}) < len(seeds):
        raise StudyError(f"{where}={value} is not a list of different whole numbers ≥ 0, like [0, 1, 2]")
    if max(seeds) > LARGEST:
        raise StudyError(f"{where}: {max(seeds)} is too large: the largest seed is {LARGEST}")
    return seeds


def written_out(seeds: Any) -> Any:
    """Return the list that `range(2)` or `range(3, 8)` stands for; anything else as it is."""
    if isinstance(seeds, str) and (ends := RANGE.fullmatch(seeds)):
        seeds = range(int(ends[1] or 0), int(ends[2]))
    return list(seeds) if isinstance(seeds, range) else seeds


def whole(where: str, value: Any, *, least: int) -> int:
    """Return a whole number that is not below `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise StudyError(f"{where}={value} must be a whole number ≥ {least}")
    return value


def switch(where: str, value: Any) -> bool | None:
    """Return true, false, or None where nothing is said."""
    if value is not None and not isinstance(value, bool):
        raise StudyError(f"{where}={value} is neither true nor false")
    return value


def listed(value: Any) -> list[Any]:
    """Return a list; of anything else a list of it alone."""
    return list(value) if isinstance(value, list | tuple) else [value]
