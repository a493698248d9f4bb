"""List where choices come from: for `--help`, and to refuse a name that two packages offer."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig

from ablations.catalog.choices import CONF, Choice, docstring_line, in_order, installed_choices, yaml_line
from sweeps.compose.hydra_internals import config_source


class Place(NamedTuple):
    """One entry of Hydra's search path."""

    provider: str
    schema: str
    path: str


def places_of(hydra: DictConfig) -> tuple[Place, ...]:
    """List Hydra's search path, without Hydra's own part and without repeats."""
    found: dict[str, Place] = {}
    for source in hydra.runtime.config_sources:
        if source.provider != "hydra" and (source.path or source.schema == "structured"):
            real = str(Path(source.path).resolve()) if source.schema == "file" else f"{source.schema}://{source.path}"
            found.setdefault(real, Place(source.provider, source.schema, source.path))
    return tuple(found.values())


def refuse_clashes(hydra: DictConfig) -> None:
    """Raise ValueError if a chosen word means two things, as a plugin's block called `residual` would."""
    places = places_of(hydra)
    for group, name in hydra.runtime.choices.items():
        if name is not None and not group.startswith("hydra"):
            origins = origins_of(group, str(name), places)
            if len(origins) > 1:
                raise ValueError(f"{group}={name} could be {' or '.join(origins)}: give one of them another name")


@lru_cache(maxsize=4096)
def origins_of(group: str, name: str, places: tuple[Place, ...]) -> tuple[str, ...]:
    """List the places that offer a choice."""
    holders = [place for place in places if _source(place).is_config(f"{group}/{name}")]
    return tuple(choice.origin for place in holders for choice in _choices(place, group) if choice.name == name)


def listed(hydra: DictConfig) -> str:
    """List all choices: a line each, with its description, and its origin if that is not conf/."""
    places = places_of(hydra)
    lines = []
    for group in reversed(list(hydra.runtime.choices)):
        if group.startswith("hydra"):
            continue
        lines.append(f"{group}  (conf/{group})")
        found = [choice for place in places for choice in _choices(place, group)]
        choices = sorted(found, key=lambda one: in_order(one.name))
        width = max((len(choice.name) for choice in choices), default=0)
        for choice in choices:
            there = "" if choice.origin.startswith("conf/") else f"  [{choice.origin}]"
            lines.append(f"  {choice.name:<{width}}  {choice.says}{there}")
    return "\n".join(lines)


def _source(place: Place) -> ConfigSource:
    return config_source(place.schema, place.provider, place.path)


def _choices(place: Place, group: str) -> list[Choice]:
    """The choices of a group in one place."""
    source = _source(place)
    if place.schema == "entrypoint":
        return installed_choices(group)
    if not source.is_group(group):
        return []
    names = _names(source, group)
    if place.schema == "structured":
        return [Choice(group, name, *_stored(group, name)) for name in names]
    folder: Any = Path(place.path) if place.schema == "file" else resources.files(source.path)
    called = "conf" if folder == CONF else str(folder)
    files = {name: folder / group / f"{name}.yaml" for name in names}
    return [
        Choice(group, name, f"{called}/{group}/{name}.yaml", yaml_line(file.read_text("utf-8")))
        for name, file in files.items()
    ]


def _names(source: ConfigSource, group: str) -> list[str]:
    """The configs of a group and of the folders in it: `headline`, `cifar/headline`."""
    folders = source.list(group, ObjectType.GROUP)
    deeper = [f"{folder}/{name}" for folder in folders for name in _names(source, f"{group}/{folder}")]
    return [*source.list(group, ObjectType.CONFIG), *deeper]


def _stored(group: str, name: str) -> tuple[str, str]:
    """Origin and description of a choice that a package has put into Hydra's ConfigStore."""
    from hydra.core.config_store import ConfigStore

    kept = ConfigStore.instance().load(f"{group}/{name}.yaml")
    node: Any = kept.node
    return f"the ConfigStore, by {kept.provider or 'a package that does not say its name'}", docstring_line(
        node.get("_target_", "")
    )
