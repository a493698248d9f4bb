"""Print a study: question, table, verdicts, what is missing and why, and the commands to type next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.analysis.claim_schema import check_claims
from ablations.analysis.next_command import training_command, until_decided
from ablations.analysis.results import Plan
from ablations.question.wording import counted
from ablations.records.typed_command import from_here
from ablations.report.answer import Answer
from ablations.report.completeness import troubles
from ablations.report.search_report import print_search
from ablations.report.table import result_table
from ablations.report.verdict_list import print_verdicts

if TYPE_CHECKING:
    from rich.console import Console


def print_report(answer: Answer, console: Console) -> None:
    """Print the whole answer."""
    from rich.rule import Rule
    from rich.text import Text

    plan, rows = answer.plan, answer.rows
    question = plan["study"].get("question") or ""
    console.print()
    console.print(Rule(Text.assemble((plan["name"], "bold")), align="left", style="dim"))
    if question:
        console.print(Text(question, style="italic"))
    if expect := plan["study"].get("expect"):
        console.print(Text(f"Expect: {expect}", style="dim"))
    if shared := shared_choices(plan):
        console.print(Text(f"with {' '.join(f'{axis}={value}' for axis, value in shared.items())}", style="dim"))
    if answer.is_search:
        print_search(answer, console)
    console.print()
    for line in answer.cautions_here:
        console.print(Text(line, style="yellow"))
    if any(row.n for row in rows):
        judged = {claim.metric.name for claim in check_claims(plan["study"])}
        console.print(result_table(rows, console=console, judged=judged))
    else:
        console.print("No run of this study is finished yet.")
    print_verdicts(answer.verdicts_here, console, answer.footnotes)
    if lines := troubles(plan, rows, answer.problems):
        console.print()
        for colour, line in lines:
            console.print(Text.assemble(("! ", colour), line))
    print_next(answer, console)


def shared_choices(plan: Plan) -> dict[str, Any]:
    """The choices that are the same in every cell, which the table has no column for."""
    points = [point for cell in plan["cells"] for point in cell["points"]]
    first = points[0] if points else {}
    fixed = {axis: value for axis, value in first.items() if axis not in plan["swept"]}
    return {axis: value for axis, value in fixed.items() if all(point.get(axis) == value for point in points)}


def print_next(answer: Answer, console: Console) -> None:
    """Print where the records are and what to type next."""
    from rich.text import Text

    plan, rows, runs = answer.plan, answer.rows, answer.runs
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    have, name = sum(row.n for row in rows), shlex.quote(plan["name"])
    lines = []
    if any(row.missing for row in rows):
        lines.append(("train what is missing", from_here(training_command(plan), runs)))
    if any(row.failed for row in rows):
        lines.append(("try the failed again", f"{from_here(training_command(plan), runs)} retry=failed"))
    fixed = isinstance(plan["study"].get("seeds"), list) and not plan["study"].get("tables")
    if fixed and any(verdict.open for verdict in answer.verdicts):
        lines.append(("seeds until decided", from_here(until_decided(plan), runs)))
    lines.append(("this again", f"python -m ablations report {name}{where}"))
    lines.append(("with figures", f"python -m ablations report {name} --html {name}.html{where}"))
    lines.append(("for a README", f"python -m ablations export {name} --format md{where}"))
    if answer.disk:
        lines.append(("make room", f"python -m ablations prune {name}{where}"))
    if answer.is_search:
        lines.append(("what mattered", f"python -m ablations effects {name}{where}"))
        lines.append(("its picture", f"python -m ablations export {name} --format png --out {name}.png{where}"))
    console.print()
    disk = f", {answer.disk}" if answer.disk else ""
    console.print(Text.assemble((f"{counted(have, 'record')} in {runs}/{disk}", "bold")))
    width = max(len(what) for what, _ in lines)
    for what, command in lines:
        console.print(Text.assemble((f"{what:<{width}}  ", "dim"), command), soft_wrap=True)
