"""Save figures as SVG, PNG and PDF: on white, with title and caption in the picture, or in the size of a paper."""

from __future__ import annotations

import copy
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablations.charts.figure import Figure
from ablations.charts.figures import main_figure
from ablations.charts.focus import MOST_CELLS
from ablations.charts.looks import LIGHT, Spec
from ablations.charts.options import FigureOptions, Print
from ablations.report.answer import Answer

CONFIG: Spec = {
    "background": "white",
    "padding": 12,
    "view": {"stroke": None},
    "range": {"category": LIGHT},
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "titleFontWeight": "normal", "titleLimit": 0},
    "legend": {"symbolOpacity": 1, "titleFontWeight": "normal"},
    "title": {"anchor": "start", "subtitleColor": "#666", "offset": 10},
}
SCREEN = Print(width=900, font=11, title=True)  # pixels
NARROW = 400  # points; on less, legends stand below each other
LETTERS = 120  # in a line below the title
MOST_PANELS = 12
FORMATS = ("svg", "png", "pdf")
DPI = 300
MARKS = ("size", "strokeWidth", "fontSize", "lineHeight", "dy", "yOffset", "xOffset", "height", "thickness")


def picture_spec(figure: Figure, paper: Print = SCREEN, inner: float | None = None) -> Spec:
    """A complete Vega-Lite spec: data, theme, size and words.

    Args:
        inner: the width of the plot of one panel; None: estimated from the width of the whole.
    """
    spec = copy.deepcopy(figure.spec)
    data = [dict(zip(figure.rows, row, strict=True)) for row in zip(*figure.rows.values(), strict=True)]
    data = _first_panels(spec, data)
    columns = _columns(figure, spec, data, paper)
    letters = max((len(line) for row in data for line in str(row.get("row", "")).split("\n")), default=0)
    width = inner if inner is not None else _estimate(paper, columns, letters, framed=bool(figure.panels))
    if figure.panels:
        spec["columns"] = columns
    for panel in panels_of(spec):
        panel["width"] = {"step": max(1, width // figure.epochs)} if figure.epochs else width
        if paper.height and not isinstance(panel.get("height"), dict):
            panel["height"] = paper.height
        if "layer" in panel:
            panel["layer"] = [view for view in panel["layer"] if view.get("name") != "hover"]
        for view in (panel, *panel.get("layer", [])):
            view.pop("params", None)
            if isinstance(view.get("mark"), dict) and view["mark"].get("type") == "point":
                view["mark"]["clip"] = False  # a point on an edge is drawn whole
            for encoding in view["encoding"].values():
                if isinstance(encoding, dict) and encoding.get("legend"):
                    encoding["legend"] = _fitted(encoding, data, paper)
    made = {**spec, "data": {"values": data}, "config": _config(paper)}
    if paper.title:
        letters = round(LETTERS * paper.width / SCREEN.width * SCREEN.font / paper.font)
        made["title"] = {"text": textwrap.wrap(figure.title, round(0.75 * letters))}
        made["title"]["subtitle"] = textwrap.wrap(figure.caption, letters)
    return made


def panels_of(spec: Spec) -> list[Spec]:
    """The panels of a figure: those of a concatenation, or the one that is repeated, or the whole."""
    return spec.get("concat") or [spec.get("spec", spec)]


def _first_panels(spec: Spec, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the panels that a picture shows: at most a dozen, and of a large study those of the claims."""
    field = spec.get("facet", {}).get("field")
    if field is None:
        return data
    panels = dict.fromkeys(row[field] for row in data)
    if len({row.get("cell") for row in data}) > MOST_CELLS:
        panels = dict.fromkeys(row[field] for row in data if not row.get("light")) or panels
    order = [panel for panel in spec["facet"]["sort"] or panels if panel in panels][:MOST_PANELS]
    return [row for row in data if row[field] in {*order}]


def _columns(figure: Figure, spec: Spec, data: Sequence[dict[str, Any]], paper: Print) -> int:
    """How many panels stand side by side."""
    field = spec.get("facet", {}).get("field")
    there = len({row[field] for row in data}) if field else len(panels_of(spec))
    if paper.panels:
        return min(paper.panels, there)
    letters = max((len(line) for row in data for line in str(row.get(field, "")).split("\n")), default=0)
    least = max(0.8 * figure.least * paper.font / SCREEN.font, 0.6 * letters * paper.font)
    return max(1, min(figure.panels, there, int(paper.width / least)))


def _estimate(paper: Print, columns: int, letters: int, *, framed: bool) -> float:
    """The width of a plot beside whose axis names of so many letters stand."""
    around = max(5.5, 2.5 + 0.52 * letters) * paper.font
    return max(40.0, paper.width / columns - around if framed else min(paper.width - around, 620))


def _fitted(encoding: Spec, data: Sequence[dict[str, Any]], paper: Print) -> Spec:
    """A legend that names what is drawn, in as many columns as fit."""
    if encoding["type"] == "quantitative":
        return {**encoding["legend"], "gradientLength": min(260, 0.6 * paper.width)}
    there = {row.get(encoding["field"]) for row in data}
    values = [value for value in encoding["scale"]["domain"] if value in there]
    letters = max((len(line) for value in values for line in str(value).split("\n")), default=0)
    columns = max(1, int(paper.width / ((4 + 0.55 * letters) * paper.font)))
    return {**encoding["legend"], "values": values, "columns": columns}


def _config(paper: Print) -> Spec:
    """The theme, with all words in the size of the print."""
    font, factor = paper.font, paper.font / SCREEN.font
    made = copy.deepcopy(CONFIG)
    made["padding"] = 12 if paper.title else 2
    made["axis"] |= {"labelFontSize": font, "titleFontSize": font}
    made["legend"] |= {"labelFontSize": font, "titleFontSize": font, "symbolSize": 100 * factor**2}
    if paper.width < NARROW:
        made["legend"]["layout"] = {"top": {"direction": "vertical"}}
    made["header"] = {"labelFontSize": font, "titleFontSize": font}
    made["title"] |= {"fontSize": 1.35 * font, "subtitleFontSize": font}
    return made


def rendered(figure: Figure, paper: Print | None = None) -> Spec:
    """The complete spec whose picture is as wide as the paper wants, to within a point."""
    if paper is None:
        return picture_spec(figure)
    spec = scaled_marks(picture_spec(figure, paper), paper)
    for _ in range(4):
        columns = spec.get("columns", 1)
        found = width_of(spec)
        if abs(found - paper.width) <= 1:
            break
        now = panels_of(spec)[0]["width"]
        now = now["step"] * figure.epochs if isinstance(now, dict) else now
        inner = max(20.0, now + (paper.width - found) / columns)
        spec = scaled_marks(picture_spec(figure, paper, inner), paper)
    return spec


def scaled_marks(spec: Spec, paper: Print) -> Spec:
    """The spec with marks and words as much smaller as the font is."""
    factor = paper.font / SCREEN.font
    for panel in panels_of(spec):
        if isinstance(panel.get("height"), dict):
            panel["height"] = {"step": panel["height"]["step"] * factor}
        elif paper.height is None and "height" in panel:
            panel["height"] = panel["height"] * factor
        for view in (panel, *panel.get("layer", [])):
            mark: dict[str, Any] = view["mark"] if isinstance(view.get("mark"), dict) else {}
            for name in MARKS:
                if isinstance(mark.get(name), int | float):
                    mark[name] *= factor**2 if name == "size" else factor
        title = panel.get("title")
        if isinstance(title, dict):
            title |= {"fontSize": 1.1 * paper.font, "subtitleFontSize": paper.font, "offset": 6}
    header: Spec = spec.get("facet", {}).get("header", {})
    header["labelFontSize"] = paper.font
    return spec


def width_of(spec: Spec) -> float:
    """How wide the picture of a spec is."""
    import vl_convert

    (found,) = re.findall(r'<svg[^>]* width="([0-9.]+)"', vl_convert.vegalite_to_svg(spec))
    return float(found)


def svg(figure: Figure, paper: Print | None = None) -> str:
    """The figure as SVG; of a print its size is in points."""
    import vl_convert

    text = vl_convert.vegalite_to_svg(rendered(figure, paper))
    return (
        text
        if paper is None
        else re.sub(r'(<svg[^>]*?) width="([0-9.]+)" height="([0-9.]+)"', _in_points, text, count=1)
    )


def _in_points(found: re.Match[str]) -> str:
    return f'{found[1]} width="{found[2]}pt" height="{found[3]}pt"'


def png(figure: Figure, paper: Print | None = None) -> bytes:
    """The figure as PNG: two pixels a point on a screen, 300 an inch on paper."""
    import vl_convert

    spec = rendered(figure, paper)
    if paper is None:
        return vl_convert.vegalite_to_png(spec, scale=2)
    return vl_convert.vegalite_to_png(spec, ppi=DPI)  # which counts 72 pixels of the spec an inch


def pdf(figure: Figure, paper: Print | None = None) -> bytes:
    """The figure as PDF, with its fonts, a point a pixel."""
    import vl_convert

    return vl_convert.vegalite_to_pdf(rendered(figure, paper))


def picture(figure: Figure, kind: str, paper: Print | None = None) -> bytes:
    """The figure in one of FORMATS."""
    if kind == "svg":
        return svg(figure, paper).encode("utf-8")
    return png(figure, paper) if kind == "png" else pdf(figure, paper)


def study_picture(answer: Answer, options: FigureOptions | None = None) -> Figure | None:
    """The one figure that answers a study, headed by its question; None before anything is trained."""
    figure = main_figure(answer, options)
    return figure and replace(figure, title=answer.question)


def write_pictures(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write each figure as `<name>.svg`, `.png` and `.pdf`; return the paths."""
    return [*_written(figures, folder)]


def _written(figures: Sequence[Figure], folder: Path) -> Iterator[Path]:
    for figure in figures:
        for kind in FORMATS:
            path = folder / f"{figure.name}.{kind}"
            path.write_bytes(picture(figure, kind))
            yield path
