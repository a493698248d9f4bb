"""What a person can ask of a figure: metric, axes, order, labels, size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

POINTS = {"mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0, "pt": 1.0}
NAMED_WIDTHS = {"column": 3.25 * 72, "page": 6.75 * 72}  # a column and both columns of most two-column templates
LEAST_WIDTH = 100.0  # points


@dataclass(frozen=True)
class FigureOptions:
    """What was asked; the defaults leave the choice to the study.

    Attributes:
        metrics: the metrics to draw, a panel each, as in a claim.
        x: the axis to draw against; empty: chosen.
        colour: the axis that has a colour a value; empty: chosen.
        order: axis → its values in the order wanted; those that are not named follow.
        labels: the word of the study → the word to print.
        where: axis → value: only the cells that agree.
    """

    metrics: tuple[str, ...] = ()
    x: str = ""
    colour: str = ""
    order: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)

    def label(self, word: str) -> str:
        """What is printed for a word of the study."""
        return self.labels.get(word, word)


DEFAULTS = FigureOptions()


@dataclass(frozen=True)
class Print:
    """The size of a figure on paper, in points.

    Attributes:
        width: of the whole figure.
        height: of one panel; None: chosen.
        panels: how many stand side by side; 0: as many as are wide enough.
        font: of the labels.
        title: whether the title and the caption are in the picture.
    """

    width: float
    height: float | None = None
    panels: int = 0
    font: float = 8.0
    title: bool = False


def points(text: str) -> float:
    """A length in points, from `84mm`, `3.25in`, `8.4cm`, `240pt`, `column` or `page`.

    Raises:
        ValueError: it is none of these, or too short for a figure.
    """
    found = re.fullmatch(r"([0-9]*\.?[0-9]+) *(mm|cm|in|pt)", text.strip())
    if text not in NAMED_WIDTHS and not found:
        names = " or ".join(NAMED_WIDTHS)
        raise ValueError(
            f"{text!r} is no length: write a number with its unit, as in 84mm, 3.25in or 240pt, or {names}"
        )
    length = float(found[1]) * POINTS[found[2]] if found else NAMED_WIDTHS[text]
    if length < LEAST_WIDTH:
        raise ValueError(f"{text} is too small for a figure: the least is {LEAST_WIDTH:.0f}pt (35mm)")
    return length


def pairs(words: Sequence[str], flag: str) -> dict[str, str]:
    """`residual=ResNet` as a mapping.

    Raises:
        ValueError: a word is not NAME=TEXT.
    """
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name.strip() and equals and text.strip()):
            raise ValueError(f"{flag} {word}: write NAME=TEXT, as in {flag} residual=ResNet")
        found[name.strip()] = text.strip()
    return found
