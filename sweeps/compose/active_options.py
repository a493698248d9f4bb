"""Leave out of a point the options that its choices do not have: `body.reduction` of a basic body.

An option that no point of a study has is a mistake. Before the study is known Hydra would refuse every option that the
default choice does not have, so a sweep hides them from it: `body.reduction=choice(2)` has one value, and counts as a
sweep, which Hydra leaves to the sweeper.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from ablations.catalog.choices import CONF
from ablations.question.did_you_mean import instead
from ablations.question.study import Point, StudyError
from sweeps.cli.errors import as_value_error
from sweeps.compose.compose import NO_AXES
from sweeps.compose.fast_compose import FastComposer

HIDDEN = re.compile(r"(\w+\.[\w.]+)=choice\((.*)\)", re.DOTALL)


def active_point(point: Mapping[str, Any], fast: FastComposer) -> Point:
    """Return the point without the options that its choices do not have."""
    return {axis: value for axis, value in point.items() if has_option(axis, point, fast)}


def has_option(axis: str, point: Mapping[str, Any], fast: FastComposer) -> bool:
    """Tell whether the choices of a point have an option; also where that cannot be said, and for other axes."""
    beside = _beside(axis, point, fast)
    return beside is None or axis.rpartition(".")[2] in beside


def refuse_unknown(
    points: Sequence[Point], space: Mapping[str, Any], typed: Container[str], fast: FastComposer
) -> None:
    """Refuse an option that no choice of a study has.

    Args:
        points: all points of the study, with what is fixed.
        space: what the study searches, as it is written.
        typed: the axes on the command line. `body=basic` there may leave no body that has an option the study fixes.

    Raises:
        StudyError: there is one.
    """
    for axis in dict.fromkeys(axis for point in points for axis in point):
        group, name = axis.partition(".")[0], axis.rpartition(".")[2]
        if group in typed and axis not in typed:
            continue
        choices = [{group: value} for value in space[group]] if isinstance(space.get(group), list) else [{}]
        known = [_beside(axis, {**point, **one}, fast) for point in points if axis in point for one in choices]
        options = {option for beside in known for option in beside or ()}
        if None not in known and name not in options:
            names = sorted(one for one in options if not one.startswith("_"))
            said = f"no {axis.rpartition('.')[0]} of this sweep has an option {name!r}"
            raise StudyError(f"{said}{instead(name, names, 'there are')} (+{axis}=… adds one)")


def _beside(axis: str, point: Mapping[str, Any], fast: FastComposer) -> set[str] | None:
    """The options that the choices of a point have where `axis` would stand; None where that cannot be said."""
    if "." not in axis or axis[0] in "+~" or f"{axis.partition('.')[0]}._target_" in point:
        return None
    try:
        with as_value_error():
            return fast.options(axis.rpartition(".")[0], point)
    except ValueError:  # composing it will say why
        return None


def hide(words: Iterable[str]) -> list[str]:
    """Hide the options of axes that have one value from Hydra."""
    return [_hidden(word) for word in words]


def shown(words: Iterable[str]) -> list[str]:
    """Return the words as they were before `hide`."""
    return [f"{found[1]}={found[2]}" if (found := HIDDEN.fullmatch(word)) else word for word in words]


def _hidden(word: str) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    option, equals, value = word.partition("=")
    group = option.partition(".")[0]
    if not equals or group == option or group in NO_AXES or not (CONF / group).is_dir():
        return word
    try:
        several = OverridesParser.create().parse_override(word).is_sweep_override()
    except OverrideParseException:  # for Hydra to say
        return word
    return word if several else f"{option}=choice({value})"
