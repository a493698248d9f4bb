"""Write several studies as one static site: a front page, and a folder a study with its page, picture, CSV and BibTeX.

    OUT/index.html                   every study and claim; contradicted claims first, then open, then supported
    OUT/study/<name>/index.html      the page of a study; a / in its name is written ~
    OUT/study/<name>/study.json      what the front page says of it; written last

All links are relative. A file is replaced as a whole, and only if its content changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ablations.html.front_page import front_page
from ablations.html.page import Place, page
from ablations.identity.run import digest
from ablations.records.files import SCHEMA, RecordError, read_json, write_bytes, write_json
from ablations.records.layout import CURVE, DAMAGES, DIAGNOSTICS, PREDICTIONS, RECORD
from ablations.records.record import Record, plan_path, read_plan, study_folder
from ablations.report.answer import Answer
from ablations.report.citation import bibtex, claim_ids, effect_words, trained_on
from ablations.report.completeness import outdated_words
from ablations.report.csv_files import as_csv, results_table, runs_table, verdicts_table

PACKAGE = Path(__file__).parents[1]
SUMMARY, INDEX = "study.json", "index.html"
READ = (RECORD, CURVE, DIAGNOSTICS, DAMAGES, PREDICTIONS)  # of a run's folder
MARK = '<meta name="generator" content="Skipbench">'
FILES = {
    "results.csv": "a row a cell (CSV)",
    "runs.csv": "a row a run (CSV)",
    "verdicts.csv": "the claims (CSV)",
    "cite.bib": "BibTeX",
}


@dataclass(frozen=True)
class Site:
    """A site in a folder; `url` is where it will be found, if known, `author` that of the studies for BibTeX."""

    folder: Path
    url: str = ""
    author: str = ""

    def refuse_foreign(self) -> None:
        """Refuse a folder with a front page that no site of Skipbench has.

        Raises:
            ValueError: it has one, which would be overwritten.
        """
        index = self.folder / INDEX
        if index.exists() and MARK not in index.read_text(encoding="utf-8", errors="replace"):
            raise ValueError(f"{index} is no page of Skipbench and would be overwritten: choose another folder")

    def write_study(self, runs: Path, name: str, records: Mapping[str, Record], problems: Sequence[str]) -> bool:
        """Write the folder of a study; return False where it shows the same records already."""
        plan = read_plan(runs, name)
        there, made_of = self.folder / "study" / study_folder(runs, name).name, self._inputs(runs, plan, records)
        if made_of and (known := _summary(there / SUMMARY)) and known["inputs"] == made_of:
            return False
        answer = Answer(plan, records, runs, tuple(problems))
        for file, content in self._files(answer, there.name):
            _replace(there / file, content)
        write_json(there / SUMMARY, _said(answer, made_of, (there / "picture.svg").exists()))
        return True

    def write_front_page(self) -> Path:
        """Write the front page, of all studies in the folder; return its path."""
        found = {path.parent.name: _summary(path) for path in sorted(self.folder.glob(f"study/*/{SUMMARY}"))}
        text = front_page({name: said for name, said in found.items() if said}, MARK)
        _replace(self.folder / INDEX, text.encode())
        return self.folder / INDEX

    def _files(self, answer: Answer, name: str) -> Iterator[tuple[str, bytes]]:
        from ablations.charts.figures import main_figure
        from ablations.charts.pictures import SCREEN, svg

        address = f"{self.url.rstrip('/')}/study/{name}/{INDEX}" if self.url else ""
        cite = bibtex(answer, address=address, author=self.author)
        files = {text: file for file, text in FILES.items()}
        texts = {
            "results.csv": as_csv(results_table(answer.rows)),
            "runs.csv": as_csv(runs_table(answer.rows)),
            "verdicts.csv": as_csv(verdicts_table(answer.verdicts)),
            "cite.bib": cite,
            INDEX: page(answer, place=Place(f"../../{INDEX}", files, cite)),
        }
        yield from ((file, text.encode()) for file, text in texts.items())
        if picture := main_figure(answer):  # below its question, so without a title
            yield "picture.svg", _numbered(svg(picture, replace(SCREEN, title=False))).encode()

    def _inputs(self, runs: Path, plan: Mapping[str, Any], records: Mapping[str, Record]) -> str:
        """A digest of all that a study's folder is made of; empty while runs are missing, which may be training."""
        wanted = [run for cell in plan["cells"] for run in (*cell["runs"], *cell["further"])]
        known = [records[run["identity"]] for run in wanted if run["identity"] in records]
        if any(run["identity"] not in records for cell in plan["cells"] for run in cell["runs"]):
            return ""
        paths = [runs / record["folder"] / file for record in known for file in READ]
        paths += study_folder(runs, plan["name"]).glob("trials/*/*/trial.json")
        states = [(str(path.relative_to(runs)), *_state(path)) for path in sorted(paths)]
        said = [plan_path(runs, plan["name"]).read_text(encoding="utf-8"), *outdated_words(plan, known)]
        return digest([states, said, [record["identity"] for record in known], program(), self.url, self.author])


def program() -> str:
    """A digest of the code that reads, judges and draws."""
    files = sorted(path for kind in ("py", "js", "css", "html", "csv", "yaml") for path in PACKAGE.rglob(f"*.{kind}"))
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _said(answer: Answer, made_of: str, picture: bool) -> dict[str, Any]:
    """What the front page says of a study."""
    plan, rows = answer.plan, answer.rows
    runs = [run for row in rows for run in row.runs]
    names = claim_ids(plan["study"].get("claims") or [])
    claims = [
        {"id": name, "says": one.says, "outcome": one.outcome, "effect": effect_words(one), "source": one.source}
        | {"published": one.comparable}
        for name, one in zip(names, answer.verdicts, strict=True)
    ]
    cautions = [line for line in answer.cautions if "in training now" not in line]  # that is soon no longer so
    about = {"name": plan["name"], "question": answer.question, "cautions": cautions, "claims": claims}
    about |= {"runs": len(runs), "planned": sum(row.planned for row in rows), "cells": len(rows)}
    return {"schema": SCHEMA, "inputs": made_of, **about, "trained": trained_on(runs)[-1:], "picture": picture}


def _summary(path: Path) -> dict[str, Any] | None:
    """What a site says of a study; None where the file is missing or damaged."""
    try:
        found = read_json(path)
    except RecordError:
        return None
    needed = ("inputs", "name", "question", "cautions", "claims", "runs", "planned", "cells", "trained", "picture")
    return found if all(key in found for key in needed) else None


def _numbered(svg: str) -> str:
    """The picture with its clip paths numbered from 0: Vega goes on where its last picture ended."""
    names = {name: f"clip{k}" for k, name in enumerate(dict.fromkeys(re.findall(r"clip\d+", svg)))}
    return re.sub(r"clip\d+", lambda found: names[found[0]], svg)


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _replace(path: Path, content: bytes) -> None:
    """Write a file as a whole, if its content changes."""
    if not path.exists() or path.read_bytes() != content:
        write_bytes(path, content)
