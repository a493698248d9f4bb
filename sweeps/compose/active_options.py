"""Leave out of a point the options that its choices do not have: `body.reduction` of a basic body.

An option that no point of a study has is a mistake. Before the study is known Hydra would refuse every option that the
default choice does not have, so a sweep hides them from it: `body.reduction=choice(2)` has one value, and counts as a
sweep, which Hydra leaves to the sweeper.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablations.catalog.choices import CONF
from ablations.question.did_you_mean import instead
from ablations.question.study import Point, StudyError
from sweeps.cli.errors import as_value_error
from sweeps.compose.compose import NO_AXES
from sweeps.compose.fast_compose import FastComposer

HIDDEN = re.compile(r"(\w+\.[\w.]+)=choice\((.*)\)", re.DOTALL)


class ActiveOptions:
    """Tells the active options of the points of a study.

    Args:
        points: all points of the study, with what is fixed.

    Raises:
        StudyError: none of them has an option that one names.
    """

    def __init__(self, points: Sequence[Point], fast: FastComposer) -> None:
        self.fast = fast
        self.known: set[str] = set()
        for axis in dict.fromkeys(axis for point in points for axis in point if "." in axis and axis[0] not in "+~"):
            known = [self._beside(axis, point) for point in points if axis in point]
            if None not in known:
                self.known.add(axis)
                _refuse_unknown(axis, {name for names in known for name in names or ()})

    def __call__(self, point: Mapping[str, Any]) -> Point:
        """Return the point without the options that its choices do not have."""

        def active(axis: str) -> bool:
            beside = self._beside(axis, point) if axis in self.known else None
            return beside is None or axis.rpartition(".")[2] in beside

        return {axis: value for axis, value in point.items() if active(axis)}

    def _beside(self, axis: str, point: Mapping[str, Any]) -> set[str] | None:
        """The options that the choices of a point have where `axis` would stand; None where that cannot be said."""
        try:
            with as_value_error():
                return self.fast.options(axis.rpartition(".")[0], point)
        except ValueError:  # composing it will say why
            return None


def _refuse_unknown(axis: str, options: set[str]) -> None:
    group, _, name = axis.rpartition(".")
    if name not in options:
        names = sorted(one for one in options if not one.startswith("_"))
        said = f"no {group} of this sweep has an option {name!r}{instead(name, names, 'there are')}"
        raise StudyError(f"{said} (+{axis}=… adds one)")


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
