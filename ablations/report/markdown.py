"""Write a study as Markdown: question, picture, table, verdicts, what is missing, where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Row
from ablations.analysis.verdicts import Verdict
from ablations.report.answer import Answer
from ablations.report.comparability import publications
from ablations.report.completeness import troubles
from ablations.report.table import in_markdown, markdown
from ablations.report.terminal import shared_choices
from ablations.report.verdict_list import SIGNS, evidence_words


def answer_markdown(answer: Answer, *, picture: str | None = None) -> str:
    """The whole answer; `picture` is the name of a file in the same folder."""
    plan, rows = answer.plan, answer.rows
    shared = " ".join(f"{axis}={value}" for axis, value in shared_choices(plan).items())
    parts = [f"# {in_markdown(plan['name'])}", in_markdown(plan["study"].get("question") or "")]
    parts += [in_markdown(f"Expect: {plan['study']['expect']}")] if plan["study"].get("expect") else []
    parts += [in_markdown(f"With {shared}.")] if shared else []
    parts += [in_markdown(line) for line in answer.cautions]
    shown = "what the claims of the study judge" if answer.verdicts else "what the study found"
    parts += [f"![{shown}]({picture})"] if picture else []
    parts += [markdown(rows).strip() if rows else ""]
    verdicts = "\n".join(map(verdict_line, answer.verdicts))
    parts += ["## Claims", verdicts, *map(in_markdown, answer.footnotes)] if verdicts else []
    parts += ["\n".join(f"- {in_markdown(line)}" for line in publications(plan))]
    missing = "\n".join(f"- {in_markdown(line)}" for _, line in troubles(plan, rows))
    parts += ["## What is missing", missing] if missing else []
    came = [*origins(plan, rows), *([answer.disk] if answer.disk else [])]
    parts += ["## Where this comes from", "\n".join(f"- {in_markdown(line)}" for line in came)]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict_line(verdict: Verdict) -> str:
    """`- ✓ **supported**: the claim`, and below it the evidence."""
    sign = SIGNS[verdict.outcome][0]
    return f"- {sign} **{verdict.outcome}**: {in_markdown(verdict.says)}\\\n  {in_markdown(evidence_words(verdict))}"


def origins(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """Where the numbers come from: command, training time, code, dates."""
    runs = [record for row in rows for record in row.runs]
    known = [record.get("provenance") or {} for record in runs]
    seconds = sum(record.get("seconds") or 0 for record in runs)
    lines = [training_command(plan), f"{len(runs)} runs, {seconds / 60:.1f} minutes of training in all"]
    if code := sorted({str(one["git"]) for one in known if one.get("git")}):
        lines.append(f"code: {', '.join(code)}")
    days = sorted({str(one[key])[:10] for one in known for key in ("started", "finished") if one.get(key)})
    if days:
        lines.append(f"trained {' to '.join(dict.fromkeys((days[0], days[-1])))}")
    return lines
