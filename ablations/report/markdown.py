"""A study's whole answer as Markdown: question, picture, table, verdicts, what is missing, where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ablations.analysis.results import Plan, Record, Row, invalid_points, result_rows
from ablations.analysis.verdicts import Verdict, judge
from ablations.report.comparability import publications, settings_beside
from ablations.report.completeness import standing
from ablations.report.table import markdown, plain
from ablations.report.terminal import same_everywhere
from ablations.report.verdict_list import SIGNS, basis_words


def written_answer(plan: Plan, records: Mapping[str, Record], *, runs: Path, picture: str | None = None) -> str:
    """The page; `picture` is the name of a file beside it.

    Raises:
        ClaimError: a claim of the study is malformed.
    """
    rows = result_rows(plan, records)
    verdicts = judge(plan, records, runs=runs)
    shared = " ".join(f"{axis}={value}" for axis, value in same_everywhere(plan).items())
    parts = [f"# {plain(plan['name'])}", plain(plan["study"].get("question") or ""), plain(f"With {shared}.")]
    parts[2:2] = [plain(f"Expect: {plan['study']['expect']}")] if plan["study"].get("expect") else []
    parts += [plain(line) for line in standing(plan, rows, runs)]
    parts += [f"![error against the swept axis]({picture})"] if picture else []
    parts += [markdown(rows).strip() if rows else ""]
    beside = settings_beside(plan, rows)
    parts += ["## Claims", "\n".join(map(verdict_line, verdicts, beside))] if verdicts else []
    parts += ["\n".join(f"- {plain(line)}" for line in publications(plan))]
    parts += (
        ["## What is missing", "\n".join(f"- {plain(line)}" for line in gaps(plan, rows))] if gaps(plan, rows) else []
    )
    parts += ["## Where this is from", "\n".join(f"- {plain(line)}" for line in origins(plan, rows))]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict_line(verdict: Verdict, beside: str = "") -> str:
    """`- ✓ **supported**: the claim`, and below it what the verdict rests on."""
    sign = SIGNS.get(verdict.outcome, ("?", ""))[0]
    return f"- {sign} **{verdict.outcome}**: {plain(verdict.says)}\\\n  {plain(basis_words(verdict, beside))}"


def gaps(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """What the answer lacks: a sentence for each kind."""
    counts = {
        "not trained yet": sum(row.missing for row in rows),
        "failed": sum(row.failed for row in rows),
        "diverged, counted as measured": sum(row.diverged for row in rows),
    }
    planned = sum(row.planned for row in rows)
    return [f"{n} of {planned} runs {what}" for what, n in counts.items() if n] + invalid_points(plan)


def origins(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """How the numbers came to be: the command, the runs and their time, the code."""
    runs = [record for row in rows for record in row.runs]
    known = [record.get("provenance") or {} for record in runs]
    seconds = sum(record.get("seconds") or 0 for record in runs)
    lines = [
        f"python run.py -m study={plan['name']}",
        f"{len(runs)} runs, {seconds / 60:.1f} minutes of training in all",
    ]
    if code := sorted({str(one["git"]) for one in known if one.get("git")}):
        lines.append(f"code: {', '.join(code)}")
    days = sorted({str(one[key])[:10] for one in known for key in ("started", "finished") if one.get(key)})
    if days:
        lines.append(f"trained {' to '.join(dict.fromkeys((days[0], days[-1])))}")
    return lines
