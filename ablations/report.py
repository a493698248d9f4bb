"""The closing page of a study: question, table, verdicts, gaps and causes, where things lie, what to type next."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.claims import CONTRADICTED, INCONCLUSIVE, MOST_SEEDS, SUPPORTED, Verdict, judge
from ablations.results import Plan, Record, Row, invalid_points, result_rows
from ablations.search_report import print_search
from ablations.table import result_table

if TYPE_CHECKING:
    from rich.console import Console

SIGNS = {SUPPORTED: ("✓", "green"), CONTRADICTED: ("✗", "red"), INCONCLUSIVE: ("?", "yellow")}
LISTED = 6  # of many similar troubles this many are named, the others counted


def print_report(
    plan: Plan,
    records: Mapping[str, Record],
    console: Console,
    *,
    runs: Path = Path("runs"),
    sync: str | None = None,
    problems: Sequence[str] = (),
) -> None:
    """Print the page.

    Args:
        sync: the line that uploads this study's offline W&B runs, if there are any.
        problems: a sentence for each damaged record.

    Raises:
        ClaimError: a claim of the study is malformed.
    """
    from rich.rule import Rule
    from rich.text import Text

    rows = result_rows(plan, records)
    question = plan["study"].get("question") or ""
    console.print()
    console.print(Rule(Text.assemble((plan["name"], "bold")), align="left", style="dim"))
    if question:
        console.print(Text(question, style="italic"))
    if shared := same_everywhere(plan):
        console.print(Text(f"with {' '.join(f'{axis}={value}' for axis, value in shared.items())}", style="dim"))
    if plan["study"].get("tunings"):
        print_search(plan, records, console, runs=runs)
    console.print()
    if any(row.n for row in rows):
        console.print(result_table(rows, console=console))
    else:
        console.print("No run of this study is finished yet.")
    print_verdicts(judge(plan, records), console)
    print_gaps(plan, rows, console, problems=problems)
    print_next(plan, rows, console, runs=runs, sync=sync)


def same_everywhere(plan: Plan) -> dict[str, Any]:
    """The choices that all points of the plan share: what the table has no column for."""
    points = [point for cell in plan["cells"] for point in cell["points"]]
    first = points[0] if points else {}
    return {axis: value for axis, value in first.items() if all(point.get(axis) == value for point in points)}


def print_verdicts(verdicts: Sequence[Verdict], console: Console) -> None:
    """A sign and the claim, and below it what the sign rests on; one line where both fit."""
    from rich.text import Text

    if not verdicts:
        return
    counts = Counter(verdict.outcome for verdict in verdicts)
    console.print()
    console.print(
        Text.assemble(("Claims", "bold"), (f"  {', '.join(f'{n} {what}' for what, n in counts.items())}", "dim"))
    )
    for verdict in verdicts:
        sign, colour = SIGNS.get(verdict.outcome, ("?", "dim"))
        claim, basis = Text(verdict.says), Text(basis_words(verdict), style="dim")
        fits = len(claim) + len(basis) + 5 <= console.width
        body = Text.assemble(claim, "  " if fits else "\n", basis)
        for i, line in enumerate(body.wrap(console, console.width - 2)):
            line.rstrip()
            console.print(Text.assemble((f"{sign} " if i == 0 else "  ", colour), line))


def basis_words(verdict: Verdict) -> str:
    """Effect, 95% interval, n, p, outcome where the sign is not enough, and source, on one line."""
    words = []
    if verdict.effect is not None:
        unit = "" if verdict.metric.endswith("_loss") else " points"
        between = verdict.effect.interval
        interval = f" [{between[0]:+.2f}, {between[1]:+.2f}]" if between else ""
        words.append(f"{verdict.metric.replace('_', ' ')} {verdict.effect.mean:+.2f}{unit}{interval}")
        words.append(f"expected {verdict.expect}")
        words.append(f"n {verdict.n}")
        words.append(f"p {verdict.adjusted:.2g} (Holm)")
    if verdict.outcome == INCONCLUSIVE:
        more, plural = verdict.more_seeds, "" if verdict.more_seeds == 1 else "s"
        words.append(
            "inconclusive: " + (f"about {more} more seed{plural}" if more else f"not even {MOST_SEEDS} seeds would do")
        )
    elif verdict.effect is None:
        words.append(f"no verdict: {verdict.reason}")
    if verdict.effect is not None and verdict.reason:
        words.append(verdict.reason)
    return " · ".join([", ".join(words), *([verdict.source] if verdict.source else [])])


def print_gaps(plan: Plan, rows: Sequence[Row], console: Console, *, problems: Sequence[str] = ()) -> None:
    """What this answer lacks: runs that failed, diverged or are missing, cells that cannot exist, damaged records."""
    from rich.text import Text

    lines: list[tuple[str, str]] = []
    failed = [f"{record['label']} ({record['cause']})" for row in rows for record in row.failures]
    diverged = [record["label"] for row in rows for record in row.runs if record["status"] == "diverged"]
    lines += [("red", f"{_runs(failed)} failed: {_some(failed)}")] if failed else []
    lines += [("yellow", f"{_runs(diverged)} diverged, counted as measured: {_some(diverged)}")] if diverged else []
    known = {record["identity"] for row in rows for record in (*row.runs, *row.failures)}
    missing = [run["label"] for cell in plan["cells"] for run in cell["runs"] if run["identity"] not in known]
    lines += [
        ("yellow", f"{_runs(missing)} of {sum(row.planned for row in rows)} not trained yet: {_some(missing)}")
    ] * bool(missing)
    invalid = invalid_points(plan)
    lines += [("yellow", f"{len(invalid)} invalid: {_some(invalid)}")] if invalid else []
    lines += [("red", sentence) for sentence in problems[:LISTED]]
    if not lines:
        return
    console.print()
    for colour, line in lines:
        console.print(Text.assemble(("! ", colour), line))


def print_next(plan: Plan, rows: Sequence[Row], console: Console, *, runs: Path, sync: str | None) -> None:
    """Where the records lie and what to type next."""
    from rich.text import Text

    name, where = plan["name"], "" if Path(runs) == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    have = sum(row.n for row in rows)
    again = _typed(plan.get("command") or f"python run.py -m study={name}")
    lines = []
    if any(row.missing for row in rows):
        lines.append(("train what is missing", again))
    if failed := next((record for row in rows for record in row.failures), None):
        lines.append(("try a failed run again", _single(plan, failed)))
    if any(row.n >= row.planned for row in rows):
        lines.append(("more seeds", _more_seeds(again, max(row.planned for row in rows))))
    lines.append(("this page again", f"python -m ablations report {name}{where}"))
    lines.append(("for a README", f"python -m ablations export {name} --format md{where}"))
    if sync:
        lines.append(("upload to W&B", sync))
    console.print()
    console.print(Text.assemble((f"{have} record{'' if have == 1 else 's'} in {runs}/", "bold")))
    width = max(len(what) for what, _ in lines)
    for what, command in lines:
        console.print(Text.assemble((f"{what:<{width}}  ", "dim"), command), soft_wrap=True)


def _typed(command: str) -> str:
    """The command as a shell takes it, to train: quoted, and without `plan=true`."""
    words = command.split() if re.search("[()]", command) and not re.search("['\"]", command) else [command]
    quoted = shlex.join(words) if len(words) > 1 else command
    return re.sub(r"\splan=true\b", "", quoted)


def _more_seeds(command: str, seeds: int) -> str:
    """The command with more seeds than now: 5 after up to 3, then twice as many."""
    plain = re.sub(r"\s(?:'seed=[^']*'|\"seed=[^\"]*\"|seed=\S+)", "", command)
    return f"{plain} 'seed=range({5 if seeds <= 3 else 2 * seeds})'"


def _single(plan: Plan, record: Record) -> str:
    cell = next(cell for cell in plan["cells"] if cell["cell"] == record["cell"])
    chosen = cell.get("overrides") or [f"{axis}={value}" for axis, value in (cell["points"] or [{}])[0].items()]
    return shlex.join(["python", "run.py", *chosen, f"seed={record['seed']}"])


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _runs(items: Sequence[Any]) -> str:
    return f"{len(items)} run{'' if len(items) == 1 else 's'}"
