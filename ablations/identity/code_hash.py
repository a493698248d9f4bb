"""Compute the fingerprint of the code that a run's result depends on.

Every definition counts that a training reaches by name: from `ROOTS`, where a run is built and fitted, and from the
`_target_`s of its network, data and recipe. A class counts whole, and so does what a module does when it is imported.
Names are followed in `lightning_modules`, `sweeps`, the target's own package and all code that is not installed. Of
libraries only the names count.

What watches or stores is no part of it. Most of that is not reached from `ROOTS`: records, tracking, progress bar,
diagnostics, proxies, checkpoints, profiles. `EXCLUDED` is reached, and changes no number. Docstrings, annotations and
messages do not count either, see `syntax`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ablations.identity.source_tree import LIBRARIES, ON_IMPORT, OURS, Module, SourceTree

LOOKED_UP = {f"hydra.utils.get_{what}" for what in ("class", "method", "static_method", "object")}  # by `path`
ROOTS = (
    "sweeps.training.build",
    "sweeps.training.fit_parts",
    "lightning_modules.training.trainer.lean_trainer",  # what `trainer._target_` names; the config of it is no part
    "lightning_modules.vmapped.fused.train_in_lockstep",  # what a worker trains several runs with
)
EXCLUDED = (
    "lightning_modules.training.throttle",  # how often rows are handed on
    "lightning_modules.training.malloc",  # what becomes of memory that is free
    "lightning_modules.vmapped.signals",  # when Ctrl-C is heeded
    "lightning_modules.data.download",  # how files get here; which ones, a checksum says
    "lightning_modules.training.weights",  # how weights are written and read; which ones, a digest says
    "sweeps.trained",  # where they lie
    "sweeps.cli",  # words for the person who typed
)


def targets(config: Any) -> set[str]:
    """Every `_target_` in a resolved config."""
    if isinstance(config, dict):
        own = {name for name in (config.get("_target_"), config.get("path")) if isinstance(name, str)}
        if not own & LOOKED_UP:  # whose `path` is no name
            own -= {config.get("path")}
        return own.union(*(targets(value) for value in config.values()))
    if isinstance(config, list):
        return set().union(*(targets(value) for value in config))
    return set()


def fingerprint(names: Iterable[str], sources: SourceTree | None = None) -> dict[str, str]:
    """Digest the code behind dotted names and `ROOTS`, by source file.

    Args:
        names: dotted paths of classes and functions, as `_target_` has them.
        sources: where they are looked up; by default in the files as this process first read them.

    Returns:
        `{"lightning_modules/networks/blocks.py": "<16 hex>", …}`.
    """
    return dict(_fingerprint(tuple(sorted({*names, *ROOTS})), sources or _sources()))


def foreign(names: Iterable[str]) -> dict[str, tuple[Path, str]]:
    """Find the files of `fingerprint(names)` that are not this project's; return path and text of each."""
    code = fingerprint(names)
    others = [one for one in _sources().modules.values() if one.file.name.partition(".")[0] not in OURS]
    files = {module.file.relative: module for module in others}
    return {name: (files[name].file.path, files[name].text) for name in code if name in files}


def is_found(name: str) -> bool:
    """Whether the code of a dotted name is of a library, or in a file that can be found from here."""
    return name.partition(".")[0] in LIBRARIES or _sources().locate(name) is not None


def defined(name: str) -> Sequence[ast.stmt]:
    """The syntax of the class or function that a dotted name names; empty for libraries and unknown names."""
    return _sources().defined(name)


@cache
def _sources() -> SourceTree:
    return SourceTree()


@lru_cache(maxsize=4096)
def _fingerprint(names: tuple[str, ...], sources: SourceTree) -> tuple[tuple[str, str], ...]:
    files: dict[str, list[str]] = {}
    for file, name, digest in sorted(set().union(*(reached(name, sources) for name in names))):
        files.setdefault(file, []).append(f"{name}={digest}")
    return tuple((file, hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]) for file, lines in files.items())


@lru_cache(maxsize=4096)
def reached(target: str, sources: SourceTree) -> frozenset[tuple[str, str, str]]:
    """(file, definition, digest) of all that `target` is built on, itself included."""
    tops = {target.partition(".")[0], *OURS}
    seen: set[str] = set()
    found: set[tuple[str, str, str]] = set()
    todo = {target}
    while todo:
        dotted = todo.pop()
        seen.add(dotted)
        at = sources.locate(dotted)
        if at is None or _is_excluded(at[0].file.name):
            continue
        module, inside = at
        if module.file.installed and module.file.name.partition(".")[0] not in tops:
            continue
        todo |= _imported_too(module, sources) - seen
        for name in [inside.partition(".")[0], ON_IMPORT] if inside else module.statements:  # a module counts whole
            if definition := module.definition(name):
                found.add((module.file.relative, name, definition.digest))
                todo |= definition.uses - seen
            elif name:
                todo |= module.resolve(inside) - seen
    return frozenset(found)


def _imported_too(module: Module, sources: SourceTree) -> set[str]:
    """Names that lead to what is done when the packages above a module, and what it imports unused, are imported."""
    packages = module.file.name.split(".")[:-1]
    above = {".".join(packages[: n + 1]) for n in range(len(packages))}
    beside = {at[0].file.name for name in module.unused if (at := sources.locate(name)) is not None}
    return {
        f"{name}.<import>" for name in (above | beside) - {module.file.name}
    }  # no definition: only its import counts


def _is_excluded(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in EXCLUDED)
