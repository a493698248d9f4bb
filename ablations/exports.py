"""Write a study for other programs and other people: Markdown, CSV, LaTeX, pictures, a page for a browser."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations import paper
from ablations.commands import name_damaged
from ablations.records.files import write_bytes, write_text
from ablations.records.record import plan_path
from ablations.report.answer import Answer

if TYPE_CHECKING:
    from ablations.charts.figure import Figure

MOST_RUNS = 60  # in a study whose page is written at the end of its sweep: that takes less than a second
FORMATS = ("md", "report", "csv", *paper.TABLES, "html", *paper.PICTURES)


def export(options: argparse.Namespace) -> None:
    """Write one format, to a file or to standard output; a report in a file gets its picture in the same folder."""
    answer = Answer.read(options.study, options.runs)
    name_damaged(answer)
    if options.rows == "runs" and options.format != "csv":
        raise ValueError("--rows runs is for --format csv: the other formats have a row a cell")
    if options.format in paper.PICTURES:
        with drawing():
            paper.draw(answer, options)
        return
    picture = None
    if options.out and options.format == "report":
        with drawing():
            picture = _draw(answer, options.out.with_suffix(".png"))
    if options.rows == "runs":
        from ablations.report.csv_files import as_csv, runs_table

        text = as_csv(runs_table(answer.rows))
    elif options.format in paper.TABLES:
        text = paper.latex(answer, options)
    else:
        text = as_text(answer, options.format, picture=picture)
    if options.out is None:
        print(text, end="")
    else:
        write_text(options.out, text)


def drawing() -> AbstractContextManager[Any]:
    """Say on a terminal that figures are being drawn, which takes seconds where there are hundreds of runs."""
    from rich.console import Console

    return Console(stderr=True).status("judging and drawing …")


def as_text(answer: Answer, kind: str, *, picture: str | None = None) -> str:
    """The study in a format that is text; `picture` is the name of a file that the report shows."""
    if kind == "html":
        from ablations.html.page import page

        with drawing():
            return page(answer)
    if kind == "report":
        from ablations.report.markdown import answer_markdown

        return answer_markdown(answer, picture=picture)
    if kind == "csv":
        from ablations.report.csv_files import as_csv, results_table

        return as_csv(results_table(answer.rows))
    if kind == "tex":
        from ablations.report.latex import booktabs

        return booktabs(answer.rows, answer.cautions)
    from ablations.report.table import markdown

    return markdown(answer.rows, answer.cautions)


def _draw(answer: Answer, file: Path) -> str | None:
    """Write the picture of a study as PNG; return the file's name, None where there is nothing to draw."""
    from ablations.charts.pictures import picture, study_picture

    figure = study_picture(answer)
    if figure is None:
        return None
    write_bytes(file, picture(figure, "png"))
    return file.name


def closing_page(answer: Answer, figures: Sequence[Figure] | None = None) -> Path | None:
    """Write the page of a study that has just ended into the folder of its plan, if that takes less than a second."""
    from ablations.html.bundle import kept
    from ablations.html.page import page

    if sum(len(cell["runs"]) for cell in answer.plan["cells"]) > MOST_RUNS or not kept().exists():
        return None
    file = plan_path(answer.runs, answer.plan["name"]).with_name("report.html")
    write_text(file, page(answer, figures))
    return file


def write_files(answer: Answer, folder: Path) -> list[Path]:
    """Write everything there is of a study: page, report, tables, verdicts, pictures; return the paths."""
    from ablations.charts.figures import figures_of
    from ablations.charts.pictures import picture
    from ablations.html.page import page
    from ablations.report.csv_files import as_csv, verdicts_table

    folder.mkdir(parents=True, exist_ok=True)
    with drawing():
        figures = figures_of(answer)
        pictures = [folder / f"{figure.name}.{kind}" for figure in figures for kind in paper.PICTURES]
        for path, (figure, kind) in zip(pictures, product(figures, paper.PICTURES), strict=True):
            path.write_bytes(picture(figure, kind))
    main = next((path.name for path in pictures if path.name in ("search.png", "answer.png", "errors.png")), None)
    texts = {"report.html": page(answer, figures)}
    texts |= {f"results.{kind}": as_text(answer, kind) for kind in ("md", "csv", "tex")}
    texts["answer.md"] = as_text(answer, "report", picture=main)
    texts["verdicts.csv"] = as_csv(verdicts_table(answer.verdicts))
    for name, text in texts.items():
        write_text(folder / name, text)
    return [*(folder / name for name in texts), *pictures]
