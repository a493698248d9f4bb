"""Print verdicts: as sentences with their evidence, or as a table with the numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablations.analysis.claim_tests import MOST_SEEDS
from ablations.analysis.failing_seeds import not_excluded
from ablations.analysis.looking import HORIZON
from ablations.analysis.statistics import Interval
from ablations.analysis.verdicts import CONTRADICTED, INCONCLUSIVE, NO_VERDICT, SUPPORTED, Verdict
from ablations.question.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

SIGNS = {SUPPORTED: ("✓", "green"), CONTRADICTED: ("✗", "red")}
SIGNS |= {INCONCLUSIVE: ("?", "yellow"), NO_VERDICT: ("?", "dim")}
NONE = "–"
FEW = 20  # seeds: beside fewer, the failure rate that they do not exclude is said


def print_verdicts(verdicts: Sequence[Verdict], console: Console, footnotes: Sequence[str]) -> None:
    """Print a sign and the sentence of each claim, its evidence on the same line or below; then how they are read."""
    from rich.text import Text

    if not verdicts:
        return
    console.print()
    console.print(Text.assemble(("Claims", "bold"), (f"  {_counts(verdicts)}", "dim")))
    for verdict in verdicts:
        sign, colour = SIGNS[verdict.outcome]
        claim, evidence = Text(verdict.says), Text(evidence_words(verdict), style="dim")
        fits = len(claim) + len(evidence) + 5 <= console.width
        body = Text.assemble(claim, "  " if fits else "\n", evidence)
        for i, line in enumerate(body.wrap(console, console.width - 2)):
            line.rstrip()
            console.print(Text.assemble((f"{sign} " if i == 0 else "  ", colour), line))
        if verdict.command:
            console.print(Text(f"  {verdict.command}"), soft_wrap=True)
    for note in footnotes:
        console.print(Text(note, style="dim"))


def print_list(verdicts: Sequence[Verdict], console: Console, footnotes: Sequence[str]) -> None:
    """Print a table of the claims with their numbers, what would decide the open ones, and how the table is read."""
    from rich.table import Table
    from rich.text import Text

    if not verdicts:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    heads = ["effect", "95% interval", "n", "p", "needed"]
    heads += ["published"] if any(verdict.published is not None for verdict in verdicts) else []
    texts = [cells(verdict)[: len(heads)] for verdict in verdicts]
    taken = sum(2 + max(map(len, column)) for column in zip(heads, *texts, strict=True))
    table.add_column("", no_wrap=True, width=1)
    table.add_column(_counts(verdicts), no_wrap=True, max_width=max(16, console.width - taken - 3))
    for head in heads:
        table.add_column(head, no_wrap=True, justify="left" if head == "95% interval" else "right")
    for verdict, text in zip(verdicts, texts, strict=True):
        sign, colour = SIGNS[verdict.outcome]
        table.add_row(Text(sign, style=colour), Text(verdict.says), *map(Text, text))
    console.print(table)
    for words in dict.fromkeys(verdict.setting for verdict in verdicts if verdict.setting):
        console.print(Text(f"published: {words}.", style="dim"))
    notes = [(one, note) for one in verdicts if (note := ", ".join([*_marks(one), *notes_of(one), *one.images[1:]]))]
    if notes:
        console.print()
    for verdict, note in notes:
        sign, colour = SIGNS[verdict.outcome]
        says = verdict.says if len(verdict.says) <= 40 else f"{verdict.says[:39].rstrip()}…"
        console.print(Text.assemble((f"{sign} ", colour), f"{says} ", (note, "dim")), soft_wrap=True)
        if verdict.command:
            console.print(Text(f"  {verdict.command}"), soft_wrap=True)
    for note in footnotes:
        console.print(Text(note, style="dim"))


def cells(verdict: Verdict) -> list[str]:
    """Effect, interval, n, p, the p that was needed, and the published number, as texts."""
    effect = verdict.effect
    published = published_words(verdict) or NONE
    if effect is None:
        return [NONE, NONE, NONE, NONE, NONE, published]
    shown = between(verdict, effect.interval) if effect.interval else NONE
    if verdict.p is None or verdict.level is None:
        return [number(verdict, effect.mean), shown, NONE, "exact", NONE, published]
    return [number(verdict, effect.mean), shown, str(verdict.n), f"{verdict.p:.2g}", f"{verdict.level:.2g}", published]


def published_words(verdict: Verdict) -> str:
    """The published number, with its unit where that is another than the metric's; empty where there is none."""
    return "" if verdict.published is None else f"{verdict.published:g} {verdict.published_unit}".rstrip()


