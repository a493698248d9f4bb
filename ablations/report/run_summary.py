"""Print the result of a single run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablations.records.layout import RECORD, WEIGHTS
from ablations.records.record import Record

PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))


def print_run(record: Record, folder: Path, *, unused: Sequence[str] = (), weights: bool = False) -> None:
    """Print status, errors, size and record of a run, and which choices had no effect.

    Args:
        weights: whether they were asked for; where they are not there, it is said how to get them.
    """
    from rich.console import Console
    from rich.markup import escape

    from ablations.report.table import short_count, short_seconds

    console = Console(highlight=False)
    colour = {"finished": "green", "diverged": "yellow", "failed": "red"}[record["status"]]
    cause = escape(f" ({record['cause']})") if record["cause"] else ""
    console.print(f"[bold]{record['label']}[/]  [{colour}]{record['status']}[/]{cause}")
    errors = [(word, record["metrics"].get(f"{part}_error")) for part, word in PARTS]
    words = ", ".join(f"{word} {error:.2f}" for word, error in errors if error is not None)
    if words:
        console.print(f"  error %   {words}")
    seconds = short_seconds(record["seconds"])
    seconds += "" if seconds[-1:].isalpha() else " s"
    epochs = f"{record['epochs']} epoch{'' if record['epochs'] == 1 else 's'}"
    size = f"{short_count(record['params']).strip()} parameters, {short_count(record['macs']).strip()} multiply-adds"
    console.print(f"  size      {size}; {epochs} in {seconds}")
    console.print(f"  record    {escape(str(folder / RECORD))}", soft_wrap=True)
    if record["status"] == "failed":
        console.print(f"  details   {escape(str(folder / 'traceback.txt'))}", soft_wrap=True)
    if record.get("note"):
        console.print(f"  [yellow]note[/]      {escape(record['note'])}")
    if weights and record["status"] == "finished" and not (folder / WEIGHTS).exists():
        console.print("  [yellow]note[/]      it kept no weights; with retrain=true it is trained again and keeps them")
    for axis in unused:
        console.print(f"  [yellow]note[/]      {axis} has no effect: nothing in this network, data or recipe uses it")
