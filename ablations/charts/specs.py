"""Parts of Vega-Lite specs that several figures share.

A spec has no data, no theme and no size; a `Figure` adds the rows, the page or `pictures.py` the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablations.charts.looks import SPLIT, Spec

LINE = 13  # pixels of a line of text
ZOOM = {"name": "zoom", "select": {"type": "interval", "zoom": "wheel![event.shiftKey]"}, "bind": "scales"}
LABELS: Spec = {"field": "row", "type": "nominal", "sort": None, "title": None}
LABELS["axis"] = {"labelLimit": 0, "labelExpr": SPLIT, "ticks": False}
HEADER: Spec = {"title": None, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start"}
HEADER |= {"labelLimit": 0, "labelExpr": SPLIT}


def faceted(field: str, inner: Spec, sort: Sequence[str] | None) -> Spec:
    """A panel for each value of a field, each with its own horizontal axis."""
    facet = {"field": field, "type": "nominal", "sort": sort, "header": HEADER}
    return {"facet": facet, "spec": inner, "resolve": {"axis": {"x": "independent"}}}


def layer(kind: str, encoding: Spec, *, where: str = "", **look: Any) -> Spec:
    """A layer of marks of one kind, for the rows `where` an expression holds; `look` is size, width and so on."""
    rows = {"transform": [{"filter": where}]} if where else {}
    return {**rows, "mark": {"type": kind, **look}, "encoding": encoding}


def tip(field: str, title: str, form: str | None = None) -> Spec:
    """A line of a tooltip."""
    return {"field": field, "title": title, **({"format": form, "type": "quantitative"} if form else {})}
