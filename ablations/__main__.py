"""`python -m ablations`: read-only work on what the runs left behind; starts in well under a second."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ablations.records import plans, read_plan, read_records

STUDIES = Path(__file__).resolve().parents[1] / "conf" / "study"
EXAMPLES = """\
examples:
  python -m ablations list                        which studies there are, and how far each is
  python -m ablations report headline             table, verdicts, what is missing, what to type next
  python -m ablations verdict shortcuts           only the claims and what the records say about them
  python -m ablations export headline --format md for a README; csv for other programs; svg or png for the picture
  python -m ablations doctor                      records that are damaged, and why

Nothing in here trains or changes a record; `python run.py -m study=NAME` trains."""


class Parser(argparse.ArgumentParser):
    """Bad usage is one sentence and exit status 1, as every other mistake is."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"error: {' '.join(message.split())}; {self.prog} --help says what is allowed\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status: 0, or 1 for bad input.

    Raises:
        SystemExit: 1 for bad usage, 0 after --help.
    """
    options = parser().parse_args(arguments)
    try:
        return options.act(options) or 0
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parser() -> Parser:
    """What can be typed."""
    everywhere = Parser(add_help=False)
    everywhere.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where the records lie (runs)"
    )
    shape = argparse.RawDescriptionHelpFormatter
    top = Parser("python -m ablations", description=__doc__, epilog=EXAMPLES, formatter_class=shape)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(act: Any, words: str, *, study: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(act.__name__.rstrip("_"), help=words, description=words, parents=[everywhere])
        if study:
            one.add_argument("study", metavar="STUDY", help="a study's name, as `list` shows it")
        one.set_defaults(act=act)
        return one

    command(list_, "studies: name, question, cells, runs done of planned", study=False)
    command(plan, "what a study consists of: cells, equivalent grid points, what cannot be built and why")
    command(status, "how far a study is, and who trains what now")
    command(report, "the whole answer: table, verdicts, gaps, what to type next")
    command(verdict, "the claims of a study and what the records say about them")
    export_parser = command(export, "a study's results for other programs")
    export_parser.add_argument("--format", choices=("md", "csv", "svg", "png"), default="md", help="(md)")
    export_parser.add_argument("--out", type=Path, metavar="FILE", help="where to (standard output)")
    command(doctor, "name damaged records and say what is wrong with them", study=False)
    return top


def list_(options: argparse.Namespace) -> None:
    from rich.table import Table

    records, _ = read_records(options.runs)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("study", "cells", "runs", "question"):
        table.add_column(head, justify="right" if head in ("cells", "runs") else "left", no_wrap=head != "question")
    named = plans(options.runs)
    for name in named:
        found = read_plan(options.runs, name)
        wanted = [run["identity"] for cell in found["cells"] for run in cell["runs"]]
        done = sum(key in records and records[key]["status"] != "failed" for key in wanted)
        table.add_row(name, str(len(found["cells"])), f"{done}/{len(wanted)}", found["study"].get("question") or "")
    unread = []
    for name, question in sorted(written_studies().items()):
        if name in named:
            continue
        if question is None:
            unread.append(name)
        else:
            table.add_row(name, "–", "–", question, style="dim")
    console = _console()
    if table.row_count:
        console.print(table)
    else:
        console.print(f"No studies in {STUDIES} and none in {options.runs}.")
    for name in unread:
        console.print(f"[red]![/] {STUDIES / name}.yaml is no study: it has no `study:` with a name")


def plan(options: argparse.Namespace) -> None:
    from rich.markup import escape

    found = _plan(options)
    records, _ = read_records(options.runs)
    console = _console()
    cells, runs = found["cells"], [run for cell in found["cells"] for run in cell["runs"]]
    done = sum(run["identity"] in records for run in runs)
    console.print(f"[bold]{escape(found['name'])}[/]  {len(cells)} cells, {len(runs)} runs, {done} with a record")
    for cell in cells:
        have = sum(run["identity"] in records for run in cell["runs"])
        first, *same = cell["points"] or [cell["axes"]]
        count = f"{have}/{len(cell['runs'])}"
        console.print(f"  {count:>5}  {_words(first, found['swept'])}", style="" if have else "dim", markup=False)
        for point in same:
            console.print(f"         = {_words(point, found['swept'])} (the same cell)", style="dim", markup=False)
    for item in found["invalid"]:
        console.print(f"  [red]  no [/]  {_words(item['point'], found['swept'])}: {escape(item['reason'])}")


def status(options: argparse.Namespace) -> None:
    from ablations.status import Watch, picture

    _console().print(picture(Watch(_plan(options), options.runs).look()))


def report(options: argparse.Namespace) -> None:
    from ablations.report import print_report

    records, problems = read_records(options.runs)
    print_report(_plan(options), records, _console(), runs=options.runs, problems=problems)


def verdict(options: argparse.Namespace) -> None:
    from ablations.claims import judge
    from ablations.report import print_verdicts

    found = _plan(options)
    verdicts = judge(found, read_records(options.runs)[0])
    if not verdicts:
        print(f"The study {found['name']} makes no claims; add some under `claims:` in its YAML.")
    print_verdicts(verdicts, _console())


def export(options: argparse.Namespace) -> None:
    from ablations.flat import comma_separated
    from ablations.results import result_rows
    from ablations.table import markdown

    found = _plan(options)
    rows = result_rows(found, read_records(options.runs)[0])
    if options.format in ("svg", "png"):
        from ablations.figures import error_chart

        if options.out is None:
            raise ValueError(f"a picture needs a file: add --out {found['name']}.{options.format}")
        chart = error_chart(found, rows)
        if chart is None:
            raise ValueError(f"{found['name']} has nothing to draw: no swept axis with numbers, or no run finished")
        options.out.parent.mkdir(parents=True, exist_ok=True)
        chart.save(str(options.out), format=options.format, **({"ppi": 200} if options.format == "png" else {}))
        return
    text = markdown(rows) if options.format == "md" else comma_separated(rows)
    if options.out is None:
        print(text, end="")
    else:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")


def doctor(options: argparse.Namespace) -> int:
    from ablations.records import RecordError

    records, problems = read_records(options.runs)
    for name in plans(options.runs):
        try:
            read_plan(options.runs, name)
        except RecordError as error:
            problems.append(str(error))
    console = _console()
    for sentence in problems:
        console.print(f"! {sentence}", markup=False)
    console.print(f"{len(records)} good records in {options.runs}/, {len(problems) or 'no'} damaged.")
    return 1 if problems else 0


def written_studies() -> dict[str, str | None]:
    """Name → question of the studies in conf/study; a file without a study has None."""
    import yaml

    found: dict[str, str | None] = {}
    for path in sorted(STUDIES.glob("*.yaml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            study = data.get("study") or {}
            found[study.get("name") or path.stem] = str(study["question"]) if "question" in study else None
        except (yaml.YAMLError, OSError, AttributeError):
            found[path.stem] = None
    return found


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    names = plans(options.runs)
    if options.study in names:
        return read_plan(options.runs, options.study)
    if written_studies().get(options.study) is not None:
        raise ValueError(
            f"{options.study} has not been run into {options.runs}/ yet; python run.py -m study={options.study}"
        )
    known = list(
        dict.fromkeys([*names, *(name for name, question in written_studies().items() if question is not None)])
    )
    near = difflib.get_close_matches(options.study, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"no study {options.study!r}; {hint}there are: {', '.join(known) or 'none'}")


def _words(point: dict[str, Any], swept: Sequence[str]) -> str:
    return " ".join(f"{axis}={value}" for axis, value in point.items() if not swept or axis in swept)


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


if __name__ == "__main__":
    sys.exit(main())
