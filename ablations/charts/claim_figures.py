"""Draw what is claimed and found: one figure for each unit, a line for each claim."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from ablations.analysis.claim_schema import Claim, check_claims
from ablations.analysis.verdicts import Verdict
from ablations.charts.figure import Figure
from ablations.charts.looks import HIGHLIGHT, NEUTRAL
from ablations.charts.scales import domain, titled, words
from ablations.charts.series import Lines, columns
from ablations.charts.specs import LINE, ZOOM, layer, tip
from ablations.report.answer import Answer
from ablations.report.verdict_list import between, number

CAPTION = (
    "Estimate and 95% interval of each claim (a dot: supported, a cross: contradicted, a small diamond: open); "
    "grey band: the region it expects; hollow diamond: the published number"
)
LETTERS = 44  # in a line of a claim: as many as a phone has room for
MARKS = {"supported": "circle", "contradicted": "cross", "inconclusive": "diamond", "no verdict": "diamond"}
MARKS |= {"∞": "triangle-right", "-∞": "triangle-left"}


def claim_figures(answer: Answer) -> list[Figure]:
    """A figure for each unit: points of error and seconds do not share an axis."""
    units: dict[str, Lines] = {}
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
    last = len(units) - 1  # what is said of all stands below the last
    return [_figure(k, unit, lines, caption if k == last else "") for k, (unit, lines) in enumerate(units.items())]


def _figure(index: int, unit: str, lines: Lines, caption: str) -> Figure:
    """The claims of one unit; the words of a claim stand above its marks, and an infinite estimate is an arrow."""
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
    step = LINE * texts + 26
    below = {"yOffset": (step - 12) / 2 - 6}  # the marks lie below the words
    x = {"type": "quantitative", "title": textwrap.wrap(unit, LETTERS)}
    x |= {"scale": {"domain": [low, high], "nice": False, "zero": False}}
    x |= {"axis": {"tickCount": 6, "titleLimit": 0, "grid": False}}
    y = {"field": "claim", "type": "nominal", "sort": [line["claim"] for line in lines], "title": None, "axis": None}
    tips = [tip("says", "claim"), tip("effect", "effect"), tip("expect", "expected"), tip("outcome", "verdict")]
    tips += [tip("published", "published")]
    shape = {"field": "mark", "type": "nominal", "legend": None}
    shape["scale"] = {"domain": [*MARKS], "range": [*MARKS.values()]}
    grey, zoom = {"color": NEUTRAL, **below}, {**ZOOM, "select": {**ZOOM["select"], "encodings": ["x"]}}
    region, interval = ({"x": {"field": a, **x}, "x2": {"field": b}} for a, b in (("from", "to"), ("low", "high")))
    estimate, published = ({"x": {"field": name, **x}, "tooltip": tips} for name in ("mean", "published"))
    said = {"x": {"value": 0}, "text": {"field": "words"}, "tooltip": tips}
    text = {"align": "left", "baseline": "top", "lineBreak": "\n", "lineHeight": LINE, "fontSize": 11}
    layers = [
        *([layer("tick", {"x": {"datum": 0, **x}}, thickness=1.2, height=18, **grey)] if signed else []),
        layer("bar", region, opacity=0.16, height=14, clip=True, **grey),
        layer("rule", interval, strokeWidth=2.4, clip=True, **grey),
        {"params": [zoom], **layer("point", {**estimate, "shape": shape}, filled=True, size=90, opacity=1, **grey)},
        layer("point", published, shape="diamond", size=110, strokeWidth=2, color=HIGHLIGHT, **below),
        layer("text", said, dy=4 - step / 2, **text),
    ]
    spec = {"height": {"step": step}, "encoding": {"y": y}, "layer": layers}
    return Figure(f"claims-{index}", "" if index else "Claims", caption, spec, columns(lines))


def _unit(verdict: Verdict, claim: Claim) -> str:
    unit = verdict.unit.strip()
    if verdict.signed:
        return f"{words(claim.metric)}, difference{' in ' + unit if unit else ''}"
    return titled(claim.metric)


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
        "published": verdict.comparable,
    }
