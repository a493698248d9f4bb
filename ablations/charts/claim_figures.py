"""Draw what is claimed and found: one figure for each unit, a line for each claim."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from ablations.analysis.claim_schema import Claim, check_claims
from ablations.analysis.verdicts import Verdict
from ablations.charts.figure import Figure
from ablations.charts.scales import domain, words
from ablations.charts.series import Table, short
from ablations.charts.specs import forest
from ablations.report.answer import Answer
from ablations.report.verdict_list import between, number

CAPTION = (
    "Estimate and 95% interval of each claim (a dot: supported, a cross: contradicted, a small diamond: open); "
    "grey band: the region it expects; hollow diamond: the published number"
)
LETTERS = 44  # in a line of a claim: as many as a phone has room for


def claim_figures(answer: Answer) -> list[Figure]:
    """A figure for each unit: points of error and seconds do not share an axis."""
    units: dict[str, list[dict[str, Any]]] = {}
    missing = []
    for index, (verdict, claim) in enumerate(zip(answer.verdicts, check_claims(answer.plan["study"]), strict=True), 1):
        if verdict.effect is None or verdict.p is None or math.isnan(verdict.effect.mean):
            missing.append(str(index))
            continue
        region = claim.hypotheses[0]
        line = _line(index, verdict) | {"from": region.low, "to": region.high}
        units.setdefault(_unit(verdict, claim), []).append(line)
    infinite = any(math.isinf(line["mean"]) for lines in units.values() for line in lines)
    caption = CAPTION + "; an arrow: infinite" * infinite
    caption += f". No interval, not drawn: {', '.join(missing)}." if missing else "."
    return [_figure(k, unit, lines, caption if k == 0 else "") for k, (unit, lines) in enumerate(units.items())]


def _figure(index: int, unit: str, lines: list[dict[str, Any]], caption: str) -> Figure:
    signed = any(line["signed"] for line in lines)
    known = [line[name] for line in lines for name in ("mean", "low", "high", "from", "to", "published")]
    low, high = domain([*known, *([0.0] if signed else [])])
    inset = 0.012 * (high - low)
    for line in lines:  # what is infinite reaches the edge
        line["mark"] = line["outcome"] if math.isfinite(line["mean"]) else "∞" if line["mean"] > 0 else "-∞"
        line |= {end: min(max(line[end], low), high) for end in ("low", "high", "from", "to")}
        line["mean"] = min(max(line["mean"], low + inset), high - inset)
    texts = max(line["words"].count("\n") + 1 for line in lines)
    for line in lines:  # the words end where the marks begin
        line["words"] = "\n" * (texts - 1 - line["words"].count("\n")) + line["words"]
    rows: Table = {key: [short(line[key]) for line in lines] for key in lines[0]}
    spec = forest(textwrap.wrap(unit, LETTERS), rows["claim"], (low, high), texts, zero=signed)
    return Figure(f"claims-{index}", "" if index else "Claims", caption, spec, rows)


def _unit(verdict: Verdict, claim: Claim) -> str:
    name, unit = words(claim.metric), verdict.unit.strip()
    if verdict.signed:
        return f"{name}, difference{' in ' + unit if unit else ''}"
    return f"{name} ({unit})" if unit else name


def _line(index: int, verdict: Verdict) -> dict[str, Any]:
    effect = verdict.effect
    assert effect is not None
    low, high = effect.interval or (effect.mean, effect.mean)
    interval = f" {between(verdict, effect.interval)}" if effect.interval else ""
    return {
        "claim": str(index),
        "words": "\n".join(textwrap.wrap(f"{index} {verdict.outcome}: {verdict.says}", LETTERS)),
        "signed": verdict.signed,
        "says": verdict.says,
        "outcome": verdict.outcome,
        "expect": verdict.expect,
        "effect": f"{number(verdict, effect.mean)}{verdict.unit}{interval}",
        "mean": effect.mean,
        "low": low,
        "high": high,
        "published": verdict.published,
    }
