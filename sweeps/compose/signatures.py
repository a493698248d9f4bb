"""Compare the values of a configuration with the signatures that they are handed to, plugins' included.

A `node` is resolved; `place` is its name, as `network`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import Parameter
from math import isfinite
from typing import Any

from ablations.catalog.choices import CONF
from ablations.question.did_you_mean import instead
from ablations.question.hydra_syntax import to_overrides

NUMBERS: dict[str, tuple[Any, str]] = {"int": (int, "a whole number"), "float": (int | float, "a number")}
BOOLEAN_WORDS = {**dict.fromkeys(("yes", "on", "1"), "true"), **dict.fromkeys(("no", "off", "0"), "false")}


def check_flags(node: Any, place: str) -> None:
    """Raise ValueError if a parameter that is true or false, here or in a node inside, is given anything else."""
    for setting, parameter, value in _given(node, place):
        if _is_flag(parameter) and not isinstance(value, bool | None):
            meant = BOOLEAN_WORDS.get(str(value).lower())
            words = f": write {setting}={meant}" if meant else ""
            raise ValueError(f"{to_overrides({setting: value})[0]} is neither true nor false{words}")


def check_numbers(node: Any, place: str) -> None:
    """Raise ValueError if a parameter that is a number, or a whole one, here or in a node inside, is given another."""
    for setting, parameter, value in _given(node, place):
        kind = next((kind for kind in NUMBERS if _only(parameter, kind)), None)
        if kind is None or value is None or isinstance(value, Mapping):
            continue
        wanted, words = NUMBERS[kind]
        if isinstance(value, wanted) and not isinstance(value, bool):
            continue
        near = round(value) if isinstance(value, float) and isfinite(value) else parameter.default
        meant = "" if near is Parameter.empty else f": write {to_overrides({setting: near})[0]}"
        raise ValueError(f"{to_overrides({setting: value})[0]} is not {words}{meant}")


def check_names(node: Any, place: str, *, top: bool = True) -> None:
    """Raise ValueError if a key of a node, or of a node inside, is no parameter of what the node names.

    Args:
        top: whether the keys of `node` itself are looked at too.
    """
    for where, parameters, values, target in _called(node, place):
        if where == place and not top:
            continue
        takes_any = any(one.kind == Parameter.VAR_KEYWORD for one in parameters.values())
        if (odd := [name for name in values if name not in parameters]) and not takes_any:
            names = [name for name, one in parameters.items() if one.kind != Parameter.VAR_POSITIONAL]
            cure = _cure(where, odd[0], target)
            raise ValueError(f"nothing uses {where}.{odd[0]}{instead(odd[0], names, 'there are')}{cure}")


def _cure(where: str, axis: str, target: str) -> str:
    """Say what to do where a file hands an axis to a class of one's own that does not take it."""
    if not (CONF / axis).is_dir() or target.startswith("lightning_modules."):
        return ""
    group, name = where.partition(".")[0], target.rpartition(".")[2]
    out = f"take {axis} out of the {group}'s file, or type '~{where}.{axis}'"
    return f": {out}, or name it among the parameters of {name}"


def is_as_shipped(node: Any, group: str) -> bool:
    """Tell whether a node is a file of `conf/<group>`, perhaps with other values and fewer keys.

    Both checks hold for such a node, and what its target is made of need not be imported for them.
    """
    return any(_is_like(node, shipped) for shipped in _shipped(group))


def _is_like(value: Any, shipped: Any) -> bool:
    """Tell whether a value is true or false where the shipped one is, and a node one with its target and its keys."""
    if isinstance(value, Mapping):
        same = isinstance(shipped, Mapping) and value.get("_target_") == shipped.get("_target_")
        return same and all(key in shipped and _is_like(inner, shipped[key]) for key, inner in value.items())
    if isinstance(shipped, bool):
        return isinstance(value, bool | None)
    return isinstance(shipped, list) or not isinstance(value, list)


@cache
def _shipped(group: str) -> list[dict[str, Any]]:
    """Read the nodes of a group's files."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there
    files = (yaml.load(path.read_text("utf-8"), loader) for path in sorted((CONF / group).glob("*.yaml")))
    return [file.get(group, file) for file in files]


def _called(node: Any, place: str) -> Iterator[tuple[str, Mapping[str, Parameter], dict[str, Any], str]]:
    """Yield for each node with a `_target_`: its name, the parameters of the target, the node's values, and the target.

    What cannot be imported, or has no signature, is left out: to build it says why.
    """
    if isinstance(node, list):
        for item in node:
            yield from _called(item, place)
    if not isinstance(node, Mapping):
        return
    values = {str(key): value for key, value in node.items() if not str(key).startswith("_")}
    if "_target_" in node and (parameters := parameters_at(str(node["_target_"]))):
        yield place, parameters, values, str(node["_target_"])
    for key, value in values.items():
        yield from _called(value, key if (CONF / key).is_dir() else f"{place}.{key}")


@cache
def parameters_at(target: str) -> Mapping[str, Parameter] | None:
    """Return the parameters of what a dotted name stands for; None where it cannot be imported or has no signature."""
    from inspect import signature
    from pydoc import locate

    from lightning_modules.networks.signature import parameters_of

    try:
        made: Any = locate(target)
        found = {} if isinstance(made, type) else signature(made).parameters
        return {**parameters_of(made), **{k: one for k, one in found.items() if one.kind == Parameter.VAR_KEYWORD}}
    except Exception:  # whatever its import raises: to build it says why
        return None


def _given(node: Any, place: str) -> Iterator[tuple[str, Parameter, Any]]:
    """The settings of a node, and of the nodes inside, that are parameters: name, parameter and value."""
    for where, parameters, values, _ in _called(node, place):
        for name, value in values.items():
            if name in parameters:
                yield f"{where}.{name}", parameters[name], value


def _is_flag(parameter: Parameter) -> bool:
    """Tell whether a parameter is annotated as a bool, or has one as its default and no annotation."""
    if parameter.annotation is Parameter.empty:
        return isinstance(parameter.default, bool)
    return _only(parameter, "bool")


def _only(parameter: Parameter, kind: str) -> bool:
    """Tell whether a parameter is annotated as of this kind, or None, and of no other."""
    written = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    words = set(re.split(r"[\s|\[\],.]+", written if written != "Optional" else str(parameter.annotation)))
    return kind in words and words <= {kind, "None", "NoneType", "Optional", "typing", ""}
