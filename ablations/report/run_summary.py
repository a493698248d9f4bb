"""Print the result of a single run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablations.analysis.results import ASKED_FOR
from ablations.question.wording import counted
from ablations.records.layout import RECORD, WEIGHTS
from ablations.records.record import Record
from ablations.records.task_metrics import ERROR, judged_by, task_metrics

PARTS = (("train", "training"), ("val", "validation"), ("test", "test"))


def print_run(
    record: Record,
    folder: Path,
    *,
    unused: Sequence[str] = (),
    weights: bool = False,
    proxies: bool = False,
    stress: bool = False,
) -> None:
    """Print status, errors, size and record of a run, and which choices had no effect.

    Where weights, proxies or stress were asked for and are not there, it is said how to get them.
    """
    from rich.console import Console
    from rich.markup import escape

    from ablations.report.table import short_count, short_seconds

    console = Console(highlight=False)
    colour = {"finished": "green", "diverged": "yellow", "failed": "red"}[record["status"]]
    cause = escape(f" ({record['cause']})") if record["cause"] else ""
    console.print(f"[bold]{record['label']}[/]  [{colour}]{record['status']}[/]{cause}")
    metrics = _metrics_of(record)
    width = max([9, *(len(name + unit) + 1 for name, unit in metrics)])
    for name, unit in metrics:
        values = [(word, record["metrics"].get(f"{part}_{name}")) for part, word in PARTS]
        shown = ".2f" if unit else ".4g"
        if words := ", ".join(f"{word} {value:{shown}}" for word, value in values if value is not None):
            console.print(f"  {escape(f'{name}{unit}'):<{width}} {words}")
    for title, names in ASKED_FOR.items():
        known = [name for name in names if record["metrics"].get(name) is not None]
        if found := [f"{name.partition('_')[2]} {record['metrics'][name]:.4g}" for name in known]:
            console.print(f"  {title:<9} {', '.join(found)}", soft_wrap=True)
    seconds = short_seconds(record["seconds"])
    seconds += "" if seconds[-1:].isalpha() else " s"
    size = f"{short_count(record['params']).strip()} parameters, {short_count(record['macs']).strip()} multiply-adds"
    console.print(f"  size      {size}; {counted(record['epochs'], 'epoch')} in {seconds}")
    console.print(f"  record    {escape(str(folder / RECORD))}", soft_wrap=True)
    if record.get("continued"):
        console.print(f"  went on   from {escape(str(folder.with_name(record['continued'])))}", soft_wrap=True)
    if record["status"] == "failed":
        console.print(f"  details   {escape(str(folder / 'traceback.txt'))}", soft_wrap=True)
    if record.get("note"):
        console.print(f"  [yellow]note[/]      {escape(record['note'])}")
    if weights and record["status"] == "finished" and not (folder / WEIGHTS).exists():
        console.print("  [yellow]note[/]      it kept no weights; with retrain=true it is trained again and keeps them")
    for asked, setting in ((proxies, "proxies"), (stress, "stress")):
        if asked and record["status"] != "failed" and not record["metrics"].keys() & {*ASKED_FOR[setting]}:
            lacks = f"it has no numbers of {setting}=true"
            console.print(f"  [yellow]note[/]      {lacks}; with retrain=true it is trained again and gets them")
    for axis in unused:
        console.print(f"  [yellow]note[/]      {axis} has no effect: nothing in this network, data or recipe uses it")


def _metrics_of(record: Record) -> list[tuple[str, str]]:
    """The metrics of a run's task, without its loss, and ` %` for those in percent."""
    declared = task_metrics(record.get("config") or {})
    found = {name.removeprefix("val_"): about for name, about in declared.items() if name.startswith("val_")}
    error = [("error", " %")] if judged_by(record.get("config") or {}) == ERROR else []
    return error + [(name, " %" if about.get("unit") == "percent" else "") for name, about in found.items()]
