"""Make the tables and lists of a page as HTML; every text of a record or a study is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from ablations.analysis.anova import AxisEffects
from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Row, best_row
from ablations.analysis.verdicts import CONTRADICTED, INCONCLUSIVE, NO_VERDICT, SUPPORTED, Verdict
from ablations.report.analyses import EFFECT_COLUMNS, effect_lines
from ablations.report.table import caption, cell_texts, columns_of
from ablations.report.verdict_list import SIGNS, evidence_words

LONG = 30  # characters of a text that gets a column of some width
TONES = {SUPPORTED: "yes", CONTRADICTED: "no", INCONCLUSIVE: "open", NO_VERDICT: "none"}


def links(files: Mapping[str, str]) -> str:
    """A line of links."""
    found = " · ".join(f'<a href="{escape(to)}">{escape(name)}</a>' for name, to in files.items())
    return f"<p class=quiet>{found}</p>"


def verdict_list(verdicts: Sequence[Verdict], ids: Sequence[str], footnotes: Sequence[str]) -> str:
    """A numbered item a claim: its id, sign, sentence, evidence, and what would decide it; then how they are read."""
    if not verdicts:
        return "<p class=quiet>This study makes no claims.</p>"
    items = []
    for index, (verdict, name) in enumerate(zip(verdicts, ids, strict=True), start=1):
        sign = SIGNS[verdict.outcome][0]
        command = f"<code>{escape(verdict.command)}</code>" if verdict.command else ""
        says, evidence = escape(verdict.says), escape(evidence_words(verdict))
        head = f'<a class=number href="#{name}" title="the address of this claim">{index}</a> <b class=sign>{sign}</b>'
        head += f" <span class=says>{says}</span> <b class=outcome>{escape(verdict.outcome)}</b>"
        tone = TONES[verdict.outcome]
        items.append(f'<li id="{name}" class="{tone}">{head}<p class=quiet>{evidence}</p>{command}</li>')
    notes = "".join(f"<p class=quiet>{escape(note)}</p>" for note in footnotes)
    return f"<ol class=verdicts>{''.join(items)}</ol>{notes}"


def result_table(rows: Sequence[Row]) -> str:
    """A row a cell, with its index for the filter; the best by validation is marked."""
    wanted = columns_of(rows)
    swept, lines = cell_texts(rows, wanted)
    best = best_row(rows)

    def about(index: int) -> str:
        kind = "best" if rows[index] is best else "diverged" if rows[index].diverged else ""
        return f' data-cell="{index}" class="{kind}"'

    notes = "".join(f"<p class=quiet>{escape(note.replace('★', 'Bold:'))}</p>" for note in caption(rows))
    return table([*swept, *(column.name for column in wanted)], lines, left=len(swept), about=about) + notes


def effect_table(effects: AxisEffects | str) -> str:
    """What each axis explains, the largest first; or the reason why that cannot be said."""
    notes, shown = [effects] if isinstance(effects, str) else effects.notes, ""
    if not isinstance(effects, str):
        shown = table([f"effect on {effects.metric}", *EFFECT_COLUMNS], effect_lines(effects), left=1)
    words = "".join(f"<p class=quiet>{escape(note)}</p>" for note in notes)
    return f"<section><h2>What each axis does</h2>{shown}{words}</section>"


def provenance(plan: Plan, rows: Sequence[Row]) -> str:
    """Where the numbers come from: command, code, versions, machines, dates."""
    runs = [run for row in rows for run in (*row.runs, *row.failures)]
    known = [run.get("provenance") or {} for run in runs]

    def named(key: str) -> list[str]:
        return sorted({str(one[key]) for one in known if one.get(key)})

    versions = sorted({f"{name} {v}" for one in known for name, v in (one.get("versions") or {}).items()})
    spent = sum(run.get("seconds") or 0 for run in runs)
    starts, ends = named("started"), named("finished")
    found = {
        "study": [plan["name"], training_command(plan)],
        "fixed": [f"{axis}={value}" for axis, value in (plan["study"].get("fixed") or {}).items()],
        "seeds": [", ".join(map(str, sorted({run["seed"] for cell in plan["cells"] for run in cell["runs"]})))],
        "records": [f"{len(runs)}, {spent / 60:.1f} minutes of training in all"],
        "trained": [f"{starts[0]} to {ends[-1]}"] if starts and ends else [],
        "typed": named("command")[:6],
        "code": named("git"),
        "versions": versions,
        "machines": [*named("host"), *named("device"), *named("processor")],
    }
    lines = [
        f"<dt>{escape(key)}</dt><dd>{'<br>'.join(escape(text) for text in texts)}</dd>"
        for key, texts in found.items()
        if texts
    ]
    return f"<dl>{''.join(lines)}</dl>"


def table(
    heads: Sequence[str], lines: Sequence[Sequence[str]], *, left: int, about: Callable[[int], str] = lambda index: ""
) -> str:
    """A table; all columns after the first `left` are aligned to the right."""

    def cell(kind: str, column: int, text: str) -> str:
        about = " class=n" if column >= left else " class=long" if len(text) > LONG else ""
        return f"<{kind}{about}>{escape(' '.join(text.split()))}</{kind}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(heads))
    body = "".join(
        f"<tr{about(k)}>{''.join(cell('td', i, text) for i, text in enumerate(line))}</tr>"
        for k, line in enumerate(lines)
    )
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
