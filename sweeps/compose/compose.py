"""Compose configurations with Hydra, and find the run that a configuration describes."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from ablations.identity.run import NODES, Run, active_axes
from ablations.question.hydra_syntax import to_overrides
from sweeps.compose.config_sources import refuse_clashes
from sweeps.compose.hydra_internals import reading_once, set_values
from sweeps.compose.own_network import fitted, with_own_arguments
from sweeps.compose.starting_weights import identified, starts_from
from sweeps.data import fill_sizes

NO_AXES = {
    *("study", "sampler", "pruner", "storage", "trainer", "tracker", "runs", "data_dir", "seed", "hydra"),
    *("workers", "workers_per_gpu", "micro_batch", "most"),
    *("plan", "on_invalid", "stale", "retry", "retrain", "profile", "diagnostics", "proxies", "stress", "keep"),
    *("simulate", "simulated", "max_consecutive_failures"),
}
SETTINGS = ("micro_batch", "diagnostics", "proxies", "stress", "keep")  # of a run, beside what it is


@lru_cache(maxsize=8)
def default_axes(conf: Path) -> dict[str, Any]:
    """Read the defaults of `conf/config.yaml`: the choice of each group, and the scalars."""
    primary = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))
    groups = {k: v for item in primary["defaults"] if isinstance(item, dict) for k, v in item.items()}
    return groups | {k: v for k, v in primary.items() if not isinstance(v, dict | list)}


def run_of(config: DictConfig, hydra: DictConfig) -> Run:
    """Find the run that a composed config describes.

    Args:
        config: the composed config; a `hydra` node in it is ignored.
        hydra: the `hydra` node that was composed with it, for the choices and the overrides.

    Raises:
        ValueError: a choice is offered twice.
    """
    refuse_clashes(hydra)
    fill_sizes(config)
    config = fitted(config, hydra.overrides.task)
    tree = plain_tree(config)
    refuse_nested(tree, hydra.runtime.choices)

    def select(key: str) -> Any:
        value = OmegaConf.select(config, key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value

    overridden = [axis_of(override) for override in hydra.overrides.task]
    resolved = {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES}
    defaults = default_axes(conf_dir(hydra))
    return described(tree, active_axes(tree), hydra.runtime.choices, overridden, defaults, select, resolved)


def described(
    tree: Mapping[str, Any],
    active: Sequence[str],
    choices: Mapping[str, Any],
    overridden: Sequence[str],
    defaults: Mapping[str, Any],
    select: Callable[[str], Any],
    resolved: dict[str, Any],
) -> Run:
    """Find the run of a config as plain data.

    Args:
        select: dotted name → value.
        resolved: the network, data and recipe.

    Raises:
        ValueError: a number in `resolved` is not finite, or there are no weights to start from.
    """
    instead = {key: select(f"{key}._target_") for key in choices if f"{key}._target_" in overridden}
    groups = {key: choices[key] for key in choices if key in active}
    groups |= {key: str(name).rpartition(".")[2] for key, name in instead.items() if key in groups}
    scalars = {key: select(key) for key in active if key not in groups and not isinstance(tree[key], dict)}
    options = {key: select(key) for key in overridden if "." in key and key.partition(".")[0] in active}
    options = {key: value for key, value in options.items() if not isinstance(value, dict)}
    for key in instead:
        options.pop(f"{key}._target_", None)
    known = {**groups, **scalars}
    axes = {key: known.pop(key) for key in defaults if key in known and key != "seed"} | known | options
    overridden = [key.removesuffix("._target_") for key in overridden]
    refuse_nonfinite(resolved)
    start = starts_from(resolved["network"])
    if start is not None:
        resolved = resolved | {"network": identified(resolved["network"], start)}
        axes |= {"init.run": Path(start).name}
    unusual = tuple(axis for axis in overridden if axis in axes and axes[axis] != defaults.get(axis))
    return Run(axes=axes, seed=select("seed"), config=resolved, unusual=unusual, start=start)


def refuse_nested(tree: Mapping[str, Any], choices: Mapping[str, Any]) -> None:
    """Raise ValueError for a choice whose file holds its own group, as `study:` without `# @package _global_`."""
    for group, name in choices.items():
        node = tree.get(group)
        if isinstance(node, dict) and "_target_" not in node and isinstance(node.get(group), dict):
            where = f"{group}={name}: its file begins with `{group}:`"
            raise ValueError(f"{where}, so its first line must be `# @package _global_`")


def refuse_nonfinite(node: Any, place: str = "") -> None:
    """Raise ValueError where plain data holds an infinity or NaN, of which no record could be written."""
    if isinstance(node, float) and not math.isfinite(node):
        raise ValueError(f"{place}={node} is not a finite number")
    if isinstance(node, dict):
        for key, value in node.items():
            refuse_nonfinite(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for value in node:
            refuse_nonfinite(value, place)


def is_active(axis: str, config: DictConfig) -> bool:
    """Tell whether an axis, or an option of one (`block.gate_kernel`), matters to network, data or recipe."""
    if axis.partition(".")[0] not in active_axes(plain_tree(config)):
        return False
    parent, _, key = axis.rpartition(".")
    return not parent or key in OmegaConf.select(config, parent)


def plain_tree(config: DictConfig) -> dict[str, Any]:
    """Return a composed config as plain data, without its `hydra` node; interpolations are not resolved."""
    tree: Any = OmegaConf.to_container(config)
    tree.pop("hydra", None)
    return tree


def unused_axes(run: Run, hydra: DictConfig) -> list[str]:
    """List the axes that were typed and that this run does not use."""
    asked = [axis_of(override) for override in hydra.overrides.task]
    known = {*default_axes(conf_dir(hydra))} - {*run.axes, *NO_AXES}
    return [axis for axis in asked if axis.partition(".")[0] in known]


def conf_dir(hydra: DictConfig) -> Path:
    return next(Path(source.path) for source in hydra.runtime.config_sources if source.provider == "main")


def with_network(refusal: str, hydra: DictConfig, typed: Container[str]) -> str:
    """Add to the refusal of a depth or of trained weights that the data chose the network, where nothing typed did."""
    choices = hydra.runtime.choices
    usual = choices["network"] == default_axes(conf_dir(hydra))["network"]
    if usual or "network" in typed or not refusal.startswith(("depth=", "the trained network is another one")):
        return refusal
    return f"{refusal} (network={choices['network']} was chosen by data={choices['data']})"


class Composer:
    """Composes points with Hydra: each set of group choices once; values are set on copies.

    Args:
        loader: Hydra's config loader.
        master: the composed config of the sweep.
        rest: overrides of every point that are no axes.
    """

    def __init__(self, loader: Any, master: DictConfig, rest: Sequence[str] = ()) -> None:
        self.loader = reading_once(loader)
        self.master = master
        self.rest = list(rest)
        self.groups = set(master.hydra.runtime.choices)
        self.cache: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, point: Mapping[str, Any]) -> DictConfig:
        """Compose the configuration of a point, `hydra` node included.

        Raises:
            HydraException: a choice or a setting does not exist.
            ValueError: a choice is offered twice.
        """
        overrides = self.overrides(point)
        groups = tuple(text for text in overrides if axis_of(text) in self.groups)
        if groups not in self.cache:
            composed = self.loader.load_sweep_config(self.master, list(groups))
            refuse_clashes(composed.hydra)
            self.cache[groups] = composed
        config = deepcopy(self.cache[groups])
        set_values(config, [text for text in overrides if text not in groups])
        config.hydra.overrides.task = overrides
        return fitted(config, overrides)

    def brought_by(self, data: Any) -> set[str]:
        """The groups in which a choice of data makes another choice than the default one."""
        before, after = (self(point).hydra.runtime.choices for point in ({}, {"data": data}))
        return {group for group, choice in after.items() if before.get(group) != choice and group != "data"}

    def overrides(self, point: Mapping[str, Any]) -> list[str]:
        """The words that make a point, as they would be typed."""
        return with_own_arguments(to_overrides(point)) + self.rest


def config_of(
    master: DictConfig, run: Run, *, settings: Mapping[str, Any], overrides: Sequence[str], threads: int | None
) -> DictConfig:
    """Make the configuration of one run of a sweep: the sweep's own, with what the run is. Nothing is composed again.

    Args:
        master: the composed config of the sweep.
        settings: what the run's choices set beside its network, data and recipe; see `settings_of`.
        overrides: the words that make it, for its `.hydra` folder.
        threads: CPU threads at most, where the trainer's config leaves them open.
    """
    config = deepcopy(master)
    with open_dict(config):
        for node, value in {**run.config, **settings, "seed": run.seed}.items():
            config[node] = value
        if run.start is not None:
            config.network.init.run = run.start
        if config.trainer.get("most_threads", threads) is None:
            config.trainer.most_threads = threads
        config.hydra.sweep.subdir = run.folder
        config.hydra.overrides.task = [*overrides, f"seed={run.seed}"]
    return config


def settings_of(tree: Mapping[str, Any], master: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a run's choices have changed; trees as `plain_tree` makes them.

    Only a choice whose file is `@package _global_` can do that.
    """
    return {key: tree[key] for key in SETTINGS if tree[key] != master[key]}


def axis_of(override: str) -> str:
    """`optimizer.betas` of `+optimizer.betas=[0.8,0.9]`."""
    return override.partition("=")[0].lstrip("+~")
