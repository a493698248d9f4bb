"""Carry out the commands of `python -m ablations`. Imports that take long wait until they are needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ablations.catalog.choices import Choice
from ablations.catalog.studies import STUDIES, chosen_plan, duration, written_studies
from ablations.records.files import RecordError, printable, write_text
from ablations.records.record import Record, plans, read_plan, read_records
from ablations.records.typed_command import from_here

if TYPE_CHECKING:
    from rich.console import Console

    from ablations.report.answer import Answer


def list_(options: argparse.Namespace) -> None:
    from ablations.catalog.choices import choices_of, installed_choices

    if options.markdown:
        if options.group == "claims":
            from ablations.catalog.claims_page import page
        else:
            from ablations.catalog.axes_page import page

        print(page(), end="")
        return
    if options.group not in ("study", "studies"):
        plain_console().print(_choice_table(choices_of(options.group, options.config_dir)))
        return
    records, problems = read_records(options.runs)
    known: list[_Listed] = []
    named, written = plans(options.runs), written_studies()
    damaged = []
    for name in named:
        try:
            found = read_plan(options.runs, name)
        except RecordError as error:
            damaged.append(str(error))
            continue
        if any(cell["further"] for cell in found["cells"]):
            from ablations.analysis.until_decided import with_needed_seeds

            found = with_needed_seeds(found, records, options.runs)
        wanted = [run["identity"] for cell in found["cells"] for run in cell["runs"]]
        done = sum(key in records and records[key]["status"] != "failed" for key in wanted)
        known.append(_Listed(name, str(len(wanted)), f"{done}/{len(wanted)}", found["study"], plan=found))
    unread = [name for name, study in sorted(written.items()) if study is None and name not in named]
    for name, study in sorted(written.items()):
        if name not in named and study is not None:
            known.append(_Listed(name, str((study.get("cost") or {}).get("runs", "–")), "–", study, "dim"))
    offered = installed_choices("study")
    known += [_Listed(one.name, "–", "–", {"question": f"of {one.origin}"}, "dim") for one in offered]
    console = plain_console()
    if known:
        _print_studies(known, records, options.runs, console)
    else:
        console.print(f"No studies in {STUDIES} and none in {options.runs}.", markup=False)
    for sentence in [*damaged, *problems[:1]]:
        console.print(f"! {sentence}", markup=False, soft_wrap=True)
    if len(problems) > 1:
        console.print(f"! and {len(problems) - 1} more records; python -m ablations doctor names them", markup=False)
    for name in unread:
        console.print(f"[red]![/] {STUDIES / name}.yaml is no study: it has no `study:` with a name")


class _Listed(NamedTuple):
    """A study as `list` shows it; dim where it has not been run."""

    name: str
    runs: str
    done: str
    study: Mapping[str, Any]
    style: str = ""
    plan: Mapping[str, Any] | None = None

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]


def _print_studies(known: Sequence[_Listed], records: Mapping[str, Record], runs: Path, console: Console) -> None:
    """Print a line of numbers for each study; below it what it asks, what to expect, and whether its code changed.

    A folder has a heading.
    """
    from rich.padding import Padding
    from rich.text import Text

    known = sorted(known, key=lambda one: (one.folder != "", one.folder))  # those in no folder first
    lines = [("study", "runs", "done", "CPU", "GPU")]
    lines += [(one.name, one.runs, one.done, *_times(one.study)) for one in known]
    first, *widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    head, *rows = ("  ".join([f"{name:<{first}}", *map(str.rjust, rest, widths)]) for name, *rest in lines)
    console.print(Text(head, style="bold"), soft_wrap=True)
    folder = ""
    for one, row in zip(known, rows, strict=True):
        if one.folder != folder:
            folder = one.folder
            console.print(Text(f"\n{folder}/", style="bold"))
        console.print(Text(row, style=one.style), soft_wrap=True)
        said = [Text(str(one.study["question"]), style=one.style)] if one.study.get("question") else []
        said += [Text(f"Expect: {one.study['expect']}", style="dim")] if one.study.get("expect") else []
        for words in said:
            console.print(Padding(words, (0, 0, 0, 2), expand=False))
        if one.plan:
            _say_outdated(one.plan, records, runs, console)


def _times(study: Mapping[str, Any]) -> tuple[str, str]:
    """How long a study takes on two CPU cores and on one GPU, as its file says."""
    cost = study.get("cost") or {}
    return duration(cost.get("cpu_minutes")), duration(cost.get("gpu_minutes"))


def _choice_table(choices: Sequence[Choice]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(choices[0].group, no_wrap=True)
    for head in ("what it is", "from"):
        table.add_column(head, overflow="fold")
    for choice in choices:
        table.add_row(escape(choice.name), escape(choice.says), escape(choice.origin))
    return table


def plan(options: argparse.Namespace) -> None:
    from rich.markup import escape

    from ablations.report.answer import Answer

    answer, console = Answer.read(options.study, options.runs), plain_console()
    name_damaged(answer)
    found, records = answer.plan, answer.records
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
        why = escape(f"{_words(item['point'], found['swept'])}: {item['reason']}")
        console.print(f"  [red]  no [/]  {why}")


def status(options: argparse.Namespace) -> None:
    from ablations.monitor.status import TrialWatch, Watch, picture

    found = chosen_plan(options.runs, options.study)
    if found["study"].get("tunings"):
        plain_console().print(picture(TrialWatch(found, options.runs).look()))
    if found["cells"]:
        plain_console().print(picture(Watch(found, options.runs).look()))
    _say_outdated(found, read_records(options.runs)[0], options.runs, plain_console())


def _say_outdated(plan: Mapping[str, Any], records: Mapping[str, Record], runs: Path, console: Console) -> None:
    from ablations.analysis.next_command import training_command
    from ablations.report.completeness import outdated_words

    wanted = [records[run["identity"]] for cell in plan["cells"] for run in cell["runs"] if run["identity"] in records]
    command = training_command(plan)
    for line in outdated_words(plan, [record for record in wanted if record["status"] != "failed"]):
        console.print(line.replace(command, from_here(command, runs)), style="yellow", markup=False, soft_wrap=True)


def report(options: argparse.Namespace) -> None:
    from ablations.report.answer import Answer

    answer = Answer.read(options.study, options.runs)
    if options.html or options.files:
        from ablations.exports import as_text, write_files

        written = write_files(answer, options.files) if options.files else []
        if options.html:
            write_text(options.html, as_text(answer, "html"))
            written = [options.html, *written]
        print("\n".join(map(str, written)))
        return
    from ablations.report.terminal import print_report

    print_report(answer, plain_console())


def verdict(options: argparse.Namespace) -> None:
    from ablations.report.answer import Answer
    from ablations.report.verdict_list import print_list

    answer = Answer.read(options.study, options.runs)
    name_damaged(answer)
    for line in answer.cautions_here:
        plain_console().print(line, style="yellow", markup=False, soft_wrap=True)
    if not answer.verdicts:
        print(f"The study {answer.plan['name']} makes no claims; add some under `claims:` in its YAML.")
    print_list(answer.verdicts_here, plain_console(), answer.footnotes)


def doctor(options: argparse.Namespace) -> int:
    from ablations.monitor.doctor import examine

    if not options.runs.is_dir():
        raise ValueError(f"there is no folder {options.runs}: --runs DIR says where the records are")
    console = plain_console()
    found = list(examine(options.runs))
    left = 0
    for finding in found:
        sign, words = "!" if finding.matters else "·", f"{finding.says}; {finding.remedy}"
        if finding.mend is not None:
            words = f"{finding.says}; with --repair: {finding.remedy}"
            if options.repair:
                try:
                    finding.mend()
                    sign, words = "✓", f"{finding.says}; repaired: {finding.remedy}"
                except OSError as error:
                    words = f"{finding.says}; not repaired ({error})"
        left += sign == "!"
        console.print(printable(f"{sign} {words}"), markup=False, soft_wrap=True)
    records, _ = read_records(options.runs)
    damaged = f"{left} damaged" if left else "nothing damaged" + (", all repaired" if options.repair and found else "")
    console.print(f"{len(records)} good records in {options.runs}/, {damaged}.", markup=False, soft_wrap=True)
    return 1 if left else 0


def name_damaged(answer: Answer) -> None:
    """Name the damaged records on standard error."""
    for sentence in answer.problems:
        print(f"! {sentence}", file=sys.stderr)


def _words(point: dict[str, Any], swept: Sequence[str]) -> str:
    return " ".join(f"{axis}={value}" for axis, value in point.items() if not swept or axis in swept)


def plain_console() -> Any:
    """A console that colours only what is told to be coloured."""
    from rich.console import Console

    return Console(highlight=False)
