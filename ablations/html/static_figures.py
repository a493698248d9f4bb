"""The figures of a page as pictures: the same specs with the choices a page opens with, on white, words included."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.results import INACTIVE
from ablations.html.figures import Figure
from ablations.report.figures import DASHES, OKABE_ITO, in_turn

CONFIG = {
    "background": "white",
    "padding": 12,
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "titleFontWeight": "normal"},
    "legend": {"symbolOpacity": 1, "symbolLimit": 28, "columns": 5, "labelLimit": 240},
    "title": {"anchor": "start", "subtitleColor": "#666", "subtitleFontSize": 11, "fontSize": 14, "offset": 10},
}
LETTERS = 120  # of a line of words above a picture


def write_figures(
    figures: Sequence[Figure], axes: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]], folder: Path
) -> list[Path]:
    """Each figure as `<name>.svg` and `<name>.png`; what was written."""
    import vl_convert

    written = []
    for figure in figures:
        spec = still(figure, axes, cells)
        (folder / f"{figure.name}.svg").write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        (folder / f"{figure.name}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
        written += [folder / f"{figure.name}.{kind}" for kind in ("svg", "png")]
    return written


def still(figure: Figure, axes: Sequence[dict[str, Any]], cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A figure's spec, complete: its rows with the texts made from their cells, colours, panels, sizes and words."""
    spec = copy.deepcopy(figure.spec)
    inner = spec.get("spec", spec)
    colour, panel = chosen(axes)
    roles = roles_of(figure, axes, cells, colour, panel)
    if len(roles.dashes) > len(DASHES) and any(
        "strokeDash" in one.get("encoding", {}) for one in inner.get("layer", [])
    ):
        roles = roles_of(figure, axes, cells, None, panel)
    _tell(spec, roles)
    names = list(figure.rows)
    rows = [dict(zip(names, line, strict=True)) for line in zip(*figure.rows.values(), strict=True)]
    for row in rows if "cell" in names else ():
        row |= roles.about[row["cell"]]
    if "layer" in inner and not any(row.get("note") for row in rows):
        inner["layer"] = [view for view in inner["layer"] if not view.get("name", "").startswith("once")]
    if figure.rows:
        spec["data"] = {"values": rows}
    if "facet" in spec:
        field = spec["facet"]["field"]
        if field == "panel" and roles.panels:
            spec["facet"]["sort"] = roles.panels
        if field == "label":
            spec["facet"]["sort"] = list(dict.fromkeys(row["label"] for row in rows))
        spec["columns"] = figure.panels
        inner["width"] = max(200, 900 // figure.panels - 60)
        if inner.get("mark", {}).get("type") == "rect":  # whole pixels, or the gaps between them show
            epochs, blocks = len({row["epoch"] for row in rows}), max(row["block"] for row in rows)
            inner["width"] = max(1, inner["width"] // epochs) * epochs
            inner["height"] = min(14, max(2, round(170 / blocks))) * blocks
    elif "hconcat" not in spec:
        inner["width"] = 620
    words = [line for text in (figure.caption, *figure.words) for line in textwrap.wrap(text, LETTERS)]
    spec["title"] = {"text": figure.title, "subtitle": words}
    return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", **spec, "config": CONFIG}


@dataclass(frozen=True)
class Roles:
    """What is shown by what: as `rolesOf` of page.js, which lets the reader choose.

    Attributes:
        about: of each cell, the texts that its rows get.
        domain: the values that have a colour.
        dashes: what lines of one colour are told apart by.
        titles: of the colours, and of the dashes.
        panels: in their order, where an axis has them.
    """

    about: list[dict[str, str]]
    domain: list[str]
    dashes: list[str]
    titles: tuple[str, str]
    panels: list[str]


def chosen(axes: Sequence[dict[str, Any]]) -> tuple[int | None, int | None]:
    """Which axis a page opens with as colour, and which as panels."""
    number = next((i for i, axis in enumerate(axes) if axis["number"]), None)
    colour = number if number is not None else len(axes) - 1 if axes else None
    others = [i for i in range(len(axes)) if i != colour]
    return colour, next((i for i in others if not axes[i]["number"]), None)


def roles_of(
    figure: Figure,
    axes: Sequence[dict[str, Any]],
    cells: Sequence[dict[str, Any]],
    colour: int | None,
    panel: int | None,
) -> Roles:
    """The roles of the axes in a figure; without an axis as colour, each cell has its own."""
    line = next((i for i, axis in enumerate(axes) if axis["name"] == figure.line), None)
    if colour is not None and colour == line:
        colour = next((i for i in range(len(axes)) if i != line), None)
    panel = panel if figure.spec.get("facet", {}).get("field") == "panel" else None
    apart = {line, panel}
    about = []
    for cell in cells:
        rest = _named(axes, cell, apart) or "all"
        about.append(
            {
                "label": cell["label"],
                "series": _named(axes, cell, {line}) or "all",
                "colour": rest if colour is None else cell["levels"][colour],
                "dash": "" if colour is None else _named(axes, cell, apart | {colour}) or INACTIVE,
                "panel": "" if panel is None else f"{axes[panel]['name']} {cell['levels'][panel]}",
            }
        )
    lines = {(one["panel"], one["colour"], one["dash"]) for one in about}
    if len(lines) == len({line[:2] for line in lines}):  # no colour of a panel has several
        about = [{**one, "dash": ""} for one in about]
    known = list(dict.fromkeys(one["colour"] for one in about))
    domain, title = (known, "cell") if colour is None else (axes[colour]["values"], axes[colour]["name"])
    others = ", ".join(axis["name"] for i, axis in enumerate(axes) if i not in apart | {colour})
    panels = [] if panel is None else [f"{axes[panel]['name']} {value}" for value in axes[panel]["values"]]
    return Roles(about, domain, list(dict.fromkeys(one["dash"] for one in about)), (title, others), panels)


def _tell(spec: dict[str, Any], roles: Roles) -> None:
    """Fill in colours, shapes and dashes; more than seven cells get colours and dashes in turn."""
    inner = spec.get("spec", spec)
    encodings = [view.get("encoding", {}) for view in (inner, *inner.get("layer", []))]
    lines, (title, others) = any("strokeDash" in encoding for encoding in encodings), roles.titles
    many, most = len(roles.domain), len(OKABE_ITO)
    turns = lines and title == "cell" and most < many <= most * len(DASHES)
    for encoding in encodings:
        for channel in ("color", "shape"):
            one = encoding.get(channel) or {}
            if one.get("field") == "colour":
                one |= {"scale": {"domain": roles.domain}, "title": title}
            if channel == "color" and one.get("field") in ("colour", "by"):
                several = one["scale"]["domain"]
                fits = len(several) <= most
                one["scale"] |= {"range": OKABE_ITO[: len(several)]} if fits else {"scheme": "viridis"}
        if turns:
            if (colour := encoding.get("color") or {}).get("field") == "colour":
                colour["scale"] = {"domain": roles.domain, "range": in_turn(roles.domain)[0]}
                colour["legend"] = {**colour["legend"], "symbolType": "stroke", "symbolSize": 500}
            encoding.pop("shape", None)
            if dash := encoding.get("strokeDash"):
                scale = {"domain": roles.domain, "range": in_turn(roles.domain)[1]}
                dash |= {"field": "colour", "title": title, "scale": scale}
        elif dash := encoding.get("strokeDash"):
            if 1 < len(roles.dashes) <= len(DASHES):
                scale = {"domain": roles.dashes, "range": DASHES[: len(roles.dashes)]}
                dash |= {"title": others, "scale": scale}
            else:
                del encoding["strokeDash"]


def _named(axes: Sequence[dict[str, Any]], cell: dict[str, Any], without: set[int | None]) -> str:
    """What a cell is called, beside the axes that are shown otherwise; among words, a number says what it is of."""
    left = [i for i in range(len(axes)) if i not in without]
    words = [
        f"{axes[i]['name'].rpartition('.')[2]}={cell['levels'][i]}"
        if len(left) > 1 and _number(cell["levels"][i])
        else cell["levels"][i]
        for i in left
        if cell["levels"][i] != INACTIVE
    ]
    return ", ".join(words)


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
