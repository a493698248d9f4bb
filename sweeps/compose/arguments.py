"""Sort the words of a sweep: axes with one value, axes with several, and the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ablations.question.study import StudyError
from sweeps.compose.compose import NO_AXES


@dataclass
class Arguments:
    """The words of a sweep, sorted.

    Attributes:
        chosen: axis → its one value.
        swept: axis → its values.
        rest: overrides that are no axes (`runs=…`, `tracker=none`, `hydra.…`), passed on to every run.
    """

    chosen: dict[str, Any] = field(default_factory=dict)
    swept: dict[str, list[Any]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)


def parse(arguments: list[str], loader: Any) -> Arguments:
    """Parse and sort the words of a sweep; StudyError where one has no finite list of values, or is over no axis."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=loader)
    parts = Arguments()
    for override in parser.parse_overrides(arguments):
        key = override.get_key_element()
        for axis in [axis for axis in (*parts.chosen, *parts.swept) if axis.lstrip("+") == key.lstrip("+~")]:
            parts.chosen.pop(axis, None)  # of two words for an axis the last one holds, as Hydra has it
            parts.swept.pop(axis, None)
        top = key.lstrip("+~").partition(".")[0].partition("/")[0]
        if override.is_sweep_override():
            if top in NO_AXES - {"seed"}:
                raise StudyError(f"{key} cannot be swept: one {top} at a time, in a command of its own")
            if not override.is_discrete_sweep():
                raise StudyError(f"{override.input_line}: a range to search belongs into a study's `space`")
            texts = list(override.sweep_string_iterator())
            parts.swept[key] = [parser.parse_override(f"{key}={text}").value() for text in texts]
        elif top in NO_AXES - {"seed"} or override.is_delete():
            parts.rest.append(override.input_line or "")
        else:
            parts.chosen[key] = override.value()
    return parts
