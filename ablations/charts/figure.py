"""A figure: what is drawn, from which rows, and how many panels stand in a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ablations.charts.looks import Spec
from ablations.charts.series import Table, packed


@dataclass(frozen=True)
class Figure:
    """A figure of a study, for the page and as a picture.

    Attributes:
        spec: Vega-Lite without data, theme and width.
        rows: the data by column; the page filters by the column `cell`.
        panels: how many panels stand side by side at most; 0 for a figure without panels.
        least: the least width of a panel, in pixels.
        epochs: of a heat map, how many columns it has, all of the same whole number of pixels.
    """

    name: str
    title: str
    caption: str
    spec: Spec
    rows: Table = field(default_factory=dict)
    panels: int = 0
    least: int = 250
    epochs: int = 0

    def as_json(self) -> dict[str, Any]:
        """The figure as the page reads it."""
        kept = ("name", "spec", "panels", "least", "epochs")
        return {key: getattr(self, key) for key in kept} | {"rows": packed(self.rows)}
