"""Carry out `python -m ablations tabulate`: the runs of studies as one table, an epoch a row."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ablations.analysis.until_decided import with_needed_seeds
from ablations.catalog.studies import chosen_plan
from ablations.records.record import read_records
from ablations.records.typed_command import from_here


def tabulate(options: argparse.Namespace) -> None:
    """Write the table and say what it holds."""
    from ablations.search.table_files import check_ending, write_table
    from ablations.search.tabulate import Incomplete, table_of

    check_ending(options.out)
    records, problems = read_records(options.runs)
    for sentence in problems:
        print(f"! {sentence}", file=sys.stderr)
    for name in options.studies:
        if chosen_plan(options.runs, name)["study"].get("tables"):
            where = "" if options.runs == Path("runs") else f" --runs {options.runs}"
            more = f"python -m ablations export {name} --format csv --rows runs{where}"
            raise ValueError(f"{name} compares searches, which have no epochs: {more} writes a row for each")
    plans = [with_needed_seeds(chosen_plan(options.runs, name), records, options.runs) for name in options.studies]
    try:
        table = table_of(plans, records, options.runs, partial=options.partial)
    except Incomplete as error:
        commands = " and ".join(from_here(plan["command"], options.runs) for plan in plans)
        raise ValueError(f"{error}: {commands}, or --partial leaves out what is missing") from error
    write_table(table, options.out)
    print(f"{repr(table)[1:-1]} in {options.out}")


def add_tabulate(command: Callable[..., Any]) -> None:
    """Add the command and its options."""
    words = "the runs of finished studies as a table, an epoch a row, for searches that ask it instead of training"
    parser = command(tabulate, words, study=False)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="studies whose cells become one table")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".parquet, .csv or .csv.gz")
    parser.add_argument("--partial", action="store_true", help="also of studies that lack runs or trials")
