"""Find the runs of many points: Hydra composes every choice once, the points are put together from plain data.

A choice is "plain" if choosing it changes only its own config node. All other choices are composed by Hydra, and so is
whatever is not understood here. The first point of each kind is composed in both ways, and the results are compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ablations.identity.run import NODES, Run, active_axes
from sweeps.compose.compose import (
    Composer,
    axis_of,
    conf_dir,
    default_axes,
    described,
    is_active,
    plain_tree,
    run_of,
    settings_of,
)
from sweeps.compose.own_network import TARGET
from sweeps.data import with_sizes

WHOLE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
Tree = dict[str, Any]


class NotPlain(Exception):
    """Raised where only Hydra can compose a point."""


@dataclass
class Base:
    """What Hydra composed for some choices: the config as plain data, with interpolations, and the choices."""

    tree: Tree
    choices: Mapping[str, Any]
    active: list[str]


class Composed(NamedTuple):
    """A run, and what its choices set beside it: `settings_of`."""

    run: Run
    settings: dict[str, Any]


class FastComposer:
    """Finds the runs of points; they equal those of `run_of(composer(point))`.

    Raises:
        HydraException: by every method, for a choice or a setting that does not exist.
    """

    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self.master = plain_tree(composer.master)
        self.defaults = default_axes(conf_dir(composer.master.hydra))
        self.bases: dict[tuple[tuple[str, str], ...], Base] = {}
        self.alone: dict[tuple[str, str], Any] = {}
        self.compared: dict[tuple[tuple[str, ...], tuple[str, ...]], bool] = {}

    def __call__(self, point: Mapping[str, Any]) -> Composed:
        """Find the run that a point describes."""
        kind = tuple(point), tuple(axis for axis in point if axis not in self.composer.groups)  # they set the same keys
        try:
            if self.compared.get(kind, True):
                found = self._assembled(point)
                if kind in self.compared:
                    return found
                composed = self._by_hydra(point)
                self.compared[kind] = _comparable(found) == _comparable(composed)
                return composed
        except NotPlain:
            pass
        return self._by_hydra(point)

    def options(self, group: str, point: Mapping[str, Any]) -> set[str] | None:
        """The options that the choices of a point have in a group; None where only Hydra can tell."""
        chosen = {axis: value for axis, value in point.items() if axis in self.composer.groups}
        if not all(isinstance(value, str) for value in chosen.values()):
            return None
        try:
            node = _at(self._base(chosen).tree, group.split("."))
        except NotPlain:
            return None
        return set(node) if isinstance(node, dict) else None

    def node(self, axis: str, point: Mapping[str, Any]) -> Any:
        """The node of a top-level axis at a point, or its value, with its interpolations; None if there is none."""
        try:
            return self._merged(point)[1].get(axis)
        except NotPlain:
            return plain_tree(self.composer(point)).get(axis)

    def is_active(self, axis: str, point: Mapping[str, Any]) -> bool:
        """Whether an axis matters at a point: `is_active` of the configuration."""
        parent, _, key = axis.rpartition(".")
        try:
            _, tree = self._merged(point)
            beside = _at(tree, parent.split(".")) if parent else tree
            if not isinstance(beside, dict):
                raise NotPlain
        except NotPlain:
            return is_active(axis, self.composer(point))
        return axis.partition(".")[0] in active_axes(tree) and key in beside

    def _by_hydra(self, point: Mapping[str, Any]) -> Composed:
        made = self.composer(point)
        return Composed(run_of(made, made.hydra), settings_of(plain_tree(made), self.master))

    def _merged(self, point: Mapping[str, Any]) -> tuple[Base, Tree]:
        """The choices of a point, and its configuration with the values that it sets; or raise NotPlain."""
        chosen = {axis: value for axis, value in point.items() if axis in self.composer.groups}
        if TARGET in point or not all(isinstance(value, str) for value in chosen.values()):
            raise NotPlain
        base = self._base(chosen)
        tree = base.tree
        for axis in point.keys() - chosen.keys():
            tree = _with(tree, axis.split("."), point[axis])
        return base, tree

    def _assembled(self, point: Mapping[str, Any]) -> Composed:
        base, tree = self._merged(point)
        tree = with_sizes(tree, partial(_resolved, tree=tree), self.composer.master.data_dir)
        seen = {}
        config = {node: _resolved(tree[node], tree) for node in NODES}

        def select(key: str) -> Any:
            if key not in seen:
                seen[key] = _resolved(_at(tree, key.split(".")), tree)
            return seen[key]

        overridden = [axis_of(text) for text in (*point, *self.composer.rest)]
        run = described(tree, base.active, base.choices, overridden, self.defaults, select, config)
        return Composed(run, settings_of(tree, self.master))

    def _base(self, chosen: dict[str, str]) -> Base:
        """Merge the nodes of single choices; let Hydra compose where a choice does more than fill its own node."""
        key = tuple(chosen.items())
        if key not in self.bases:
            nodes = {group: self._alone(group, name) for group, name in key}
            if None in nodes.values():
                self.bases[key] = self._composed(chosen)
            else:
                first = self._composed({})
                tree = first.tree | nodes
                self.bases[key] = Base(tree, {**first.choices, **chosen}, active_axes(tree))
        return self.bases[key]

    def _alone(self, group: str, name: str) -> Any:
        """The node that a choice fills; None if it changes anything else."""
        if (group, name) not in self.alone:
            first = self._composed({})
            if first.choices.get(group) == name:  # as it is
                return first.tree.get(group)
            before, after = first.tree, self._composed({group: name}).tree
            same = before | {group: None} == after | {group: None}
            self.alone[group, name] = after.get(group) if same and "/" not in group else None
        return self.alone[group, name]

    def _composed(self, chosen: dict[str, str]) -> Base:
        key = tuple(chosen.items())
        if key not in self.bases:
            made = self.composer(chosen)
            tree = plain_tree(made)
            self.bases[key] = Base(tree, dict(made.hydra.runtime.choices), active_axes(tree))
        return self.bases[key]


def _comparable(found: Composed) -> str:
    run = found.run
    return repr((run.axes, run.seed, run.config, run.unusual, found.settings))


def _with(tree: Tree, path: Sequence[str], value: Any) -> Tree:
    """Copy `tree` with another value at an existing place; branches that do not change are shared."""
    key = path[0]
    if not isinstance(tree, dict) or key not in tree or not _is_plain(value):  # an axis like `+lr` is not in the tree
        raise NotPlain
    if len(path) > 1:
        return tree | {key: _with(tree[key], path[1:], value)}
    if isinstance(tree[key], dict):
        raise NotPlain
    return tree | {key: value}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not isinstance(value, dict) and not (isinstance(value, str) and ("${" in value or "???" in value))


def _at(tree: Tree, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            raise NotPlain
        tree = tree[key]
    return tree


def _resolved(value: Any, tree: Tree) -> Any:
    """Copy a value with each `${key}` replaced by what it refers to."""
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
