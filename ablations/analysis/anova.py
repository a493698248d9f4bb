"""Measure what each axis does, and each pair of axes together: analysis of variance over the cells of a study.

Seeds are blocks: seed k has the same data order in every cell, so what it shares with all cells is taken out. Variances
are not pooled: a deep plain net may scatter a hundred times as much as a residual one. With the vector m of the means
of the cells, the matrix V of their estimated covariances (those over the n seeds, divided by n), and the projector M of
a term (anova_terms.py),

    F = mᵀM m / tr(MV),   f = tr(MV)² / tr(MVMV),   p = P(F(f, (n − 1) f) > F).

F is that of repeated measures, with the degrees of freedom of Box (1954) as estimated by Geisser and Greenhouse (1958).
With one degree of freedom it is the square of Student's paired t. It kept its level for all covariances that were
simulated (benchmarks/effects.py), and unlike Hotelling's T² it needs no more seeds than a term has degrees of freedom.
If the cells have no two seeds in common, their first seeds are paired, their second ones, and so on: of independent
numbers any pairs will do (Scheffé 1943).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablations.analysis.anova_notes import Values, failure_note, grid_notes, names, seeds_note, spread_note
from ablations.analysis.anova_terms import Projected, nesting, project, varying
from ablations.analysis.cell_selection import BUDGET, raw_cells, selection_error
from ablations.analysis.metrics import read_metric
from ablations.analysis.results import INACTIVE, Plan, Record, Row, result_rows
from ablations.analysis.statistics import holm


@dataclass(frozen=True)
class Term:
    """The effect of one axis, of two axes together, or of three and more together.

    Attributes:
        within: the axes that the term's axes are nested in.
        df: degrees of freedom of the term; 0 if the grid cannot tell it from others.
        share: the fraction of the variation of all runs that only this term explains.
        f: None without degrees of freedom, or if no seed differs from another.
        p: None without degrees of freedom; if no seed differs from another, that of the sign test.
        adjusted: p after Holm's correction over the terms of the table.
    """

    axes: tuple[str, ...]
    within: tuple[str, ...]
    df: int
    share: float
    f: float | None = None
    p: float | None = None
    adjusted: float | None = None

    @property
    def name(self) -> str:
        """`depth × body.reduction within body`."""
        return " × ".join(self.axes) + (f" within {' and '.join(self.within)}" if self.within else "")


@dataclass(frozen=True)
class AxisEffects:
    """The analysis of variance of one metric.

    Attributes:
        levels: axis → value → the mean of the means of the cells with this value; of a nested axis, where it is active.
        seed_share: the fraction of the variation of all runs that lies between the seeds of a cell.
        notes: sentences for the reader: what was analysed, what was left out, what is missing.
    """

    metric: str
    terms: tuple[Term, ...]
    levels: dict[str, dict[str, float]]
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
    """The effects of a study's swept axes on a metric, over the cells that agree with `where`.

    A cell with an infinite value, or with fewer than two seeds, is left out as a whole, and named.

    Raises:
        ValueError: fewer than two cells are left, or a metric that was not measured.
    """
    wanted = read_metric(metric, plan["study"].get("metrics"))
    every = result_rows(plan, records)
    rows = raw_cells(where or {}, every)
    if where and not rows:
        raise ValueError(selection_error(where, rows, every))
    measured: list[tuple[Row, Values]] = []
    for row in rows:
        values = {run["seed"]: wanted.value(run, runs) for run in row.runs}
        if missing := [str(run["label"]) for run in row.runs if values[run["seed"]] is None]:
            raise ValueError(f"{metric} was not measured in {missing[0]}: choose another --metric, such as train_error")
        measured.append((row, {seed: float(value) for seed, value in values.items() if value is not None}))
    infinite = [row for row, values in measured if not all(map(math.isfinite, values.values()))]
    known = [(row, values) for row, values in measured if row not in infinite and len(values) > 1]
    short = [row for row, values in measured if row not in infinite and len(values) == 1]
    aside = {BUDGET, "width"} if BUDGET in plan["swept"] else set()  # a matched width follows from the other axes
    swept = [axis for axis in plan["swept"] if axis not in aside]
    cells = [{axis: row.level(axis) for axis in swept} for row, _ in known]
    axes = varying(swept, cells) if known else []
    if not axes:
        found = f"there {'is' if len(known) == 1 else 'are'} {len(known)} of {len(rows)}"
        raise ValueError(
            f"effects need two cells with two seeds and finite values each; {found}"
            + (f" ({metric} is infinite in {names(infinite, swept)}: choose another --metric)" if infinite else "")
        )
    notes = [f"{metric} is infinite in {names(infinite, swept)}: left out, and nothing here is about these cells."]
    notes = notes * bool(infinite) + grid_notes(rows, known, axes, cells)
    notes += [f"With fewer than two seeds, and left out: {names(short, swept)}."] if short else []
    return _analyse(metric, axes, cells, known, notes)


def _analyse(
    metric: str, axes: list[str], cells: list[dict[str, str]], known: list[tuple[Row, Values]], notes: list[str]
) -> AxisEffects:
    import numpy as np

    common = sorted(set.intersection(*({*values} for _, values in known)))
    n = len(common) if len(common) > 1 else min(len(values) for _, values in known)
    numbers = np.array(
        [[values[seed] for seed in (common if len(common) > 1 else sorted(values)[:n])] for _, values in known]
    )
    means = numbers.mean(axis=1)
    covariances = np.cov(numbers) / n
    tiny = 1e-20 * float((numbers**2).sum())  # rounding
    total = float(((numbers - numbers.mean()) ** 2).sum())
    within = float(((numbers - means[:, None]) ** 2).sum())
    within, total = (0.0 if ss <= tiny else ss for ss in (within, total))
    terms = [_test(term, means, covariances, n, total, tiny) for term in project(axes, cells)]
    tested = [term for term in terms if term.p is not None]
    corrected = dict(zip(map(id, tested), holm([term.p for term in tested if term.p is not None]), strict=True))
    terms = [replace(term, adjusted=corrected.get(id(term))) for term in terms]
    levels = {axis: _level_means(axis, cells, means, nested=axis in nesting(axes, cells)) for axis in axes}
    share = within / total if total else 0.0
    notes = [seeds_note(known, common, n), *notes, spread_note(known, axes, numbers, share), failure_note(n)]
    return AxisEffects(metric, tuple(terms), levels, share, tuple(notes))


def _test(term: Projected, means: Any, covariances: Any, n: int, total: float, tiny: float) -> Term:
    """Test whether the means of the cells, projected on a term, are zero.

    Args:
        n: seeds of each cell.
        total: the sum of squares of all runs, of which the term's is a share.
        tiny: sums of squares below this are rounding.
    """
    axes, within, df, projector = term
    if df == 0:
        return Term(axes, within, 0, 0.0)
    gained = n * float(means @ projector @ means)
    if not total or gained <= max(1e-12 * total, tiny):
        return Term(axes, within, df, 0.0, 0.0, 1.0)
    if n * float((projector * covariances).sum()) <= tiny:
        return Term(axes, within, df, gained / total, None, 0.5 ** (n - 1))
    f, p = projected_f(projector, means, covariances, n)
    return Term(axes, within, df, gained / total, float(f), max(float(p), sys.float_info.min))


def projected_f(projector: Any, means: Any, covariances: Any, n: int) -> tuple[Any, Any]:
    """F and p of "the means, projected, are zero", as the head of this file says.

    Args:
        means: (…, cells).
        covariances: of the means: (…, cells, cells).
        n: seeds of each cell.
    """
    import numpy as np
    from scipy import stats

    squares = np.einsum("...i,ij,...j", means, projector, means)
    spread = projector @ covariances
    error = np.einsum("...ii", spread)
    freedom = error**2 / np.einsum("...ij,...ji", spread, spread)
    return squares / error, stats.f.sf(squares / error, freedom, (n - 1) * freedom)


def _level_means(axis: str, cells: Sequence[Mapping[str, str]], means: Any, *, nested: bool) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for cell, mean in zip(cells, means, strict=True):
        if not (nested and cell[axis] == INACTIVE):
            found.setdefault(cell[axis], []).append(float(mean))
    return {level: math.fsum(values) / len(values) for level, values in found.items()}
