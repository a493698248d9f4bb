"""Save figures as SVG and PNG: on white, with title and caption in the picture."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ablations.charts.figure import Figure
from ablations.charts.figures import main_figure
from ablations.charts.looks import OKABE_ITO, Spec
from ablations.report.answer import Answer

CONFIG = {
    "background": "white",
    "padding": 12,
    "view": {"stroke": None},
    "range": {"category": OKABE_ITO},
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "titleFontWeight": "normal", "labelFontSize": 11},
    "legend": {"symbolOpacity": 1, "symbolLimit": 28, "labelLimit": 240, "labelFontSize": 12, "titleFontSize": 12},
    "title": {"anchor": "start", "subtitleColor": "#666", "subtitleFontSize": 11, "fontSize": 15, "offset": 10},
}
WIDTH = 900  # pixels of all panels together
LETTERS = 120  # in a line below the title


def picture_spec(figure: Figure) -> Spec:
    """A complete Vega-Lite spec: data, theme, size and words."""
    spec = copy.deepcopy(figure.spec)
    inner = spec.get("spec", spec)
    if "layer" in inner:
        inner["layer"] = [view for view in inner["layer"] if view.get("name") != "hover"]
    inner["width"] = max(200, min(620, WIDTH // figure.panels - 60)) if figure.panels else 620
    if figure.panels:
        spec["columns"] = figure.panels
    if figure.epochs:
        inner["width"] = {"step": max(1, inner["width"] // figure.epochs)}
    for view in (inner, *inner.get("layer", [])):
        for encoding in view["encoding"].values():
            if isinstance(encoding, dict) and encoding.get("legend") and "domain" in encoding["scale"]:
                letters = max([len(str(value)) for value in encoding["scale"]["domain"]], default=0)
                encoding["legend"] = {**encoding["legend"], "columns": max(1, int(WIDTH / (60 + 6.5 * letters)))}
    rows = zip(*figure.rows.values(), strict=True)
    data = {"values": [dict(zip(figure.rows, row, strict=True)) for row in rows]}
    words = [line for text in (figure.caption, *figure.words) for line in textwrap.wrap(text, LETTERS)]
    title = {"text": figure.title, "subtitle": words}
    return {**spec, "data": data, "title": title, "config": CONFIG}


def svg(figure: Figure) -> str:
    """The figure as SVG."""
    import vl_convert

    return vl_convert.vegalite_to_svg(picture_spec(figure))


def png(figure: Figure) -> bytes:
    """The figure as PNG, two pixels a point."""
    import vl_convert

    return vl_convert.vegalite_to_png(picture_spec(figure), scale=2)


def study_picture(answer: Answer) -> Figure | None:
    """The one figure that answers a study, headed by its question; None before anything is trained."""
    figure = main_figure(answer)
    return figure and replace(figure, title=answer.question)


def write_pictures(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Write each figure as `<name>.svg` and `<name>.png`; return the paths."""
    written = []
    for figure in figures:
        (folder / f"{figure.name}.svg").write_text(svg(figure), encoding="utf-8")
        (folder / f"{figure.name}.png").write_bytes(png(figure))
        written += [folder / f"{figure.name}.{kind}" for kind in ("svg", "png")]
    return written
