"""Read the published numbers in ablations/literature; a claim names one by `reference`.

    reference: he2015.cifar10.test_err.resnet56
    reference: {plus: he2015.cifar10.test_err.resnet1202, minus: he2015.cifar10.test_err.resnet110.mean}

A reference is written like the claim it belongs to: one number for a cell, plus and minus for a contrast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ablations.question.did_you_mean import nearest

LITERATURE = Path(__file__).resolve().parents[1] / "literature"
SCALES = {"M params": 1e6, "GFLOP (multiply-adds)": 1e9, "GMAC": 1e9}
OURS = {  # unit of a number in this suite → the units in which such numbers are published
    "% error": ("% error", "accuracy", "% accuracy"),
    "nats": ("nats", "mean training loss", "train cross-entropy"),
    "params": ("params", "M params"),
    "macs": ("GFLOP", "GMAC"),
}
LEVELS = ("primary", "computed", "secondary")  # read there; counted; quoted by others. From memory is no level


class UnknownReference(ValueError):
    """Raised for a published number that is not known; says which is the nearest."""


@dataclass(frozen=True)
class Reference:
    """A published number.

    Attributes:
        value: as published.
        unit: of `value`, as published.
        n: how many runs it rests on, where that is stated.
        std: their standard deviation.
        level: how well it is verified, one of `LEVELS`.
        source: the publication.
        data: what it was measured on, as the group `data` calls it where it has that.
        setting: how it was measured.
        where: the table, figure or section.
        read: where it was read; of every number that no claim of a study needs.
    """

    value: float
    unit: str
    level: str
    source: str
    data: str
    setting: str
    n: int | None = None
    std: float | None = None
    where: str = ""
    read: str = ""

    @property
    def measured(self) -> float:
        """The value in this suite's units: errors in percent, counts in ones, factors in orders of magnitude."""
        if self.unit == "accuracy":
            return round(100 * (1 - self.value), 6)
        if self.unit == "% accuracy":
            return round(100 - self.value, 6)
        if self.unit.startswith("x "):
            return math.log10(self.value)
        return self.value * SCALES.get(self.unit, 1)

    @property
    def in_our_unit(self) -> str:
        """The unit of `measured`; that of the publication where this suite has no such numbers."""
        bare = self.unit.partition(" (")[0]
        if self.unit.startswith("x "):
            return "orders of magnitude"
        return next((unit for unit, published in OURS.items() if bare in published), bare)

    @property
    def spread(self) -> float | None:
        """The standard deviation in this suite's units, where it is published."""
        return None if self.std is None else self.std * (100 if self.unit == "accuracy" else SCALES.get(self.unit, 1))


@lru_cache(maxsize=1)
def references() -> dict[str, Reference]:
    """Read every published number, by its key."""
    import yaml

    found: dict[str, Reference] = {}
    for path in sorted(LITERATURE.glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        shared = {key: data[key] for key in ("source", "data", "setting", "read") if key in data}
        found |= {key: Reference(**shared, **number) for key, number in data["numbers"].items()}
    return found


def published_number(reference: Any) -> float:
    """Return the number of a `reference`, or the difference of two; UnknownReference where there is none."""
    if isinstance(reference, Mapping):
        if set(reference) != {"plus", "minus"}:
            raise UnknownReference(f"a reference is a key, or has plus and minus, not {', '.join(map(str, reference))}")
        return round(published_number(reference["plus"]) - published_number(reference["minus"]), 6)
    known = references()
    if reference not in known:
        hint = nearest(str(reference), known) or "; write it into a file there, or `published: 25` into the claim"
        raise UnknownReference(f"no published number {reference!r} in {LITERATURE.name}/{hint}")
    return known[reference].measured


def named(reference: Any) -> list[str]:
    """Return the keys in a reference."""
    if isinstance(reference, Mapping):
        return [key for side in reference.values() for key in named(side)]
    return [str(reference)]
