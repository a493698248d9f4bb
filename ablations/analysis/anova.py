"""What each axis does, and what two do together: analysis of variance, with the seeds of a cell as the error.

For every main effect and every interaction of two axes, what the fit loses without it (and what contains it) is
compared with what the seeds of a cell differ by (Type II sums of squares; in a balanced grid the only ones there are):

    F = (SS of the term / its degrees of freedom) / (SS within the cells / (runs − cells))

A term that the grid cannot tell from others, for want of cells, has no degrees of freedom, and is said to be so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.analysis.cell_selection import BUDGET, not_one, select
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import INACTIVE, Plan, Record, Row, result_rows

if TYPE_CHECKING:
    from rich.console import Console

REST = "three and more together"


@dataclass(frozen=True)
class Term:
    """An axis, or two of them together, or (REST) all that three and more do together.

    Attributes:
        df: its degrees of freedom; 0 where the grid cannot tell it from others.
        share: of the variation of all runs, what it explains beyond the others.
        f, p: None without degrees of freedom; without any spread between seeds, F is infinite and p 0.
    """

    axes: tuple[str, ...]
    df: int
    share: float
    f: float | None
    p: float | None


@dataclass(frozen=True)
class Effects:
    """The analysis of one metric.

    Attributes:
        levels: mean over the cells' means for each value of each axis.
        notes: what a reader must know: how many runs, what is unbalanced, what does not exist.
    """

    metric: str
    terms: tuple[Term, ...]
    levels: dict[str, dict[str, float]]
    within: float  # standard deviation between seeds, pooled over the cells
    chance: float  # what lies between seeds, of the variation of all runs
    notes: tuple[str, ...]


def axis_effects(
    plan: Plan,
    records: Mapping[str, Record],
    *,
    metric: str = "test_error",
    where: Mapping[str, Any] | None = None,
    runs: Path = Path("runs"),
) -> Effects:
    """The effects of a study's swept axes on a metric, over the cells that agree with `where`.

    Raises:
        ValueError: fewer than two cells, no cell with two seeds, or a metric that was not measured or is infinite.
    """
    asked = read_metric(metric)
    every = result_rows(plan, records)
    rows = select(where or {}, every)
    if where and not rows:
        raise ValueError(not_one(where, rows, every))
    measured = [[(asked.of(run, runs), str(run["label"])) for run in row.runs] for row in rows]
    for value, label in (pair for cell in measured for pair in cell):
        if value is None or not math.isfinite(value):
            what = "was not measured in" if value is None else "is infinite for"
            raise ValueError(f"{metric} {what} {label}: choose another --metric, such as train_error")
    values = [[float(value) for value, _ in cell if value is not None] for cell in measured]
    known = [(row, cell) for row, cell in zip(rows, values, strict=True) if cell]
    aside = {BUDGET, "width"} if BUDGET in plan["swept"] else set()  # a matched width follows from the other axes
    axes = [axis for axis in plan["swept"] if axis not in aside and len({row.level(axis) for row, _ in known}) > 1]
    if len(known) < 2 or not axes or all(len(cell) < 2 for _, cell in known):
        found = f"there {'is' if len(known) == 1 else 'are'} {len(known)} measured cell{'s' * (len(known) != 1)}"
        raise ValueError(f"effects need two cells, and two seeds in one of them; {found}")
    return _analyse(metric, axes, known, _notes(rows, known, axes))


def print_effects(effects: Effects, console: Console) -> None:
    """A line a term, the largest first, then each axis' means."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in (f"effect on {effects.metric}", "of variation", "F", "df", "p"):
        table.add_column(head, justify="left" if head.startswith("effect") else "right", no_wrap=True)
    for term in sorted(effects.terms, key=lambda term: -term.share):
        values = ["", "", "0", "not in this grid"]
        if term.f is not None and term.p is not None:
            values = [f"{term.share:.1%}", f"{term.f:.3g}", str(term.df), f"{term.p:.2g}"]
        table.add_row(" × ".join(term.axes), *values)
    console.print(table)
    for axis, means in effects.levels.items():
        console.print(Text.assemble((f"{axis}  ", "bold"), ", ".join(f"{k} {v:.4g}" for k, v in means.items())))
    chance = f"Between seeds: {effects.chance:.1%} of variation, sd {effects.within:.3g}, pooled over the cells."
    console.print(Text(chance, style="dim"))
    for note in effects.notes:
        console.print(Text(note, style="dim"))


