"""Make the front page of a site: every claim by its outcome, then every study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ablations.analysis.verdicts import CONTRADICTED, INCONCLUSIVE, NO_VERDICT, SUPPORTED
from ablations.html.tables import TONES
from ablations.question.wording import counted
from ablations.report.verdict_list import SIGNS

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' file:"
GROUPS = {
    "contradicted": ("Contradicted", "What was published or expected did not hold here.", (CONTRADICTED,)),
    "open": ("Open", "The runs so far do not decide these.", (INCONCLUSIVE, NO_VERDICT)),
    "supported": ("Supported", "These held.", (SUPPORTED,)),
}
Said = Mapping[str, Any]  # what a site says of a study


def front_page(studies: Mapping[str, Said], mark: str) -> str:
    """The front page of studies by folder; `mark` is an element that tells that it is of this program."""
    claims = [(folder, claim) for folder, said in studies.items() for claim in said["claims"]]
    grouped = {key: [one for one in claims if one[1]["outcome"] in of] for key, (_, _, of) in GROUPS.items()}
    counts = [f'<a class=whole href="#{key}">{len(found)} {key}</a>' for key, found in grouped.items() if found]
    ranked = sorted(studies.items(), key=lambda item: (_rank(item[1]), item[1]["name"]))
    many = f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}, {counted(len(claims), 'claim')}"
    head = [many, " · ".join(counts)]
    body = [
        f"<header><h1>Studies and their claims</h1><p>{': '.join(filter(None, head))}</p></header><main>",
        *(_group(key, found, studies) for key, found in grouped.items() if found),
        "<section id=studies><h2>Studies</h2><div class=cards>",
        *(_card(folder, said) for folder, said in ranked),
        "</div></section></main>",
    ]
    return "\n".join([*_head(mark), "<body>", *body, "</body>", "</html>"]) + "\n"


def _head(mark: str) -> Iterator[str]:
    yield from ("<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">', mark)
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>Studies and their claims</title><style>{STYLE.read_text(encoding='utf-8')}</style>"
    yield "</head>"


def _group(key: str, claims: list[tuple[str, Said]], studies: Mapping[str, Said]) -> str:
    title, words, _ = GROUPS[key]
    items = "".join(_claim(folder, claim, studies[folder]["name"]) for folder, claim in claims)
    heading = f"<h2>{title} ({len(claims)})</h2><p class=quiet>{words}</p>"
    return f"<section id={key}>{heading}<ul class=verdicts>{items}</ul></section>"


def _claim(folder: str, claim: Said, study: str) -> str:
    sign, at = SIGNS[claim["outcome"]][0], _link(folder)
    published = f"published {claim['published']:g}" if isinstance(claim.get("published"), int | float) else ""
    words = escape(" · ".join(filter(None, (claim["effect"], published, claim["source"]))))
    name = f'<a href="{at}">{escape(study)}</a>'
    link = f'<a class=says href="{at}#{quote(claim["id"])}">{escape(claim["says"])}</a>'
    tone = TONES[claim["outcome"]]
    return f'<li class="{tone}"><b class=sign>{sign}</b> {link}<p class=quiet>{name} · {words}</p></li>\n'


def _card(folder: str, said: Said) -> str:
    at = _link(folder)
    picture = f'<a href="{at}"><img src="study/{quote(folder)}/picture.svg" alt=""></a>'
    many = f"{said['runs']} of {said['planned']} runs, {counted(said['cells'], 'cell')}"
    when = f", trained <span class=whole>{escape(said['trained'][0])}</span>" if said["trained"] else ""
    outcomes = [claim["outcome"] for claim in said["claims"]]
    there = [name for name in (CONTRADICTED, INCONCLUSIVE, NO_VERDICT, SUPPORTED) if name in outcomes]
    signs = " · ".join(
        f'<span class="{TONES[name]}"><b class=sign>{SIGNS[name][0]}</b></span> {outcomes.count(name)} {name}'
        for name in there
    )
    notes = "".join(f"<p class=note>{escape(line)}</p>" for line in said["cautions"])
    return (
        f'<article class=card id="study-{escape(folder)}"><h3><a href="{at}">{escape(said["question"])}</a></h3>'
        f"<p class=quiet>{escape(said['name'])}: {many}{when}</p><p>{signs or 'It makes no claims.'}</p>"
        f"{notes}{picture if said['picture'] else ''}</article>\n"
    )


def _rank(said: Said) -> int:
    """0 for a study with a contradicted claim, 1 with an open one, 2 with supported ones, 3 without claims."""
    there = {claim["outcome"] for claim in said["claims"]}
    return next((k for k, (_, _, outcomes) in enumerate(GROUPS.values()) if there & {*outcomes}), len(GROUPS))


def _link(folder: str) -> str:
    return f"study/{quote(folder)}/index.html"