def evidence_words(verdict: Verdict) -> str:
    """All evidence: `train error (mean of seeds like these) +75.29 points [+52.31, +98.26], expected > 0, n 3, …`."""
    words, effect = [], verdict.effect
    if effect is not None:
        interval = f" {between(verdict, effect.interval)}" if effect.interval else ""
        judged = f" ({effect.judged})" if verdict.p is not None else ""
        name = verdict.metric.replace("_", " ")
        words.append(f"{name}{judged} {number(verdict, effect.mean)}{verdict.unit}{interval}")
        words += [f"bootstrap {between(verdict, effect.bootstrap)}"] if effect.bootstrap else []
        words.append(f"expected {verdict.expect}")
        of = f" ({verdict.setting})" if verdict.setting else ""
        words += [f"published {published_words(verdict)}{of}"] if verdict.published is not None else []
    if verdict.p is not None and verdict.level is not None:
        words += [f"n {verdict.n}", f"p {verdict.p:.2g} (needed: {verdict.level:.2g})"]
    words += notes_of(verdict)
    if verdict.planned:
        words.append(f"planned {verdict.planned}" + (" after the fact" if verdict.after_the_fact else ""))
    return " · ".join([", ".join(words), *([verdict.source] if verdict.source else [])])


def _marks(verdict: Verdict) -> list[str]:
    """The statistic that is judged, where it is not the usual mean, and whether the claim was made after the fact."""
    effect, usual = verdict.effect, "mean of seeds like these"
    judged = [effect.judged] if effect and verdict.p is not None and effect.judged != usual else []
    return [*judged, *(["after the fact"] if verdict.after_the_fact else [])]


def notes_of(verdict: Verdict) -> list[str]:
    """What would decide an open claim, and what a reader must know; what is waited for comes first."""
    if verdict.outcome == NO_VERDICT:
        return [f"no verdict: {verdict.reason}"]
    return [*filter(None, [verdict.reason, *verdict.images[:1], open_words(verdict)])]


def open_words(verdict: Verdict) -> str:
    """What would decide an inconclusive claim; empty for others."""
    if verdict.outcome != INCONCLUSIVE:
        return ""
    most = verdict.horizon or HORIZON
    if not verdict.more_seeds:
        if verdict.effect and not all(map(math.isfinite, verdict.effect.values)):
            return "inconclusive: some numbers are infinite, and no number of seeds makes up for them"
        if verdict.beyond:
            return f"inconclusive: about {verdict.beyond} seeds in all would decide it, more than {most}: a new study"
        why = "the effect lies near the edge of what is expected, or scatters widely"
        return f"inconclusive: {MOST_SEEDS} seeds would hardly decide it, {why}"
    return f"inconclusive: about {counted(verdict.more_seeds, 'more seed')} would decide it"


def reading_notes(verdicts: Sequence[Verdict], level: float) -> list[str]:
    """How p is to be read in a study with this error rate, and what so few seeds do not exclude."""
    tested = [verdict for verdict in verdicts if verdict.p is not None]
    if not tested:
        return []
    horizon = tested[0].horizon
    looks = "judged once" if horizon is None else f"looks after every seed up to {horizon} are allowed for"
    wrong = f"wrong in at most {100 * level:.2g}% of studies in each direction, over all claims of the study (Holm)"
    notes = [f"p: one-sided, that the claim is true; needed: what it must reach so that verdicts are {wrong}; {looks}."]
    few = sorted({verdict.n for verdict in tested if verdict.n < FEW})
    rates = ", ".join(f"{n} seeds {not_excluded(n):.0%}" for n in few)
    notes += [f"Failures that are not excluded where none was seen: {rates} of all seeds."] if few else []
    return notes


def between(verdict: Verdict, interval: Interval) -> str:
    """`[+52.31, +98.26]`."""
    return f"[{number(verdict, interval[0])}, {number(verdict, interval[1])}]"


def number(verdict: Verdict, value: float) -> str:
    """A value with the digits of its metric, and a sign where it is a difference."""
    sign = "+" if verdict.signed else ""
    if math.isinf(value):
        return f"{'-' if value < 0 else sign}∞"
    if verdict.p is None:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.2f}" if verdict.unit or verdict.metric == "diverged" else f"{value:{sign}.3g}"


def _counts(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(f"{n} {what}" for what, n in Counter(verdict.outcome for verdict in verdicts).items())
