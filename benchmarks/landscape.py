"""Write the table of a landscape, with seconds that do not tell what else the machine was doing.

    python run.py -m study=landscape tracker=none keep=nothing diagnostics=false
    python benchmarks/landscape.py landscape --out benchmarks/landscape/landscape.parquet

Some thousand trainings take hours, beside other work. So an epoch of a network counts as long as the fastest of all its
epochs, over the seeds and the learning rates, which do not change what is computed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import skipbench
from ablations.__main__ import main as ablations
from ablations.search.table import Table
from ablations.search.table_files import write_table

SAME = "recipe.lr"  # networks that differ in nothing else take the same time


def with_fastest_seconds(table: Table) -> Table:
    """The table with `seconds` = epoch × the seconds of the fastest epoch of the same network."""
    frame = table.frame.copy()
    network = [axis for axis in table.axes if axis != SAME]
    taken = frame.groupby("identity", observed=True).seconds.diff().fillna(frame.seconds)
    fastest = taken.groupby([frame[axis] for axis in network], dropna=False, observed=True).transform("min")
    frame["seconds"] = (frame.epoch * fastest).where(frame.seconds.notna()).round(4)
    return Table(frame, table.axes, {**table.about, "seconds": "epoch × the fastest epoch of the network"})


def main() -> None:
    """Tabulate a study and write it anew."""
    parser = argparse.ArgumentParser()
    parser.add_argument("study")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if code := ablations(["tabulate", asked.study, "--runs", str(asked.runs), "--out", str(asked.out)]):
        sys.exit(code)
    write_table(with_fastest_seconds(skipbench.table(asked.out)), asked.out)


if __name__ == "__main__":
    main()
