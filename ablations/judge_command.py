"""Carry out `python -m ablations judge`: the verdicts on claims about a table of runs that were made elsewhere."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.commands import plain_console
from ablations.records.files import printable, write_text

if TYPE_CHECKING:
    from ablations.analysis.verdicts import Verdict

NOWHERE = Path(os.devnull)  # the runs of a table have no folders


def judge(options: argparse.Namespace) -> int:
    """Print the verdicts; return the exit status: 0 all supported, 3 something open, 4 something contradicted."""
    from ablations.elsewhere.as_json import as_json, exit_status
    from ablations.elsewhere.claims_file import read_claims_file
    from ablations.elsewhere.study import table_study
    from ablations.elsewhere.table import read_table
    from ablations.report.answer import Answer
    from ablations.report.verdict_list import print_list

    class TableAnswer(Answer):
        """An answer whose verdicts name no command: nothing here can train these runs."""

        @cached_property
        def verdicts(self) -> list[Verdict]:
            return [replace(verdict, command="") for verdict in super().verdicts]

    typed = shlex.join(["python", "-m", "ablations", "judge", options.table, options.claims])
    found = table_study(read_table(options.table), read_claims_file(options.claims), command=typed)
    plan, notes, share = found.plan, list(found.notes), None
    if options.budget:
        from ablations.elsewhere.budget import share_of

        share = share_of(plan, found.records, options.budget)
        plan["study"]["level"] = share.level
        words = f"question {share.number} of {options.budget}{', asked again' if share.again else ''}"
        notes.append(f"{words}: judged at level {share.level:.2g}, so that the whole loop is at 0.05")
    answer = TableAnswer(plan, found.records, NOWHERE)
    status = exit_status(answer.verdicts)
    if options.html:
        from ablations.exports import as_text

        write_text(options.html, as_text(answer, "html"))
    if options.json:
        budget = share and {"file": str(options.budget), "question": share.number, "level": share.level}
        print(json.dumps(as_json(plan["study"], answer.verdicts) | {"notes": notes, "budget": budget}, indent=1))
        return status
    console = plain_console()
    for note in notes:
        console.print(printable(note), style="dim", markup=False, soft_wrap=True)
    print_list(answer.verdicts, console, answer.footnotes)
    if options.html:
        print(options.html)
    return status


def add_judge(command: Callable[..., Any]) -> None:
    """Add it to the command line."""
    words = "verdicts on runs that were made elsewhere, from a table of them; exit status 0, 3 (open), 4 (contradicted)"
    one = command(judge, words, study=False, records=False)
    one.add_argument(
        "table", metavar="TABLE", help="a row a run: .csv, .jsonl, .json, .parquet, or - for standard input"
    )
    one.add_argument("claims", metavar="CLAIMS", help="a YAML file with claims, as a study has them")
    one.bad_usage = 2
    one.add_argument("--html", type=Path, metavar="FILE", help="write a page with figures, for a browser")
    one.add_argument("--json", action="store_true", help="print JSON, for programs")
    one.add_argument(
        "--budget", type=Path, metavar="FILE", help="share one error rate among all questions of this file"
    )
