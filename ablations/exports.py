"""A study's results for other programs and other people: Markdown, CSV, LaTeX, pictures, a page for a browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan, Record
from ablations.catalog.studies import chosen_plan
from ablations.records.files import write_text
from ablations.records.record import plan_path, read_records
from ablations.report.completeness import standing
from ablations.report.study_chart import study_chart

SOON = 60  # runs whose page is written within a second, with the JavaScript at hand
FORMATS = ("md", "report", "csv", "tex", "html", "svg", "png")


def export(options: argparse.Namespace) -> None:
    """One format, into a file or to standard output; the report in a file has its picture beside it."""
    from ablations.analysis.results import result_rows

    found = chosen_plan(options.runs, options.study)
    records, problems = read_records(options.runs)
    for sentence in problems:
        print(f"! {sentence}", file=sys.stderr)
    rows = result_rows(found, records)
    if options.format in ("svg", "png"):
        if options.out is None:
            raise ValueError(f"a picture needs a file: add --out {found['name']}.{options.format}")
        if not _draw(found, rows, options.runs, options.out, options.format):
            raise ValueError(f"{found['name']} has nothing to draw: no run is finished")
        return
    if options.format == "html":
        from ablations.html.page import page

        text = page(found, records, runs=options.runs, problems=problems)
    elif options.format == "report":
        from ablations.report.markdown import written_answer

        picture = None
        if options.out and _draw(found, rows, options.runs, beside := options.out.with_suffix(".png"), "png"):
            picture = beside.name
        text = written_answer(found, records, runs=options.runs, picture=picture)
    else:
        text = as_text(rows, options.format, standing(found, rows, options.runs))
    if options.out is None:
        print(text, end="")
    else:
        write_text(options.out, text)


def _draw(plan: Plan, rows: Sequence[Any], runs: Path, file: Path, kind: str) -> bool:
    """Write the picture of a study as svg or png; whether there is one."""
    chart = study_chart(plan, rows, runs)
    if chart is None:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    chart.save(str(file), format=kind, **({"ppi": 200} if kind == "png" else {}))
    return True


def as_text(rows: Sequence[Any], kind: str, notes: Sequence[str] = ()) -> str:
    """The results as md, csv or tex; `notes` go beside the table, and a CSV file has its columns `n` and `planned`."""
    if kind == "csv":
        from ablations.report.csv_files import comma_separated, flat_results

        return comma_separated(flat_results(rows))
    if kind == "tex":
        from ablations.report.latex import booktabs

        return booktabs(rows, notes)
    from ablations.report.table import markdown

    return markdown(rows, notes)


def write_html(
    plan: Plan, records: Mapping[str, Record], file: Path, *, runs: Path, problems: Sequence[str] = ()
) -> Path:
    """Write the page of a study; where it lies."""
    from ablations.html.page import page

    write_text(file, page(plan, records, runs=runs, problems=problems))
    return file


def closing_page(plan: Plan, records: Mapping[str, Record], *, runs: Path) -> Path | None:
    """Write the page of a study that has just ended beside its plan, if that is done within a second."""
    from ablations.html.bundle import kept

    if sum(len(cell["runs"]) for cell in plan["cells"]) > SOON or not kept().exists():
        return None
    return write_html(plan, records, plan_path(runs, plan["name"]).with_name("report.html"), runs=runs)


def write_files(
    plan: Plan, records: Mapping[str, Record], folder: Path, *, runs: Path, problems: Sequence[str] = ()
) -> list[Path]:
    """Write everything there is of a study: page, answer, tables, verdicts, pictures; what was written.

    Raises:
        ClaimError: a claim of the study is malformed.
    """
    from ablations.html.page import answer
    from ablations.html.static_figures import write_figures
    from ablations.report.comparability import settings_beside
    from ablations.report.csv_files import comma_separated, flat_verdicts
    from ablations.report.markdown import written_answer

    folder.mkdir(parents=True, exist_ok=True)
    known = answer(plan, records, runs=runs)
    written = [write_html(plan, records, folder / "report.html", runs=runs, problems=problems)]
    pictures = write_figures(known.figures, known.axes, known.cells, folder)
    picture = next((path.name for path in pictures if path.name == "errors.png"), None)
    notes = standing(plan, known.rows, runs)
    texts = {f"results.{kind}": as_text(known.rows, kind, notes) for kind in ("md", "csv", "tex")}
    texts["answer.md"] = written_answer(plan, records, runs=runs, picture=picture)
    texts["verdicts.csv"] = comma_separated(flat_verdicts(known.verdicts, settings_beside(plan, known.rows)))
    for name, text in texts.items():
        write_text(folder / name, text)
    return [*written, *(folder / name for name in texts), *pictures]
