"""Write a study as one HTML file: tables and words as text, figures as Vega-Lite with their data."""

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

from ablations.charts.figure import Figure
from ablations.charts.figures import figures_of
from ablations.charts.looks import DARK, LIGHT, axes_of
from ablations.html import tables
from ablations.html.bundle import javascript
from ablations.html.trial_table import trial_tables
from ablations.question.wording import counted
from ablations.report.answer import Answer
from ablations.report.citation import bibtex, claim_ids
from ablations.report.comparability import publications
from ablations.report.completeness import troubles

HERE = Path(__file__).parent
LOOKS = "style-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Place:
    """Where the page of a study stands in a site.

    Attributes:
        home: the link to the front page.
        files: name → link, of what lies beside the page.
        bibtex: how the study is cited.
    """

    home: str
    files: Mapping[str, str]
    bibtex: str


def page(answer: Answer, figures: Sequence[Figure] | None = None, place: Place | None = None) -> str:
    """The page of a study; figures are made if not at hand, and without a `place` in a site nothing lies beside it."""
    plan, rows = answer.plan, answer.rows
    drawn = figures_of(answer) if figures is None else figures
    axes = [{"name": axis.name, "levels": axis.levels, "values": axis.values} for axis in axes_of(plan, rows)]
    data: dict[str, Any] = {"axes": axes, "cells": len(rows), "figures": [figure.as_json() for figure in drawn]}
    data |= {"light": LIGHT, "dark": DARK}
    expect = plan["study"].get("expect")
    parts = {
        "name": escape(str(plan["name"])),
        "question": escape(answer.question),
        "expect": f"<p>Expect: {escape(str(expect))}</p>" if expect else "",
        "progress": _progress(answer),
        "home": f'<a href="{place.home}">All studies</a> · ' if place else "",
        "files": tables.links(place.files) if place else "",
        "verdicts": tables.verdict_list(
            answer.verdicts,
            claim_ids(plan["study"].get("claims") or []),
            [*answer.footnotes, *publications(plan)],
        ),
        "trials": trial_tables(answer) if answer.is_search else "",
        "cite": escape(place.bibtex if place else bibtex(answer)),
        "figures": "".join(_section(figure) for figure in drawn),
        "results": tables.result_table(rows),
        "effects": "" if answer.is_search else tables.effect_table(answer.effects),
        "provenance": tables.provenance(plan, rows),
    }
    return assemble(parts, data)


def assemble(parts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """Fill in the template; only its two scripts may run, and nothing may be fetched."""
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
    """JSON that cannot end the element that holds it."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=str)
    text = re.sub("[\u2028\u2029]", " ", text)  # line ends to Vega's expressions, which quote what they compare with
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _section(figure: Figure) -> str:
    heading = f"<h2>{escape(figure.title)}</h2>" if figure.title else ""
    caption = f"<figcaption>{escape(figure.caption)}</figcaption>" if figure.caption else ""
    return f'<section>{heading}<figure><div class=plot id="{figure.name}"></div>{caption}</figure></section>'


def _progress(answer: Answer) -> str:
    """How many runs there are, and what is missing or went wrong."""
    rows = answer.rows
    counts = f"{sum(row.n for row in rows)} of {sum(row.planned for row in rows)} runs"
    counts += f", {counted(len(rows), 'cell')}"
    lines = [*answer.cautions, *(line for _, line in troubles(answer.plan, rows, answer.problems))]
    return f"<p class=quiet>{counts}</p>" + "".join(f"<p class=note>{escape(line)}</p>" for line in lines)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
