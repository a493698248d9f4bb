"""The figures of a page as pictures: the same specs with the choices a page opens with, on white."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.figures import OKABE_ITO
from ablations.html.figures import Figure
from ablations.html.series import INACTIVE

CONFIG = {
    "background": "white",
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "titleFontWeight": "normal"},
    "legend": {"symbolOpacity": 1, "symbolLimit": 24},
}


def write_figures(
    figures: Sequence[Figure], axes: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]], folder: Path
) -> list[Path]:
    """Each figure as `<name>.svg` and `<name>.png`; what was written."""
    import vl_convert

    written = []
    for figure in figures:
        spec = still(figure, axes, cells)
        (folder / f"{figure.name}.svg").write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        (folder / f"{figure.name}.png").write_bytes(vl_convert.vegalite_to_png(spec, ppi=160))
        written += [folder / f"{figure.name}.{kind}" for kind in ("svg", "png")]
    return written


def still(figure: Figure, axes: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A figure's spec, complete: its rows with the texts made from their cells, colours, panels and sizes."""
    spec = copy.deepcopy(figure.spec)
    inner = spec.get("spec", spec)
    colour, panel = choices(figure, axes)
    rows = _rows(figure, axes, cells, colour, panel)
    domain = axes[colour]["values"] if colour is not None else list(dict.fromkeys(row.get("colour") for row in rows))
    for view in (inner, *inner.get("layer", [])):
        for channel in ("color", "shape"):
            encoding = view.get("encoding", {}).get(channel) or {}
            if encoding.get("field") == "colour":
                encoding |= {
                    "scale": {"domain": domain},
                    "title": axes[colour]["name"] if colour is not None else "cell",
                }
            if channel == "color" and encoding.get("field") in ("colour", "by"):
                several = encoding["scale"]["domain"]
                fits = len(several) <= len(OKABE_ITO)
                encoding["scale"] |= {"range": OKABE_ITO[: len(several)]} if fits else {"scheme": "viridis"}
    if figure.rows:
        spec["data"] = {"values": rows}
    if "facet" in spec:
        if spec["facet"]["field"] == "panel" and panel is not None:
            spec["facet"]["sort"] = [f"{axes[panel]['name']} {value}" for value in axes[panel]["values"]]
        spec["columns"] = figure.panels
        inner["width"] = max(200, 900 // figure.panels - 60)
    elif "hconcat" not in spec:
        inner["width"] = 420
    return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", **spec, "config": CONFIG}


def choices(figure: Figure, axes: Sequence[dict[str, Any]]) -> tuple[int | None, int | None]:
    """Which axis a page opens with as colour, and which as panels."""
    number = next((i for i, axis in enumerate(axes) if axis["number"]), None)
    colour = number if number is not None else len(axes) - 1 if axes else None
    others = [i for i, axis in enumerate(axes) if i != colour]
    panel = next((i for i in others if not axes[i]["number"]), None)
    if colour is not None and axes[colour]["name"] == figure.line:
        colour = others[0] if others else None
    return colour, panel


def _rows(
    figure: Figure,
    axes: Sequence[dict[str, Any]],
    cells: Sequence[dict[str, Any]],
    colour: int | None,
    panel: int | None,
) -> list[dict[str, Any]]:
    names = list(figure.rows)
    rows = [dict(zip(names, line, strict=True)) for line in zip(*figure.rows.values(), strict=True)]
    for row in rows if "cell" in names else ():
        cell = cells[row["cell"]]
        rest = [one for axis, one in zip(axes, cell["levels"], strict=True) if axis["name"] != figure.line]
        row |= {"label": cell["label"], "series": ", ".join(one for one in rest if one != INACTIVE) or "all"}
        row["colour"] = row["series"] if colour is None else cell["levels"][colour]
        row["panel"] = "" if panel is None else f"{axes[panel]['name']} {cell['levels'][panel]}"
    return rows
