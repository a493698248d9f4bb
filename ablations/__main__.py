"""`python -m ablations`: list, report, judge and export what was trained. Trains nothing."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ablations import commands
from ablations.analysis_commands import add_analyses
from ablations.catalog import scaffold as new
from ablations.compare_command import add_compare
from ablations.exports import FORMATS, export
from ablations.judge_command import add_judge
from ablations.paper import add_paper_options
from ablations.prune_command import add_prune
from ablations.question.did_you_mean import nearest
from ablations.records.files import lenient_output
from ablations.site_command import add_site
from ablations.tabulate_command import add_tabulate
from ablations.wandb_view.publish import add_publish

EXAMPLES = """\
examples:
  python -m ablations list                        which studies there are, and how far each is
  python -m ablations list blocks                 what block= takes, and where each comes from
  python -m ablations report headline             table, verdicts, what is missing, what to type next
  python -m ablations verdict shortcuts           only the claims and their verdicts
  python -m ablations effects headline            the effect of each axis, and of two together
  python -m ablations path headline "block=plain depth=56" "block=residual depth=20"
  python -m ablations compare headline shortcuts             two studies, cell by cell; --code: old and new code
  python -m ablations report headline --html headline.html   as a page with figures
  python -m ablations report headline --files answer         page, report, tables, figures (SVG, PNG)
  python -m ablations export headline --format md: or report, csv, tex, html, svg, png, pdf
  python -m ablations export headline --format pdf --width column --metric train_error --out headline.pdf
  python -m ablations site answers                           all studies, for a browser: a front page, CSV, BibTeX
  python -m ablations judge results.csv claims.yaml          claims about runs of another program
  python -m ablations tabulate headline --out headline.parquet   every epoch of every run, for simulated searches
  python -m ablations publish headline            send it to W&B from the records
  python -m ablations prune headline              what its weights take of the disk; --yes removes them
  python -m ablations doctor                      name what is damaged; --repair mends it or moves it aside

None of these trains or changes a number; `python run.py -m study=NAME` trains."""


class Parser(argparse.ArgumentParser):
    """Answers bad usage with one sentence and an exit status."""

    bad_usage = 1
    intermixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Let options of a command stand between its names, as in `site OUT --runs DIR STUDY`."""
        if self.intermixed or self._subparsers:
            return super().parse_known_args(args, namespace)
        self.intermixed = True  # the next line comes back here
        return self.parse_known_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        meant = nearest(wrong[1], re.findall(r"[^', ]+", wrong[2])) if wrong else ""
        said = f"error: {' '.join(message.split())}{meant}; {self.prog} --help says what is allowed"
        self.exit(self.bad_usage, f"{said}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed; return the exit status: 0, 1 for bad input, 141 where the reader has gone, as `head` goes.

    Raises:
        SystemExit: 1 for bad usage (of `judge` 2), 0 after --help.
    """
    lenient_output()
    try:
        try:
            options, odd = parser().parse_known_args(arguments)
            if odd:
                options.parser.error(f"unrecognized arguments: {' '.join(odd)}")
            return options.act(options) or 0
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        return 141
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def parser() -> Parser:
    """Every command and its options."""
    everywhere = Parser(add_help=False)
    everywhere.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where the records are (runs)"
    )
    shape = argparse.RawDescriptionHelpFormatter
    top = Parser("python -m ablations", description=__doc__, epilog=EXAMPLES, formatter_class=shape)
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(act: Any, words: str, *, study: bool = True, records: bool = True) -> argparse.ArgumentParser:
        name, parents = act.__name__.rstrip("_"), [everywhere] if records else []
        one = subparsers.add_parser(name, help=words, description=words, parents=parents)
        if study:
            one.add_argument("study", metavar="STUDY", help="a study's name, as `list` shows it")
        one.set_defaults(act=act, parser=one)
        return one

    listed = command(commands.list_, "studies: runs, cost, how far; or what can be chosen: list blocks", study=False)
    listed.add_argument("group", nargs="?", default="studies", metavar="GROUP", help="blocks, shortcuts, … (studies)")
    listed.add_argument("--config-dir", type=Path, metavar="DIR", help="a folder of your own with further choices")
    listed.add_argument("--markdown", action="store_true", help="docs/axes.md, or of `claims` docs/results/claims.md")
    written = command(new.new, "start a package of your own with a block in it: new block mine", study=False)
    written.add_argument("kind", choices=("block",), help="what it adds")
    written.add_argument("name", help="the name for block=, and of the folder that is written")
    command(commands.plan, "the cells of a study, equivalent grid points, what cannot be built and why")
    command(commands.status, "how far a study is, and what is in training")
    report_parser = command(commands.report, "table, verdicts, what is missing, what to type next")
    report_parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with figures, for a browser")
    every = "write a page, a report, tables (md, csv, tex) and pictures"
    report_parser.add_argument("--files", type=Path, metavar="DIR", help=every)
    command(commands.verdict, "the claims of a study and their verdicts")
    add_analyses(command)
    add_compare(command)
    export_parser = command(export, "a study's results for other programs")
    export_parser.add_argument("--format", choices=FORMATS, default="md", help="(md)")
    export_parser.add_argument("--rows", choices=("cells", "runs"), default="cells", help="a row of csv (cells)")
    export_parser.add_argument("--out", type=Path, metavar="FILE", help="where to (standard output)")
    add_paper_options(export_parser)
    add_site(command)
    add_judge(command)
    add_tabulate(command)
    add_publish(command)
    add_prune(command)
    doctor = command(commands.doctor, "name what is damaged, and mend it if asked to", study=False)
    doctor.add_argument("--repair", action="store_true", help="mend it, or move it to .quarantine; deletes nothing")
    return top


if __name__ == "__main__":
    sys.exit(main())
