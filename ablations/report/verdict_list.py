"""Print verdicts: as sentences with their evidence, or as a table with the numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ablations.analysis.claim_tests import MOST_SEEDS
from ablations.analysis.nonparametric import Proportion
from ablations.analysis.statistics import Interval
from ablations.analysis.verdicts import CONTRADICTED, INCONCLUSIVE, NO_VERDICT, SUPPORTED, Verdict

if TYPE_CHECKING:
    from rich.console import Console

SIGNS = {SUPPORTED: ("✓", "green"), CONTRADICTED: ("✗", "red"), INCONCLUSIVE: ("?", "yellow")}
NONE = "–"
ENOUGH = 10  # seeds: a 95% bootstrap interval of ten covers nearly 95%, of three 71%


def print_verdicts(verdicts: Sequence[Verdict], console: Console, settings: Sequence[str]) -> None:
    """Print a sign and the sentence of each claim, and its evidence on the same line or below.

    Args:
        settings: for each claim, the setting of its published number.
    """
    from rich.text import Text

    if not verdicts:
        return
    console.print()
    console.print(Text.assemble(("Claims", "bold"), (f"  {_counts(verdicts)}", "dim")))
    for verdict, setting in zip(verdicts, settings, strict=True):
        sign, colour = SIGNS.get(verdict.outcome, ("?", "dim"))
        claim, evidence = Text(verdict.says), Text(evidence_words(verdict, setting), style="dim")
        fits = len(claim) + len(evidence) + 5 <= console.width
        body = Text.assemble(claim, "  " if fits else "\n", evidence)
        for i, line in enumerate(body.wrap(console, console.width - 2)):
            line.rstrip()
            console.print(Text.assemble((f"{sign} " if i == 0 else "  ", colour), line))
        if verdict.command:
            console.print(Text(f"  {verdict.command}"), soft_wrap=True)
    _print_p_notes(verdicts, console)


def print_list(verdicts: Sequence[Verdict], console: Console, settings: Sequence[str]) -> None:
    """Print a table of the claims with their numbers, and below it what would decide the open ones.

    Args:
        settings: for each claim, the setting of its published number.
    """
    from rich.table import Table
    from rich.text import Text

    if not verdicts:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    heads = ["effect", "95% interval", "n", "p"]
    heads += ["published"] if any(verdict.published is not None for verdict in verdicts) else []
    texts = [cells(verdict)[: len(heads)] for verdict in verdicts]
    taken = sum(2 + max(map(len, column)) for column in zip(heads, *texts, strict=True))
    table.add_column("", no_wrap=True, width=1)
    table.add_column(_counts(verdicts), no_wrap=True, max_width=max(16, console.width - taken - 3))
    for head in heads:
        table.add_column(head, no_wrap=True, justify="left" if head == "95% interval" else "right")
    for verdict, text in zip(verdicts, texts, strict=True):
        sign, colour = SIGNS.get(verdict.outcome, ("?", "dim"))
        table.add_row(Text(sign, style=colour), Text(verdict.says), *map(Text, text))
    console.print(table)
    for words in dict.fromkeys(filter(None, settings)):
        console.print(Text(f"published: {words}.", style="dim"))
    notes = [(verdict, note) for verdict in verdicts if (note := open_words(verdict) or verdict.reason)]
    if notes:
        console.print()
    for verdict, note in notes:
        sign, colour = SIGNS.get(verdict.outcome, ("?", "dim"))
        says = verdict.says if len(verdict.says) <= 40 else f"{verdict.says[:39].rstrip()}…"
        console.print(Text.assemble((f"{sign} ", colour), f"{says} ", (note, "dim")), soft_wrap=True)
        if verdict.command:
            console.print(Text(f"  {verdict.command}"), soft_wrap=True)
    _print_p_notes(verdicts, console)


def cells(verdict: Verdict) -> list[str]:
    """Effect, interval, n, p and published number, as texts."""
    effect = verdict.effect
    published = NONE if verdict.published is None else f"{verdict.published:g}"
    if effect is None:
        return [NONE, NONE, NONE, NONE, published]
    p = "exact" if verdict.adjusted is None else f"{verdict.adjusted:.2g}"
    shown = between(verdict, effect.interval) if effect.interval else NONE
    return [number(verdict, effect.mean), shown, str(verdict.n) if verdict.adjusted is not None else NONE, p, published]


def evidence_words(verdict: Verdict, setting: str = "") -> str:
    """All evidence of a verdict: `train error +75.29 points [+52.31, +98.26], expected > 0, …`.

    Args:
        setting: of the published number.
    """
    words, effect = [], verdict.effect
    if effect is not None:
        interval = f" {between(verdict, effect.interval)}" if effect.interval else ""
        name = verdict.metric.replace("_", " ")
        words.append(f"{name} {number(verdict, effect.mean)}{verdict.unit}{interval}")
        words += [f"bootstrap {between(verdict, effect.bootstrap)}"] if effect.bootstrap else []
        words.append(f"expected {verdict.expect}")
        of = f" ({setting})" if setting else ""
        words += [f"published {verdict.published:g}{of}"] if verdict.published is not None else []
    if verdict.adjusted is not None:
        words += [f"n {verdict.n}", f"p {verdict.adjusted:.2g} (Holm)"]
    words += [open_words(verdict)] if open_words(verdict) else []
    if verdict.outcome != NO_VERDICT and verdict.reason:
        words.append(verdict.reason)
    return " · ".join([", ".join(words), *([verdict.source] if verdict.source else [])])


def open_words(verdict: Verdict) -> str:
    """What would decide an open claim; empty for a decided one."""
    if verdict.outcome == NO_VERDICT:
        return f"no verdict: {verdict.reason}"
    if verdict.outcome != INCONCLUSIVE:
        return ""
    more = verdict.more_seeds
    words = f"about {more} more seed{'' if more == 1 else 's'}" if more else f"{MOST_SEEDS} seeds would not be enough"
    return f"inconclusive: {words}"


def between(verdict: Verdict, interval: Interval) -> str:
    """`[+52.31, +98.26]`."""
    return f"[{number(verdict, interval[0])}, {number(verdict, interval[1])}]"


def number(verdict: Verdict, value: float) -> str:
    """A value with the digits of its metric, and a sign where it is a difference."""
    sign = "+" if verdict.signed else ""
    if math.isinf(value):
        return f"{'-' if value < 0 else sign}∞"
    if verdict.adjusted is None:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.2f}" if verdict.unit or verdict.metric == "diverged" else f"{value:{sign}.3g}"


def _print_p_notes(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print how p is computed, and what so few seeds cannot show."""
    from rich.text import Text

    counts = {verdict.n for verdict in verdicts if verdict.p is not None and not isinstance(verdict.effect, Proportion)}
    if counts:
        words = ", ".join(f"{0.5**n:.3g} with {n} seeds" for n in sorted(counts))
        console.print(Text(f"p: one-sided, Holm over the claims. A sign test cannot get below {words}.", style="dim"))
        if min(counts) < ENOUGH:
            console.print(Text("A bootstrap interval of so few seeds is too narrow.", style="dim"))


def _counts(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(f"{n} {what}" for what, n in Counter(verdict.outcome for verdict in verdicts).items())
