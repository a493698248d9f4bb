"""Compute the identity of a run: a hash of its network, data and recipe, of the code behind them, and of its seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ablations.identity.code_hash import fingerprint, targets

NODES = ("network", "data", "recipe")
NAMED = ("block", "shortcut", "norm")  # axes whose value alone says what it is, so that a label needs no key
INTEGRAL = re.compile(r"\d\.0[,\]}]|\d\.0$|\de\+")  # there may be a float that is a whole number
LONGEST = 119  # characters of a label: with the identity's nine it is an id that W&B takes (128) and a file name (255)
REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?=[.}\[])")


def active_axes(tree: dict[str, Any]) -> list[str]:
    """List the top-level keys that matter to a run: `network`, `data`, `recipe` and all they reach by interpolation.

    Args:
        tree: the composed config as plain data, interpolations not resolved.
    """
    return reached(tree, NODES)


def reached(tree: Mapping[str, Any], first: Iterable[str]) -> list[str]:
    """List the top-level keys `first` and all that they reach by interpolation, in the order of `tree`."""
    active: dict[str, None] = {}
    todo = list(first)
    while todo:
        key = todo.pop(0)
        if key not in active and key in tree:
            active[key] = None
            todo += REFERENCE.findall(json.dumps(tree[key], default=str))
    return [key for key in tree if key in active]


def canonical(value: Any) -> Any:
    """Write equal numbers of plain data the same way: 1.0 becomes 1."""
    if isinstance(value, dict):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def digest(value: Any) -> str:
    """Return the SHA-256 of canonical JSON, 64 hex digits."""
    text = _json(value)
    if INTEGRAL.search(text):
        text = _json(canonical(value))
    return hashlib.sha256(text.encode()).hexdigest()


def identity_of(cell: str, seed: int) -> str:
    """Return the identity of the run of a cell with a seed."""
    return digest({"cell": cell, "seed": seed})


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, eq=False)
class Run:
    """A cell and a seed.

    Attributes:
        axes: the active axes and their values, without the seed.
        seed: pairs the run with the same seed of other cells.
        config: the resolved `network`, `data` and `recipe` nodes.
        unusual: the axes a label must name because they differ from the defaults.
        start: the folder of the run whose weights it starts from, where it does. `config` has the digest of them.
    """

    axes: dict[str, Any]
    seed: int
    config: dict[str, Any]
    unusual: tuple[str, ...] = ()
    start: str | None = None

    @cached_property
    def code(self) -> dict[str, str]:
        """Digests of the source files this run's result depends on."""
        return fingerprint(targets(self.config))

    @cached_property
    def cell(self) -> str:
        """The identity of the cell: everything but the seed."""
        return digest({"config": self.config, "code": self.code})

    @cached_property
    def identity(self) -> str:
        """Equal identities are the same run, whichever study asks for it."""
        return identity_of(self.cell, self.seed)

    def with_seed(self, seed: int) -> Run:
        """Return the run of the same cell with another seed; the cell is not digested again."""
        other = replace(self, seed=seed)
        other.__dict__.update(code=self.code, cell=self.cell)
        return other

    @property
    def label(self) -> str:
        """Name the run for people: `residual-A-batch-d20-s0`.

        The order in which axes were typed does not matter. A character that a file name should not have becomes `_`. A
        label that is too long loses characters before its seed.
        """
        words = [str(self.axes[axis]) for axis in NAMED if axis in self.axes]
        words += [f"d{self.axes['depth']}"] if "depth" in self.axes else []
        named = {*NAMED, "depth"}
        words += [_word(axis, self.axes[axis]) for axis in sorted({*self.unusual} - named) if axis in self.axes]
        cell = re.sub(r"[^A-Za-z0-9._=+-]+", "_", "-".join(words)).lstrip(".")
        seed = f"-s{self.seed}"
        return cell[: LONGEST - len(seed)] + seed if cell else seed[1:]

    @property
    def folder(self) -> str:
        """Name of the run's folder: its label and the first 8 digits of its identity."""
        return f"{self.label}-{self.identity[:8]}"


def _word(axis: str, value: Any) -> str:
    alone = isinstance(value, str) and "." not in axis and axis != "split"
    return value if alone else f"{axis.rpartition('.')[2]}={value}"
