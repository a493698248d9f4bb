"""Print the analyses of a study: the effect of each axis, an ablation path, the importances of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ablations.analysis.ablation_path import AblationPath
    from ablations.analysis.anova import AxisEffects
    from ablations.search.importance import Importance


EFFECT_COLUMNS = ("of variation", "F", "df", "p (Holm)")


def effect_lines(effects: AxisEffects) -> list[list[str]]:
    """The cells of a table: one line for each effect, the largest first."""
    lines = []
    for term in sorted(effects.terms, key=lambda term: -term.share):
        values = ["", "", "0", "not in this grid"]
        if term.adjusted is not None:
            f = "–" if term.f is None else f"{term.f:.3g}"
            values = [f"{term.share:.1%}", f, str(term.df), p_words(term.adjusted)]
        lines.append([term.name, *values])
    return lines


def p_words(p: float) -> str:
    """A p value in two digits; one too small to mean anything as `< 1e-12`."""
    return f"{p:.2g}" if p >= 1e-12 else "< 1e-12"


def print_effects(effects: AxisEffects, console: Console) -> None:
    """Print one line for each effect, the largest first, then the means of each axis."""
    from rich.text import Text

    table = _table(f"effect on {effects.metric}", right=EFFECT_COLUMNS)
    for line in effect_lines(effects):
        table.add_row(*line)
    console.print(table)
    for axis, means in effects.levels.items():
        console.print(Text.assemble((f"{axis}  ", "bold"), ", ".join(f"{k} {v:.4g}" for k, v in means.items())))
    for note in effects.notes:
        console.print(Text(note, style="dim"))


def print_path(path: AblationPath, console: Console) -> None:
    """Print one line for each step: the change, the metric after it, the gain with its interval, and n."""
    from rich.text import Text

    table = _table("change", right=(path.metric, "gain", "95% interval", "n"))
    table.add_row("(start)", f"{path.start:.2f}", "", "", "")
    for step in path.steps:
        found = step.difference
        between = f"[{found.interval[0]:+.2f}, {found.interval[1]:+.2f}]" if found and found.interval else "–"
        change = f"{step.axis}: {step.before} → {step.after}"
        table.add_row(change, f"{step.mean:.2f}", f"{step.gain:+.2f}", between, str(step.n))
    console.print(table)
    if path.unequal_seeds:
        console.print(Text("The cells differ in their seeds: a gain uses the n seeds of both, a mean all seeds."))
    if path.remaining:
        console.print(Text(f"The records end here; still to change: {', '.join(path.remaining)}.", style="yellow"))
    if path.untrained:
        console.print(Text("Not trained yet; with these cells the order could be different:", style="dim"))
        for command in path.untrained:
            console.print(Text(f"  {command}"), soft_wrap=True)


def print_importance(importances: Sequence[Importance], objectives: Sequence[str], console: Console) -> None:
    """Print one line for each tuning and axis."""
    from rich.text import Text

    from ablations.search.importance import importance_caption, importance_lines

    table = _table("tuning", "trials", "axis", right=("importance",))
    table.columns[1].justify = "right"
    for one in importances:
        first = [one.tuning, str(one.trials)]
        for line in importance_lines(one):
            table.add_row(*first, *line)
            first = ["", ""]
    console.print(table)
    console.print(Text(importance_caption(objectives), style="dim"))


def _table(*left: str, right: Sequence[str]) -> Table:
    """An empty table without lines, with left-aligned columns, then right-aligned ones."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in (*left, *right):
        table.add_column(head, justify="right" if head in right else "left", no_wrap=True)
    return table
