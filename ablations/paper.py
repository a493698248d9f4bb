"""Options of `python -m ablations export` for figures and tables of a paper, and what is made with them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ablations.analysis_commands import choice
from ablations.question.did_you_mean import instead
from ablations.records.files import write_bytes
from ablations.report.answer import Answer

if TYPE_CHECKING:
    from ablations.charts.figure import Figure
    from ablations.charts.options import FigureOptions, Print

PICTURES = ("svg", "png", "pdf")
TABLES = ("tex", "latex")


def add_paper_options(parser: argparse.ArgumentParser) -> None:
    """Add what a figure or a LaTeX table of a paper can be asked for."""
    one = parser.add_argument_group("a figure or a table of a paper")
    figure = "another than the answer: claims-0, curves, lesions, … (a wrong name lists them)"
    one.add_argument("--figure", metavar="NAME", help=figure)
    drawn = "what is drawn, a panel each: train_error,test_error"
    one.add_argument("--metric", metavar="NAMES", default="", help=drawn)
    one.add_argument("--x", metavar="AXIS", default="", help="the axis to draw against, as in depth")
    one.add_argument("--colour", "--color", metavar="AXIS", default="", help="the axis that has the colours")
    several: dict[str, Any] = {"action": "append", "default": []}
    order = "as in block=residual,plain; again for another axis"
    label = "what is printed for a value, an axis or a metric: residual=ResNet"
    one.add_argument("--order", metavar="AXIS=VALUES", **several, help=order)
    one.add_argument("--label", metavar="WORD=TEXT", **several, help=label)
    one.add_argument("--where", metavar="AXIS=VALUE", **several, help="only the cells that agree, as in norm=batch")
    one.add_argument("--width", metavar="LENGTH", help="as on paper: 84mm, 3.25in, column (3.25in), page (6.75in)")
    one.add_argument("--height", metavar="LENGTH", help="of one panel, as in 50mm")
    one.add_argument("--font", metavar="POINTS", type=float, default=8.0, help="size of the letters on paper (8)")
    one.add_argument("--title", action="store_true", help="with title and caption in the picture, on paper too")
    columns = "of a table: which, as in 'block,depth,test error'; of a figure: how many panels side by side"
    one.add_argument("--columns", metavar="COLUMNS", default="", help=columns)
    one.add_argument("--claims", action="store_true", help="of tex: the table of the claims and their verdicts")


def picture_of(answer: Answer, options: argparse.Namespace) -> Figure:
    """The figure that was asked for.

    Raises:
        ValueError: an option does not fit the study, or nothing is trained.
    """
    from ablations.charts.figures import figures_of
    from ablations.charts.pictures import study_picture

    refuse_unknown(answer, options)
    wanted = figure_options(options)
    if not options.figure:
        found = study_picture(answer, wanted)
        if found is None:
            which = " that --where asks for" if options.where else ""
            raise ValueError(f"{answer.plan['name']} has nothing to draw: no run is finished{which}")
        return found
    every = {figure.name: figure for figure in figures_of(answer, wanted)}
    if options.figure not in every:
        raise ValueError(
            f"{answer.plan['name']} has no figure {options.figure!r}{instead(options.figure, every, 'there are')}"
        )
    return every[options.figure]


def refuse_unknown(answer: Answer, options: argparse.Namespace) -> None:
    """Raise ValueError for a word of --label or a value of --order that the study does not have."""
    from ablations.analysis.metrics import MetricError, read_metric
    from ablations.charts.options import pairs
    from ablations.report.latex import column_key
    from ablations.report.table import COLUMNS, columns_of

    name, rows = answer.plan["name"], answer.rows
    values = {axis: list(dict.fromkeys(row.level(axis) for row in rows)) for axis in answer.plan["swept"]}
    for axis, text in pairs(options.order, "--order").items():
        known = values.get(axis, ())
        if wrong := [word for word in map(str.strip, text.split(",")) if word not in known and axis in values]:
            raise ValueError(f"--order {axis}: {name} has no {axis}={wrong[0]}{instead(wrong[0], known, 'there are')}")
    names = [*values, *(value for those in values.values() for value in those)]
    heads = [column.name for column in (columns_of(rows) if rows else COLUMNS)]
    columns = set(map(column_key, [*names, *heads]))
    for word in pairs(options.label, "--label"):
        try:
            if column_key(word) not in columns:
                read_metric(word, answer.plan["study"].get("metrics"))
        except MetricError as error:
            said = f"--label {word}: {name} has no value, axis or metric of that name"
            raise ValueError(f"{said}{instead(word, names, 'there are')}") from error


def figure_options(options: argparse.Namespace) -> FigureOptions:
    """What was typed, for the charts."""
    from ablations.charts.options import FigureOptions, pairs

    order = {axis: tuple(map(str.strip, text.split(","))) for axis, text in pairs(options.order, "--order").items()}
    metrics = tuple(filter(None, map(str.strip, options.metric.split(","))))
    where = choice(" ".join(options.where))
    return FigureOptions(metrics, options.x, options.colour, order, pairs(options.label, "--label"), where)


def print_size(options: argparse.Namespace) -> Print | None:
    """The size on paper; None for the picture of a screen. A PDF is always on paper, a column wide if not told.

    Raises:
        ValueError: a length is malformed, or the number of panels is no number.
    """
    from ablations.charts.options import Print, points

    if options.columns and not options.columns.isdigit():
        raise ValueError(f"--columns {options.columns}: of a figure it is how many panels stand side by side, as in 2")
    if not (options.width or options.height or options.format == "pdf"):
        return None if not options.columns else Print(900, None, int(options.columns), 11, title=True)
    if not 4 <= options.font <= 24:
        raise ValueError(f"--font {options.font:g}: letters have 4 to 24 points")
    height = points(options.height) if options.height else None
    return Print(points(options.width or "page"), height, int(options.columns or 0), options.font, title=options.title)


def draw(answer: Answer, options: argparse.Namespace) -> None:
    """Write the figure that was asked for, and print its caption."""
    from ablations.charts.pictures import caption_of, picture

    if options.out is None:
        raise ValueError(f"a picture needs a file: add --out {answer.plan['name']}.{options.format}")
    figure, paper = picture_of(answer, options), print_size(options)
    write_bytes(options.out, picture(figure, options.format, paper))
    said = caption_of(figure)
    if said != figure.caption or (paper and not paper.title):
        print(f"{options.out}: {said}", file=sys.stderr)


def latex(answer: Answer, options: argparse.Namespace) -> str:
    """The table of results, or of the claims, for `\\usepackage{booktabs}`."""
    from ablations.charts.options import pairs
    from ablations.report.latex import booktabs, claims_table

    columns = list(filter(None, map(str.strip, options.columns.split(","))))
    if options.claims:
        return claims_table(answer.verdicts, answer.footnotes, columns=columns)
    refuse_unknown(answer, options)
    labels = pairs(options.label, "--label")
    return booktabs(answer.rows, answer.cautions, columns=columns, labels=labels)
