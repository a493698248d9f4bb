"""Carry out `python -m ablations prune`: list the weights that runs keep, and remove them where asked to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablations.catalog.studies import chosen_plan
from ablations.commands import plain_console
from ablations.question.wording import counted
from ablations.records.files import printable
from ablations.records.kept import Kept, kept_in, short_bytes
from ablations.records.layout import STATE, WEIGHTS
from ablations.records.lease import held
from ablations.records.record import read_records

LISTED = 20  # runs that a listing names


def prune(options: argparse.Namespace) -> int:
    """List the weights of all runs or of a study, the largest first; with --yes remove them. Records always stay."""
    records, _ = read_records(options.runs)
    if options.study:
        plan = chosen_plan(options.runs, options.study)
        wanted = {run["identity"] for cell in plan["cells"] for run in (*cell["runs"], *cell["further"])}
        records = {identity: record for identity, record in records.items() if identity in wanted}
    folders = [options.runs / record["folder"] for record in records.values()]
    names = (STATE,) if options.state else (WEIGHTS, STATE)
    found = sorted(kept_in((folder for folder in folders if not held(folder)), names), key=lambda one: -one.size)
    console = plain_console()
    if not found:
        console.print(f"No run keeps {'a state' if options.state else 'weights'} in {options.runs}/.", markup=False)
        return 0
    for one in found[:LISTED]:
        words = f"{short_bytes(one.size):>8}  {one.folder.name}  {one.words}"
        console.print(printable(words), markup=False, soft_wrap=True)
    if len(found) > LISTED:
        rest = short_bytes(sum(one.size for one in found[LISTED:]))
        console.print(f"{rest:>8}  {len(found) - LISTED} more runs", markup=False)
    console.print(_end(found, options.runs, remove=options.yes), markup=False, soft_wrap=True)
    return 0


def _end(found: list[Kept], runs: Path, *, remove: bool) -> str:
    """Remove the files if asked to; say what was done, or what to type."""
    size = f"{short_bytes(sum(one.size for one in found))} of {counted(len(found), 'run')}"
    if not remove:
        return f"{size} in {runs}/; nothing is removed yet: add --yes. Records stay in any case."
    for one in found:
        for path in one.files:
            path.unlink(missing_ok=True)
    return f"{size} removed from {runs}/. Their records are there as before."


def add_prune(command: Callable[..., Any]) -> None:
    """Add the command and its options."""
    parser = command(prune, "list the weights that runs keep; with --yes remove them, never a record", study=False)
    parser.add_argument("study", nargs="?", metavar="STUDY", help="only the runs of this study")
    parser.add_argument("--state", action="store_true", help="only what longer runs go on from, not the weights")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
