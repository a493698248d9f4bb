"""Write docs/results/claims.md, what became of the claims of publications, from the pages beside it.

`python -m ablations list claims --markdown` prints it. A page there is what `export` wrote for a study.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from ablations.catalog.choices import CONF
from ablations.catalog.studies import duration, written_studies
from ablations.question.references import Reference, named, references

RESULTS = CONF.parent / "docs" / "results"
ORDER = {"contradicted": "✗ contradicted", "inconclusive": "? open", "supported": "✓ supported"}
VERDICT = re.compile(r"^- . \*\*(\w+)\*\*: (.*?)\\\n  (.*)$", re.MULTILINE)
EFFECT = re.compile(r"^(.*?), expected ")
SEEDS = re.compile(r"n (\d+)(?=, p )")
COST = re.compile(r"^- (\d[\d,]*) runs, (.*?) of training in all$", re.MULTILINE)
COMMAND = re.compile(r"^- (python run\.py -m study=.*)$", re.MULTILINE)
WITH = re.compile(r"^With (.*)\.$", re.MULTILINE)
YEAR = re.compile(r"\b(19|20)\d\d\b")
HEAD = """\
# What became of published claims

Each row is a claim of a publication, judged here on a setting that two CPU cores finish; the command after it trains
it all again. First those that are contradicted, then those that are open. *Contradicted* speaks of this setting:
other images, a tenth of the training, smaller networks. The study's page has the networks, the intervals and every
number; [what a verdict means](../verdicts.md); each published number stands in `ablations/literature/` with how it
was verified. On other images than the paper's only the direction of a difference is judged. The last column names the
same study at the size of a GPU, with the hours that it is estimated to take; none of these was run. `python -m
ablations list claims --markdown` prints this page.
"""
UNTESTED = """\
## Not tested small

Claims that no setting of minutes on two cores can test, with the reason.

| claim | publication | why not |
|---|---|---|
"""


class Row(NamedTuple):
    """A claim of a publication, and the line of the table that says what a study found."""

    outcome: str
    paper: str
    study: str
    line: str


def page() -> str:
    """Write the page."""
    rows = sorted(_rows(), key=lambda row: (list(ORDER).index(row.outcome), row.paper, row.study))
    papers = {publication(row.paper) for row in rows}
    young = {paper for paper in papers if int(year(paper) or 0) >= 2023}
    counts = ", ".join(f"{sum(row.outcome == one for row in rows)} {words[2:]}" for one, words in ORDER.items())
    head = f"{len(rows)} claims from {len(papers)} publications, {len(young)} of them from 2023 or later: {counts}.\n"
    table = f"| verdict | claim | publication | published | found here | cost | command | on a GPU |\n{'|---' * 8}|"
    untested = yaml.safe_load((RESULTS / "untested.yaml").read_text(encoding="utf-8"))
    rest = "\n".join(f"| {one['claim']} | {one['source']} | {one['reason']} |" for one in untested)
    return "\n".join([HEAD, head, table, *(row.line for row in rows), "", UNTESTED + rest, ""])


def publication(source: str) -> str:
    """`He et al. 2015, Fig. 6 (CIFAR-10)` → `He et al. 2015`."""
    found = YEAR.search(source)
    return source[: found.end()] if found else source.partition(",")[0].partition(" 0.")[0]


def year(paper: str) -> str | None:
    return found[0] if (found := YEAR.search(paper)) else None


def _rows() -> Iterator[Row]:
    studies = written_studies()
    for path in sorted(RESULTS.rglob("*.md")):
        name = path.relative_to(RESULTS).with_suffix("").as_posix()
        study, text = studies.get(name), path.read_text(encoding="utf-8")
        if study is None:
            continue
        on_gpu = _on_gpu(name, studies)
        judged = {_plain(says): (outcome, evidence) for outcome, says, evidence in VERDICT.findall(text)}
        for claim in study.get("claims") or []:
            source = str(claim.get("source", "ours"))
            if source.startswith("ours") or _plain(claim["says"]) not in judged:
                continue
            outcome, evidence = judged[_plain(claim["says"])]
            cells = [ORDER[outcome], f"[{claim['says']}]({name}.md)", source, _published(claim), _found(text, evidence)]
            cells += [_cost(text), f"`{typed(text)}`", on_gpu]
            yield Row(outcome, source, name, f"| {' | '.join(cells)} |")


def _on_gpu(study: str, studies: Mapping[str, Mapping[str, Any] | None]) -> str:
    """The study of the same name at the size of a GPU, with the time that is estimated; – where there is none."""
    stem = study.rpartition("/")[2]
    for name, written in studies.items():
        cost = (written or {}).get("cost") or {}
        if name.endswith(f"/{stem}") and not cost.get("cpu_minutes"):
            return f"`study={name}`, {duration(cost['gpu_minutes'])}"
    return "–"


def _published(claim: Mapping[str, Any]) -> str:
    """The published numbers with their setting: `6.43 against 7.51 % error, n 5, on cifar10`; – where there is none."""
    keys = named(claim["reference"]) if "reference" in claim else []
    known: list[Reference] = [references()[key] for key in keys]
    if not known:
        return "in words"
    n = {str(one.n) if one.n else "?" for one in known}
    seeds = f"n {'/'.join(sorted(n))}"
    return f"{' against '.join(f'{one.value:g}' for one in known)} {known[0].unit}, {seeds}, {known[0].data}"


def _found(text: str, evidence: str) -> str:
    effect, seeds = EFFECT.search(evidence), SEEDS.search(evidence)
    words = [effect[1] if effect else "", f"n {seeds[1]}" if seeds else ""]
    setting = WITH.search(text)
    return ", ".join(filter(None, [*words, setting[1] if setting else ""]))


def _cost(text: str) -> str:
    found = COST.search(text)
    return f"{found[1]} runs, {found[2]}" if found else ""


def typed(text: str) -> str:
    """The command of a study's page, without words that change no number."""
    words = shlex.split(html.unescape(found[1])) if (found := COMMAND.search(text)) else []
    kept = [word for word in words if not word.startswith(("tracker=", "keep="))]
    return " ".join(f'"{word}"' if "'" in word else shlex.quote(word) for word in kept)


def _plain(says: str) -> str:
    return re.sub(r"[\\&;]|gt|lt", "", says)
