"""One study as one HTML file: words and tables as text, figures as Vega-Lite drawn from embedded numbers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ablations.analysis.anova import AxisEffects, axis_effects
from ablations.analysis.results import Plan, Record, Row, invalid_points, result_rows
from ablations.analysis.verdicts import Verdict, judge
from ablations.html import series, tables
from ablations.html.bundle import javascript
from ablations.html.figures import Figure, figures_of
from ablations.question.search_space import read_search
from ablations.report.comparability import publications, settings_beside
from ablations.report.completeness import diverged, standing

HERE = Path(__file__).parent
LOOKS = "style-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Answer:
    """What a study's records say, ready to be shown; `why` there are no effects."""

    rows: list[Row]
    verdicts: list[Verdict]
    effects: AxisEffects | None
    why: str
    figures: list[Figure]
    axes: list[dict[str, Any]]
    cells: list[dict[str, Any]]


def answer(plan: Plan, records: Mapping[str, Record], *, runs: Path) -> Answer:
    """Judge and measure what there is.

    Raises:
        ClaimError: a claim of the study is malformed.
        ValueError: a curve or diagnostics file is damaged.
    """
    rows = result_rows(plan, records)
    verdicts = judge(plan, records, runs=runs)
    effects, why = _effects(plan, records, runs)
    figures = figures_of(plan, records, rows, verdicts=verdicts, effects=effects, runs=runs)
    axes = series.axes_of(plan, rows)
    return Answer(rows, verdicts, effects, why, figures, axes, series.cells_of(axes, rows))


def page(plan: Plan, records: Mapping[str, Record], *, runs: Path, problems: Sequence[str] = ()) -> str:
    """The page of a study, of as much of it as is there; raises as `answer`."""
    known = answer(plan, records, runs=runs)
    rows, verdicts = known.rows, known.verdicts
    data = {"axes": known.axes, "cells": known.cells, "figures": [figure.as_json() for figure in known.figures]}
    question = str(plan["study"].get("question") or plan["name"])
    parts = {
        "name": escape(str(plan["name"])),
        "question": escape(question),
        "expect": f"<p>Expect: {escape(str(expect))}</p>" if (expect := plan["study"].get("expect")) else "",
        "standing": _standing(plan, records, rows, runs, problems),
        "verdicts": tables.verdict_list(verdicts, settings_beside(plan, rows)),
        "verdict_table": tables.verdict_table(verdicts, publications(plan)),
        "figures": "".join(_section(figure) for figure in known.figures),
        "results": tables.result_table(rows),
        "effects_title": "What mattered" if plan["study"].get("tunings") else "What each axis does",
        "effects": _mattered(plan, runs) if plan["study"].get("tunings") else _effect_table(known),
        "provenance": tables.provenance(plan, rows),
    }
    return assemble(parts, data)


def assemble(parts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """The template with its parts; only these two scripts may run, and nothing may be fetched."""
    script = (HERE / "page.js").read_text(encoding="utf-8")
    bundle = javascript()
    sources = " ".join(f"'sha256-{_digest(text)}'" for text in (bundle, script))
    whole = {
        **parts,
        "policy": f"default-src 'none'; script-src {sources} 'unsafe-eval'; {LOOKS}",
        "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "bundle": bundle,
        "script": script,
        "data": embedded(data),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: whole[found[1]], template)


def embedded(data: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=str)
    text = re.sub("[\u2028\u2029]", " ", text)  # line ends to Vega's expressions, which quote what they compare with
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _section(figure: Figure) -> str:
    heading = f"<h2>{escape(figure.title)}</h2>" if figure.title else ""
    caption = f"<figcaption>{escape(figure.caption)}</figcaption>" if figure.caption else ""
    return f'<section>{heading}<figure><div class=plot id="{figure.name}"></div>{caption}</figure></section>'


def _effects(plan: Plan, records: Mapping[str, Record], runs: Path) -> tuple[AxisEffects | None, str]:
    """The effects of the axes on test error, or why there are none; of a search, its trials tell instead."""
    if plan["study"].get("tunings"):
        return None, ""
    try:
        return axis_effects(plan, records, runs=runs), ""
    except ValueError as error:
        return None, f"No analysis of variance: {error}."


def _effect_table(known: Answer) -> str:
    return tables.effect_table(known.effects) if known.effects else f"<p class=quiet>{escape(known.why)}</p>"


def _mattered(plan: Plan, runs: Path) -> str:
    """What mattered in a search: of the few cells that won, an analysis of variance could say nothing."""
    from ablations.search.importance import search_importance

    return tables.importance_table(search_importance(plan, runs), read_search(plan["study"]).objectives)


def _standing(
    plan: Plan, records: Mapping[str, Record], rows: Sequence[Row], runs: Path, problems: Sequence[str]
) -> str:
    """How complete the answer is: what is missing, in training, failed, diverged, invalid or damaged."""
    planned, have = sum(row.planned for row in rows), sum(row.n for row in rows)
    failed = [f"{run['label']} ({run['cause']})" for row in rows for run in row.failures]
    gone = diverged(rows)
    lines = standing(plan, rows, runs)
    lines += [f"{len(failed)} failed: {_some(failed)}"] if failed else []
    lines += [f"{len(gone)} diverged, counted as measured: {_some(gone)}"] if gone else []
    invalid = invalid_points(plan)
    lines += [f"{len(invalid)} cannot be built: {_some(invalid)}"] if invalid else []
    lines += problems[:6]
    notes = "".join(f"<p class=note>{escape(line)}</p>" for line in lines)
    return f"<p class=quiet>{have} of {planned} runs, {len(rows)} cells</p>{notes}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
