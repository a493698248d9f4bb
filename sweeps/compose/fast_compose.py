"""Runs of many points, quickly: Hydra composes every choice once, and the points are put together from plain data.

A choice is taken for plain where Hydra, asked for it alone, changes nothing but the choice's own node. Everything else,
and whatever is not understood here, is composed by Hydra. The first point of each kind is done both ways and compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ablations.identity.run import NODES, Run, active_axes
from sweeps.compose.compose import Composer, conf_dir, default_axes, described, plain_tree, run_of

WHOLE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
Tree = dict[str, Any]


class NotPlain(Exception):
    """Something that Hydra has to do."""


@dataclass
class Base:
    """What Hydra composed for some choices: the config as plain data, interpolations not resolved, and the choices."""

    tree: Tree
    choices: Mapping[str, Any]
    active: list[str]


class QuickComposer:
    """Runs for overrides, equal to `run_of(composer(overrides))`."""

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self.defaults = default_axes(conf_dir(composer.master.hydra))
        self.groups = set(composer.master.hydra.runtime.choices)
        self.bases: dict[tuple[str, ...], Base] = {}
        self.alone: dict[tuple[tuple[str, ...], str], Any] = {}
        self.compared: dict[tuple[Any, ...], bool] = {}

    def __call__(self, overrides: Sequence[str]) -> Run:
        """The run that overrides describe.

        Raises:
            HydraException: a choice or a setting does not exist.
        """
        chosen = tuple(text for text in overrides if _key(text) in self.groups)
        values = [text for text in overrides if _key(text) not in self.groups]
        kind = (chosen, tuple(_key(text) for text in values))
        try:
            if self.compared.get(self._kind(kind), True):
                run = self._assemble(chosen, values, overrides)
                if self._kind(kind) in self.compared:
                    return run
                made = self.composer(overrides)
                same = _whole(run) == _whole(run_of(made, made.hydra))
                self.compared[self._kind(kind)] = same
                if same:
                    return run
        except NotPlain:
            pass
        made = self.composer(overrides)
        return run_of(made, made.hydra)

    def _kind(self, kind: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[Any, ...]:
        """Points of a kind set the same keys, and choose in the same groups."""
        return tuple(_key(text) for text in kind[0]), kind[1]

    def _assemble(self, chosen: tuple[str, ...], values: list[str], overrides: Sequence[str]) -> Run:
        base = self._base(chosen)
        tree = base.tree
        for text in values:
            key, value = _parsed(text)
            if not key.startswith("hydra."):
                tree = _with(tree, key.split("."), value)
        seen = {}
        config = {node: _resolved(tree[node], tree) for node in NODES}

        def select(key: str) -> Any:
            if key not in seen:
                seen[key] = _resolved(_at(tree, key.split(".")), tree)
            return seen[key]

        overridden = [_key(text) for text in overrides]
        return described(tree, base.active, base.choices, overridden, self.defaults, select, config)

    def _base(self, chosen: tuple[str, ...]) -> Base:
        """Put together from what each choice does alone; composed as a whole where one does more than fill its node."""
        if chosen not in self.bases:
            plain = [(text, self._alone(text)) for text in chosen]
            if any(node is None for _, node in plain) or len({_key(text) for text in chosen}) < len(chosen):
                self.bases[chosen] = self._composed(chosen)
            else:
                first = self._composed(())
                tree = first.tree | {_key(text): node for text, node in plain}
                choices = dict(first.choices) | {_key(text): text.partition("=")[2] for text in chosen}
                self.bases[chosen] = Base(tree, choices, active_axes(tree))
        return self.bases[chosen]

    def _alone(self, text: str) -> Any:
        """The node that a choice fills; None where it does anything else."""
        at = ((), text)
        if at not in self.alone:
            key, first = _key(text), self._composed(())
            if first.choices.get(key) == text.partition("=")[2]:  # as it is
                return first.tree.get(key)
            before, after = first.tree, self._composed((text,)).tree
            rest = [{k: v for k, v in tree.items() if k != key} for tree in (before, after)]
            self.alone[at] = after.get(key) if rest[0] == rest[1] and "/" not in key else None
        return self.alone[at]

    def _composed(self, chosen: tuple[str, ...]) -> Base:
        if chosen not in self.bases:
            made = self.composer(list(chosen))
            tree = plain_tree(made)
            self.bases[chosen] = Base(tree, dict(made.hydra.runtime.choices), active_axes(tree))
        return self.bases[chosen]


def _whole(run: Run) -> str:
    return repr((run.axes, run.seed, run.config, run.unusual))


def _key(text: str) -> str:
    return text.partition("=")[0].lstrip("+~")


@lru_cache(maxsize=65536)
def _parsed(text: str) -> tuple[str, Any]:
    """Key and value of an override that only sets a plain value."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = OverridesParser.create().parse_override(text)
    value = override.value()
    if text[0] in "+~" or isinstance(value, dict) or "${" in text or "???" in text or override.is_sweep_override():
        raise NotPlain
    return override.key_or_group, value


def _with(tree: Tree, path: Sequence[str], value: Any) -> Tree:
    """A copy of `tree` with another value at a place that is there; what is not on the way is shared."""
    key = path[0]
    if not isinstance(tree, dict) or key not in tree:
        raise NotPlain
    if len(path) > 1:
        return tree | {key: _with(tree[key], path[1:], value)}
    if isinstance(tree[key], dict):
        raise NotPlain
    return tree | {key: value}


def _at(tree: Tree, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            raise NotPlain
        tree = tree[key]
    return tree


def _resolved(value: Any, tree: Tree) -> Any:
    """A copy with `${key}` replaced by what stands there."""
    if isinstance(value, str):
        if (whole := WHOLE.fullmatch(value)) is not None:
            return _resolved(_at(tree, whole[1].split(".")), tree)
        if "${" in value or value == "???":
            raise NotPlain
        return value
    if isinstance(value, dict):
        return {key: _resolved(item, tree) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, tree) for item in value]
    return value
