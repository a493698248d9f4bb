"""Carry out `python -m ablations site`: several studies as one static site."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ablations.catalog.studies import chosen_plan
from ablations.records.files import RecordError
from ablations.records.record import plans, read_plan, read_records


def site(options: argparse.Namespace) -> int:
    """Write or update the site; 1 where a study could not be written, whose old page is left."""
    from ablations.html.site import Site

    runs, made = options.runs, Site(options.out, options.url, options.author)
    made.refuse_foreign()
    names = [chosen_plan(runs, name)["name"] for name in options.studies] or plans(runs)
    records, problems = read_records(runs)
    written, failed, planned = 0, 0, list[str]()
    for name in names:
        try:
            cells = read_plan(runs, name)["cells"]
            if not any(run["identity"] in records for cell in cells for run in cell["runs"]):
                planned.append(name)
                continue
            written += made.write_study(runs, name, records, problems)
        except (ValueError, RecordError) as error:
            print(f"! {name}: {error}", file=sys.stderr)
            failed += 1
    index = made.write_front_page()
    waiting = f"; not run yet, and left out: {', '.join(planned)}" if planned else ""
    known = len(names) - failed - len(planned)
    print(f"{index}: {written} of {known} studies written, the others have not changed{waiting}")
    return 1 if failed else 0


def add_site(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add it to the command line."""
    one = command(site, "all studies as a static site: a front page, a page a study, CSV, BibTeX", study=False)
    one.add_argument("out", type=Path, metavar="OUT", help="the folder of the site; what has not changed is left alone")
    one.add_argument("studies", nargs="*", metavar="STUDY", help="only these are written (all with records)")
    one.add_argument("--url", default="", help="where the folder will be found, for citations")
    one.add_argument("--author", default="", help='of the studies, for citations: "Noether, Emmy and Turing, Alan"')
