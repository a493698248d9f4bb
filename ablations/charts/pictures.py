"""Save figures as SVG, PNG and PDF: on white, with title and caption in the picture, or in the size of a paper."""

from __future__ import annotations

import copy
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ablations.charts.figure import Figure
from ablations.charts.figures import main_figure
from ablations.charts.focus import MOST_CELLS
from ablations.charts.looks import LIGHT, Spec
from ablations.charts.options import DEFAULTS, FigureOptions, Print
from ablations.report.answer import Answer

FONT = 11.0  # pixels; a print is drawn with letters of this size, and then scaled as a whole
CONFIG: Spec = {
    "background": "white",
    "view": {"stroke": None},
    "range": {"category": LIGHT},
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "titleFontWeight": "normal", "titleLimit": 0},
    "legend": {"symbolOpacity": 1, "titleFontWeight": "normal", "labelFontSize": FONT, "titleFontSize": FONT},
    "header": {"labelFontSize": FONT, "titleFontSize": FONT},
    "title": {"anchor": "start", "subtitleColor": "#666", "offset": 10, "fontSize": 15, "subtitleFontSize": FONT},
}
CONFIG["axis"] |= {"labelFontSize": FONT, "titleFontSize": FONT}
SCREEN = Print(width=900, font=FONT, title=True)  # pixels
NARROW = 550  # pixels; on less, legends stand below each other
MOST_PANELS = 12
DPI = 300


def picture(figure: Figure, kind: str, paper: Print | None = None) -> bytes:
    """The figure as `svg`, `png` or `pdf`; of a print SVG and PDF are in points, PNG has 300 pixels an inch."""
    import vl_convert

    text = svg(figure, paper)
    if kind == "svg":
        return text.encode()
    text = text.replace('pt"', '"', 2)  # a unit of 1/72 inch
    if kind == "pdf":
        return vl_convert.svg_to_pdf(text)
    return in_palette(vl_convert.svg_to_png(text, scale=2) if paper is None else vl_convert.svg_to_png(text, ppi=DPI))


def in_palette(png: bytes) -> bytes:
    """The same picture in 256 colours, which looks the same in a tenth of the bytes: it has few but for soft edges."""
    from PIL import Image

    image, small = Image.open(io.BytesIO(png)), io.BytesIO()
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", dpi=image.info["dpi"])
    return small.getvalue()


def svg(figure: Figure, paper: Print | None = None) -> str:
    """The figure as SVG; that of a print is as wide as the paper wants, to within a point."""
    import vl_convert

    text = vl_convert.vegalite_to_svg(spec := picture_spec(figure, paper or SCREEN))
    if paper is None:
        return text
    scale = paper.font / FONT
    for _ in range(4):
        wide = float(re.findall(r'<svg[^>]* width="([0-9.]+)"', text)[0]) * scale
        if abs(wide - paper.width) <= 1:
            break
        now = panels_of(spec)[0]["width"]
        now = now["step"] * figure.epochs if isinstance(now, dict) else now
        spec = picture_spec(figure, paper, max(20.0, now + (paper.width - wide) / scale / spec.get("columns", 1)))
        text = vl_convert.vegalite_to_svg(spec)

    def in_points(found: re.Match[str]) -> str:
        return f'{found[1]} width="{float(found[2]) * scale:.2f}pt" height="{float(found[3]) * scale:.2f}pt"'

    return re.sub(r'(<svg[^>]*?) width="([0-9.]+)" height="([0-9.]+)"', in_points, text, count=1)


