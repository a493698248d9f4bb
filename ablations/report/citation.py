"""Name claims by what they test, and write how a study and its claims are cited."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ablations.analysis.claim_schema import SHAPES
from ablations.analysis.results import Record
from ablations.analysis.verdicts import NO_VERDICT, Verdict
from ablations.identity.run import digest
from ablations.question.wording import counted
from ablations.report.answer import Answer
from ablations.report.latex import escaped
from ablations.report.verdict_list import between, number


def claim_ids(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """An id a claim, `claim-1a2b3c4d`, of what it tests: metric, cells and expectation.

    Other words, another source and another place in the list change no id. Of claims that test the same, the second
    ends in `-2`.
    """
    found: list[str] = []
    for claim in claims:
        tested = {key: claim[key] for key in ("metric", "expect", *SHAPES) if key in claim}
        name = f"claim-{digest(tested)[:8]}"
        same = sum(one == name or one.startswith(f"{name}-") for one in found)
        found.append(f"{name}-{same + 1}" if same else name)
    return found


def effect_words(verdict: Verdict) -> str:
    """`train error +75.29 points [+52.31, +98.26], n 3`; of a claim without a verdict the reason."""
    if verdict.outcome == NO_VERDICT or verdict.effect is None:
        return verdict.reason
    interval = f" {between(verdict, verdict.effect.interval)}" if verdict.effect.interval else ""
    words = f"{verdict.metric.replace('_', ' ')} {number(verdict, verdict.effect.mean)}{verdict.unit}{interval}"
    return f"{words}, n {verdict.n}" if verdict.p is not None else words


def bibtex(answer: Answer, *, address: str = "", author: str = "") -> str:
    """An entry for the study, then one for each claim; `address` is that of its page, `author` as BibTeX takes it."""
    plan, rows = answer.plan, answer.rows
    runs = [run for row in rows for run in row.runs]
    key = "skipbench-" + re.sub(r"[^A-Za-z0-9._-]", "-", plan["name"])
    days = trained_on(runs)
    when = f", trained {' to '.join(dict.fromkeys((days[0], days[-1])))}" if days else ""
    counts = f"{counted(len(runs), 'run')} in {counted(len(rows), 'cell')}"
    of = f"{counts}{when}, records {digest(sorted(run['identity'] for run in runs))[:8]}"
    shared = {"author": author, "year": days[-1][:4] if days else ""}
    shared["howpublished"] = f"Skipbench study {escaped(plan['name'])}"
    entries = [_entry(key, {"title": f"{{{escaped(answer.question)}}}", **shared, "url": address, "note": escaped(of)})]
    for name, verdict in zip(claim_ids(plan["study"].get("claims") or []), answer.verdicts, strict=True):
        note = ": ".join(filter(None, (verdict.outcome, effect_words(verdict))))
        note += f"; claim of {verdict.source}" if verdict.source else ""
        about = {"title": f"{{{escaped(verdict.says)}}}", **shared, "url": address and f"{address}#{name}"}
        entries.append(_entry(f"{key}-{name}", {**about, "note": escaped(note)}))
    return "\n".join(entries)


def trained_on(runs: Sequence[Record]) -> list[str]:
    """The days on which runs ended, as 2026-11-28."""
    return sorted({str(end)[:10] for run in runs if (end := (run.get("provenance") or {}).get("finished"))})


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{key},", *lines, "}"]) + "\n"
