"""Measure what each axis does, and each pair of axes together: analysis of variance over the cells of a study.

Each main effect and each interaction of two axes is a term of a linear model. Its sum of squares (SS, Type II) is what
the fit loses without the term and the terms that contain it. The error is the variation between the seeds of a cell:

    F = (SS of the term / its degrees of freedom) / (SS within the cells / (runs − cells))

If cells are missing, a term may not be separable from others: it has no degrees of freedom, and is marked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import BUDGET, raw_cells, selection_error
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import INACTIVE, Plan, Record, Row, result_rows

HIGHER_ORDER = "three and more together"


@dataclass(frozen=True)
class Term:
    """The effect of one axis, of two axes together, or (HIGHER_ORDER) of three and more together.

    Attributes:
        df: degrees of freedom; 0 if the grid cannot tell the term from others.
        share: the fraction of the variation of all runs that only this term explains.
        f, p: None without degrees of freedom; if all seeds of a cell agree, F is infinite and p is 0.
    """

    axes: tuple[str, ...]
    df: int
    share: float
    f: float | None
    p: float | None


@dataclass(frozen=True)
class AxisEffects:
    """The analysis of variance of one metric.

    Attributes:
        levels: axis → value → the mean of the means of the cells with this value.
        seed_sd: the standard deviation between the seeds of a cell, pooled over the cells.
        seed_share: the fraction of the variation of all runs that lies between the seeds of a cell.
        notes: sentences for the reader: how many runs, what is unbalanced, what is missing.
    """

    metric: str
    terms: tuple[Term, ...]
    levels: dict[str, dict[str, float]]
    seed_sd: float
    seed_share: float
    notes: tuple[str, ...]


def axis_effects(
    plan: Plan,
    records: Mapping[str, Record],
    *,
    metric: str = "test_error",
    where: Mapping[str, Any] | None = None,
    runs: Path = Path("runs"),
) -> AxisEffects:
    """The effects of a study's swept axes on a metric.

    Args:
        where: only the cells with these values (axis → value).

    Raises:
        ValueError: fewer than two cells, no cell with two seeds, or a metric that was not measured or is infinite.
    """
    wanted = read_metric(metric)
    every = result_rows(plan, records)
    rows = raw_cells(where or {}, every)
    if where and not rows:
        raise ValueError(selection_error(where, rows, every))
    measured = [[(wanted.value(run, runs), str(run["label"])) for run in row.runs] for row in rows]
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


def _analyse(metric: str, axes: list[str], known: list[tuple[Row, list[float]]], notes: list[str]) -> AxisEffects:
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
        """The residual sum of squares, and the rank of the design matrix."""
        basis, sizes, _ = np.linalg.svd(np.hstack([ones, *(columns[term] for term in terms)]), full_matrices=False)
        basis = basis[:, sizes > 1e-9 * sizes[0]]  # the indicators of all levels are linearly dependent
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
        terms.append(_term((HIGHER_ORDER,), len(known) - rank, max(0.0, without - within), within / free, free, total))
    levels = {axis: _level_means(axis, known) for axis in axes}
    share = within / total if total else 0.0
    return AxisEffects(metric, tuple(terms), levels, math.sqrt(within / free), share, tuple(notes))


def _term(axes: tuple[str, ...], df: int, gained: float, error: float, free: int, total: float) -> Term:
    """Test a sum of squares (`gained`) against the variance between seeds (`error`, with `free` degrees of freedom)."""
    from scipy import stats

    if df == 0:
        return Term(axes, 0, 0.0, None, None)
    if not total or gained <= 1e-12 * total:
        return Term(axes, df, 0.0, 0.0, 1.0)
    f = (gained / df) / error if error else math.inf
    return Term(axes, df, gained / total, f, float(stats.f.sf(f, df, free)) if error else 0.0)


def _indicators(levels: Sequence[str]) -> Any:
    """One column for each level: 1 in the rows of the runs that have it, else 0."""
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
        present = f"only {there} of the {full} combinations of {', '.join(axes)} have cells"
        notes.append(f"Incomplete grid: {present}; effects and means say nothing about the others.")
    inactive = Counter(axis for row, _ in known for axis in axes if row.level(axis) == INACTIVE)
    notes += [f"{axis} is not active in {n} of the cells ({INACTIVE})." for axis, n in inactive.items()]
    diverged = sum(row.diverged for row, _ in known)
    verb = "run diverged and counts" if diverged == 1 else "runs diverged and count"
    return notes + ([f"{diverged} {verb} as measured."] if diverged else [])