def picture_spec(figure: Figure, paper: Print = SCREEN, inner: float | None = None) -> Spec:
    """A complete Vega-Lite spec: data, theme, size and words; `inner` is the width of the plot of a panel, if known."""
    spec, whole = copy.deepcopy(figure.spec), paper.width * FONT / paper.font
    data = _rows(figure)
    if field := spec.get("facet", {}).get("field"):
        shown = {*_panels(figure, data)[0]}
        data = [row for row in data if row[field] in shown]
    columns = _columns(figure, spec, data, whole, paper.panels)
    if inner is None:
        names = 2.5 + 0.52 * _letters(row.get("row") for row in data)
        around = max(5.5, names) * FONT
        inner = max(40.0, whole / columns - around if figure.panels else min(whole - around, 620))
    if figure.panels:
        spec["columns"] = columns
    for panel in panels_of(spec):
        panel["width"] = {"step": max(1, inner // figure.epochs)} if figure.epochs else inner
        if paper.height and not isinstance(panel.get("height"), dict):
            panel["height"] = paper.height * FONT / paper.font
        if "layer" in panel:
            panel["layer"] = [view for view in panel["layer"] if view.get("name") != "hover"]
        for view in (panel, *panel.get("layer", [])):
            view.pop("params", None)
            if isinstance(view.get("mark"), dict) and view["mark"].get("type") == "point":
                view["mark"]["clip"] = False  # a point on an edge is drawn whole
            for channel, encoding in view["encoding"].items():
                if isinstance(encoding, dict) and encoding.get("legend"):
                    encoding["legend"] = _fitted(encoding, data, whole)
                if channel in ("x", "y") and isinstance(encoding.get("title"), str):
                    height = panel["height"] if isinstance(panel["height"], int | float) else 170
                    room = inner if channel == "x" else height
                    encoding["title"] = textwrap.wrap(encoding["title"], max(8, int(room / (0.52 * FONT))))
    config: Spec = {**CONFIG, "padding": 12 if paper.title else 2}
    if whole < NARROW:
        config["legend"] = {**CONFIG["legend"], "layout": {"top": {"direction": "vertical"}}}
    title: Spec = {}
    if paper.title:
        letters = round(whole * 0.133)
        title["text"] = textwrap.wrap(figure.title, round(0.75 * letters))
        title["subtitle"] = textwrap.wrap(caption_of(figure), letters)
    return {**spec, "data": {"values": data}, "config": config, **({"title": title} if title else {})}


def panels_of(spec: Spec) -> list[Spec]:
    """The panels of a figure: those of a concatenation, or the one that is repeated, or the whole."""
    return spec.get("concat") or [spec.get("spec", spec)]


def caption_of(figure: Figure) -> str:
    """The caption of a picture, with how many panels it leaves out."""
    shown, there = _panels(figure, _rows(figure))
    more = f" {len(shown)} of {there} panels are drawn; the page has them all." if len(shown) < there else ""
    return figure.caption + more


def _rows(figure: Figure) -> list[dict[str, Any]]:
    return [dict(zip(figure.rows, row, strict=True)) for row in zip(*figure.rows.values(), strict=True)]


def _panels(figure: Figure, data: list[dict[str, Any]]) -> tuple[list[Any], int]:
    """The panels of a picture: at most a dozen, of a large study those of the claims; and how many there are."""
    facet = figure.spec.get("facet", {})
    if "field" not in facet:
        return [], 0
    every = panels = dict.fromkeys(row[facet["field"]] for row in data)
    if len({row.get("cell") for row in data}) > MOST_CELLS:
        panels = dict.fromkeys(row[facet["field"]] for row in data if not row.get("light")) or panels
    return [panel for panel in facet["sort"] or panels if panel in panels][:MOST_PANELS], len(every)


def _columns(figure: Figure, spec: Spec, data: Sequence[dict[str, Any]], whole: float, wanted: int) -> int:
    """How many panels stand side by side: as many as wanted, or as are wide enough for their names."""
    field = spec.get("facet", {}).get("field")
    there = len({row[field] for row in data}) if field else len(panels_of(spec))
    least = max(0.8 * figure.least, 0.6 * FONT * _letters(row.get(field) for row in data))
    return min(wanted, there) or max(1, min(figure.panels, there, int(whole / least)))


def _fitted(encoding: Spec, data: Sequence[dict[str, Any]], whole: float) -> Spec:
    """A legend that names what is drawn, in as many columns as fit."""
    if encoding["type"] == "quantitative":
        return {**encoding["legend"], "gradientLength": min(260, 0.6 * whole)}
    there = {row.get(encoding["field"]) for row in data}
    values = [value for value in encoding["legend"].get("values", encoding["scale"]["domain"]) if value in there]
    columns = max(1, int(whole / ((4 + 0.55 * _letters(values)) * FONT)))
    return {**encoding["legend"], "values": values, "columns": columns}


def _letters(texts: Any) -> int:
    """How many letters the longest line of some texts has."""
    return max((len(line) for text in texts for line in str(text or "").split("\n")), default=0)


def study_picture(answer: Answer, options: FigureOptions = DEFAULTS) -> Figure | None:
    """The one figure that answers a study, headed by its question; None before anything is trained."""
    figure = main_figure(answer, options)
    return figure and replace(figure, title=answer.question)
