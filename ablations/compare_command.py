"""Carry out `python -m ablations compare`: two studies, two folders of records, or older and newer code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.analysis_commands import choice
from ablations.commands import plain_console
from ablations.records.files import printable
from ablations.records.task_metrics import shown_metric

if TYPE_CHECKING:
    from ablations.analysis.comparison import Side

TOLD = ("outcome", "estimate", "interval", "judged", "n", "p", "level", "adjusted", "more_seeds", "diverged", "reason")
WHAT = "name a second study, or --with-runs DIR, or --code"


def compare(options: argparse.Namespace) -> None:
    """Print a verdict for each pair of cells: whether second − first lies where it is expected."""
    from ablations.analysis.comparison import SIDES
    from ablations.analysis.comparison import compare as compared
    from ablations.analysis.verdicts import judge, level_of
    from ablations.report.verdict_list import print_list, reading_notes

    first, second, notes = _sides(options)
    metric = options.metric or shown_metric(first.plan["study"], "test")
    found = compared(first, second, metric=metric, expect=options.expect, where=choice(" ".join(options.where)))
    judged = judge(found.plan, found.records, runs=Path())
    verdicts = [replace(verdict, command="") for verdict in judged]  # each side has a command of its own
    notes += found.notes
    if options.json:
        from ablations.elsewhere.as_json import as_json, json_value

        lines = as_json(found.plan["study"], verdicts)["verdicts"]
        pairs = [
            {"cell": pair["cell"]} | {side: json_value(pair[side]) for side in SIDES} | {key: line[key] for key in TOLD}
            for pair, line in zip(found.pairs, lines, strict=True)
        ]
        said = {"schema": 1, "first": first.name, "second": second.name, "metric": metric}
        print(json.dumps(said | {"expect": options.expect, "pairs": pairs, "notes": notes}, indent=1))
        return
    console = plain_console()
    console.print(f"{first.name} → {second.name}", style="bold", markup=False, soft_wrap=True)
    axes = " ".join(dict.fromkeys(axis for pair in found.pairs for axis in pair["cell"]))
    about = f"{axes}: mean {metric} of the first → of the second, over the seeds of both"
    for note in [*notes, about, f"✓ second − first is {options.expect}"]:
        console.print(printable(note), style="dim", markup=False, soft_wrap=True)
    print_list(verdicts, console, reading_notes(verdicts, level_of(found.plan["study"])))


def _sides(options: argparse.Namespace) -> tuple[Side, Side, list[str]]:
    """The two sides, and sentences on them."""
    from ablations.analysis.comparison import Side
    from ablations.analysis.older_code import older_plan
    from ablations.report.answer import Answer

    def side(study: str, runs: Path, name: str) -> Side:
        answer = Answer.read(study, runs)
        return Side(name, answer.plan, answer.records, runs)

    a, b, folder = options.study, options.second, options.with_runs
    if options.code is not None:
        if b or folder:
            raise ValueError("--code compares one study with itself: leave out the second study and --with-runs")
        newer = side(a, options.runs, "newer code")
        plan, notes = older_plan(newer.plan, newer.records, options.code)
        return Side("older code", plan, newer.records, newer.runs), newer, notes
    if not (b or folder):
        raise ValueError(f"compare {a} with what? {WHAT}")
    names = (f"{a} in {options.runs}", f"{b or a} in {folder}") if folder else (a, b)
    return side(a, options.runs, names[0]), side(b or a, folder or options.runs, names[1]), []


def add_compare(command: Callable[..., Any]) -> None:
    """Add it to the command line."""
    words = "two studies, or older and newer code of one, cell by cell and paired by seed, with verdicts"
    one = command(compare, words)
    one.add_argument("second", nargs="?", metavar="SECOND", help="the study to compare it with")
    one.add_argument("--with-runs", type=Path, metavar="DIR", help="where the records of the second are (as --runs)")
    one.add_argument(
        "--code", nargs="?", const="", metavar="HASH", help="with records of older code: the newest, or of this hash"
    )
    one.add_argument("--metric", help="what a claim may be about (by default the task's on the test set)")
    one.add_argument("--expect", default="!= 0", help='(%(default)s); also "< 0", "> 0", "within 0.5"')
    one.add_argument("--where", nargs="+", default=[], metavar="AXIS=VALUE", help="only the cells that agree")
    one.add_argument("--json", action="store_true", help="for programs")
