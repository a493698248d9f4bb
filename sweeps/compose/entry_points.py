"""Make the config of an entry point from its signature: what `conf/block/mine.yaml` would say."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from ablations.catalog.choices import offered, origin, target

HANDED = {"block": 3, "shortcut": 3, "norm": 1}  # positional arguments: (c_in, c_out, stride), (channels)
_PARTS = {name: f"${{{name}}}" for name in ("norm", "activation", "depth", "width", "gate_bias")}
AXES: dict[str, dict[str, str]] = {
    "block": {"body": "${body}", "shortcut": "${shortcut}", **_PARTS},
    "shortcut": _PARTS,
    "norm": {},
    "network": {
        **{"block": "${block}", "init": "${init}", **_PARTS},
        **dict.fromkeys(("in_channels", "in_chans", "channels"), "${data.channels}"),
        **dict.fromkeys(("classes", "num_classes"), "${data.classes}"),
        **dict.fromkeys(("size", "img_size", "image_size"), "${data.size}"),
    },
    "recipe": {name: f"${{{name}}}" for name in ("task", "optimizer", "schedule", "augment")},
}


def node_of(group: str, name: str) -> dict[str, Any]:
    """Make the config of an installed package's choice.

    A mapping is taken as it is. Of a class or function, a parameter that bears the name of an axis is handed that
    axis, any other is an option with the default that the signature gives it.

    Raises:
        ValueError: two packages offer it, it cannot be imported, or an option has no default.
    """
    first, *others = offered(group)[name]
    if others:
        origins = " and by ".join(origin(point) for point in (first, *others))
        raise ValueError(f"{group}={name} is offered by {origins}: uninstall one")
    try:
        made = first.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{group}={name}, of {origin(first)}, cannot be imported: {error}") from error
    if isinstance(made, Mapping):
        return dict(made)
    if group not in AXES or not callable(made):
        raise ValueError(f"{group}={name}, of {origin(first)}, is not a mapping as a file of conf/{group} would hold")
    node: dict[str, Any] = {"_target_": target(first)} | ({"_partial_": True} if group in HANDED else {})
    return node | options(made, group, f"{group}={name}, of {origin(first)}")


def options(made: Any, group: str, called: str) -> dict[str, Any]:
    """Read the options of a factory from its signature: axes become references, other options keep their defaults."""
    from lightning_modules.networks.signature import parameters_of

    found: dict[str, Any] = {}
    for name, parameter in list(parameters_of(made).items())[HANDED.get(group, 0) :]:
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            continue
        if name in AXES[group]:
            found[name] = AXES[group][name]
        elif parameter.default is Parameter.empty:
            raise ValueError(f"{called}: its option {name} needs a default; the axes are {', '.join(AXES[group])}")
        elif writable(parameter.default):
            found[name] = parameter.default
    return found


def writable(value: Any) -> bool:
    """Tell whether YAML can hold a value."""
    if isinstance(value, list | tuple):
        return all(map(writable, value))
    return value is None or isinstance(value, bool | int | float | str)