def _analyse(metric: str, axes: list[str], known: list[tuple[Row, list[float]]], notes: list[str]) -> Effects:
    import numpy as np
    from statsmodels.regression.linear_model import OLS

    values = np.array([value for _, cell in known for value in cell])
    rows = [row for row, cell in known for _ in cell]
    ones = np.ones((len(rows), 1))
    columns: dict[tuple[str, ...], Any] = {(axis,): _indicators([row.level(axis) for row in rows]) for axis in axes}
    for a, b in combinations(axes, 2):
        left, right = columns[(a,)], columns[(b,)]
        columns[(a, b)] = np.einsum("ri,rj->rij", left, right).reshape(len(rows), -1)

    def fit(terms: Sequence[tuple[str, ...]]) -> tuple[float, int]:
        """Residual sum of squares, and the rank of the design."""
        basis, sizes, _ = np.linalg.svd(np.hstack([ones, *(columns[term] for term in terms)]), full_matrices=False)
        basis = basis[:, sizes > 1e-9 * sizes[0]]  # indicators of all levels say some things twice
        return float(OLS(values, basis).fit().ssr), basis.shape[1]

    within = math.fsum((value - math.fsum(cell) / len(cell)) ** 2 for _, cell in known for value in cell)
    free = len(values) - len(known)
    total = float(((values - values.mean()) ** 2).sum())
    rounding = 1e-20 * float((values**2).sum())
    within, total = (0.0 if ss <= rounding else ss for ss in (within, total))
    terms = []
    for term in columns:
        others = [other for other in columns if not set(term) <= set(other)]
        (without, fewer), (along, rank) = fit(others), fit([*others, term])
        terms.append(_term(term, rank - fewer, max(0.0, without - along), within / free, free, total))
    if len(axes) > 2:
        without, rank = fit([*columns])
        terms.append(_term((REST,), len(known) - rank, max(0.0, without - within), within / free, free, total))
    levels = {axis: _level_means(axis, known) for axis in axes}
    share = within / total if total else 0.0
    return Effects(metric, tuple(terms), levels, math.sqrt(within / free), share, tuple(notes))


def _term(axes: tuple[str, ...], df: int, gained: float, error: float, free: int, total: float) -> Term:
    """What a sum of squares of `df` degrees of freedom amounts to, against the variance between seeds."""
    from scipy import stats

    if df == 0:
        return Term(axes, 0, 0.0, None, None)
    if not total or gained <= 1e-12 * total:
        return Term(axes, df, 0.0, 0.0, 1.0)
    f = (gained / df) / error if error else math.inf
    return Term(axes, df, gained / total, f, float(stats.f.sf(f, df, free)) if error else 0.0)


def _indicators(levels: Sequence[str]) -> Any:
    """A column a level, 1 where the run has it."""
    import numpy as np

    return np.array([[float(level == name) for name in dict.fromkeys(levels)] for level in levels])


def _level_means(axis: str, known: Sequence[tuple[Row, list[float]]]) -> dict[str, float]:
    means: dict[str, list[float]] = {}
    for row, cell in known:
        means.setdefault(row.level(axis), []).append(math.fsum(cell) / len(cell))
    return {level: math.fsum(cells) / len(cells) for level, cells in means.items()}


def _notes(rows: Sequence[Row], known: Sequence[tuple[Row, list[float]]], axes: Sequence[str]) -> list[str]:
    counts = sorted({len(cell) for _, cell in known})
    size = f"{sum(len(cell) for _, cell in known)} runs in {len(known)} cells"
    odd, many = ("Unbalanced: ", f"{counts[0]} to {counts[-1]}") if len(counts) > 1 else ("", str(counts[0]))
    notes = [f"{odd}{size}, {many} a cell."]
    untrained = len(rows) - len(known)
    notes += [f"Incomplete: {untrained} cells have no run yet."] if untrained else []
    full = math.prod(len({row.level(axis) for row, _ in known}) for axis in axes)
    there = len({tuple(row.level(axis) for axis in axes) for row, _ in known})
    if there < full:
        many = f"{there} of the {full} combinations of {', '.join(axes)} are there"
        notes.append(f"Incomplete grid: {many}; what that hides is in no effect, and level means are of those there.")
    inactive = Counter(axis for row, _ in known for axis in axes if row.level(axis) == INACTIVE)
    notes += [f"{axis} is not active in {n} of the cells ({INACTIVE})." for axis, n in inactive.items()]
    diverged = sum(row.diverged for row, _ in known)
    verb = "run diverged and counts" if diverged == 1 else "runs diverged and count"
    return notes + ([f"{diverged} {verb} as measured."] if diverged else [])
