"""Estimate the effects of a claim: find the cells it names, pair their runs by seed, and form its contrasts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.cell_selection import select, selection_error
from ablations.analysis.claim_schema import Claim
from ablations.analysis.nonparametric import ExactCount, PairedProportions, Proportion, SignedRank
from ablations.analysis.results import Row
from ablations.analysis.statistics import Difference, Effect, difference_of

Coefficients = Mapping[str, int]  # cell → +1, −1, or a multiple where a contrast names the cell more than once


class NotTestable(Exception):
    """The records cannot answer a claim yet; the message says why."""


def resolve_cells(claim: Claim, rows: Sequence[Row]) -> tuple[dict[str, Row], list[Coefficients]]:
    """The rows that a claim compares, and for each of its hypotheses the coefficient of each cell.

    Raises:
        NotTestable: a selector matches no cell or several, or all coefficients of a contrast are zero.
    """
    cells: dict[str, Row] = {}
    contrasts: list[Coefficients] = []
    for hypothesis in claim.hypotheses:
        coefficients: Counter[str] = Counter()
        for sign, selector in hypothesis.cells:
            found = select(selector, rows)
            if len(found) != 1:
                raise NotTestable(selection_error(selector, found, rows))
            cells[found[0].cell] = found[0]
            coefficients[found[0].cell] += sign
        contrasts.append({cell: factor for cell, factor in coefficients.items() if factor})
        if not contrasts[-1]:
            raise NotTestable("plus and minus are the same cell: the axis that differs is not active in it")
    return cells, contrasts


def count_effects(claim: Claim, cells: Mapping[str, Row], contrasts: Sequence[Coefficients]) -> tuple[ExactCount, ...]:
    counts = {cell: getattr(row, claim.metric.name) for cell, row in cells.items()}
    if None in counts.values():
        raise NotTestable(f"{claim.metric.text} has not been counted in every cell")
    sums = [sum(factor * counts[cell] for cell, factor in coefficients.items()) for coefficients in contrasts]
    return tuple(ExactCount((float(value),)) for value in sums)


def estimate_effects(
    claim: Claim, cells: Mapping[str, Row], contrasts: Sequence[Coefficients], runs: Path
) -> tuple[tuple[Effect, ...], list[str], int]:
    """The effects over the seeds that all cells have, notes for the reader, and how many of the runs diverged.

    Raises:
        NotTestable: fewer than two common seeds, or a run in which the metric was not measured.
    """
    values = {cell: {run["seed"]: claim.metric.value(run, runs) for run in row.runs} for cell, row in cells.items()}
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in values.values())))
    planned = max(row.planned for row in cells.values())
    if len(seeds) < 2:
        raise NotTestable(f"needs at least 2 seeds, has {len(seeds)} of {planned}")
    for row in cells.values():
        for run in row.runs:
            if run["seed"] in seeds and values[row.cell][run["seed"]] is None:
                raise NotTestable(f"{claim.metric.text} was not measured in {run['label']} ({run['status']})")
    effects = tuple(_effect(claim, coefficients, values, seeds) for coefficients in contrasts)
    diverged = sum(run["status"] == "diverged" and run["seed"] in seeds for row in cells.values() for run in row.runs)
    notes = [f"{len(seeds)} of {planned} seeds" if len(seeds) < planned else ""]
    notes += [f"{diverged} diverged" if diverged and not claim.metric.is_fraction else ""]
    notes += ["some are infinite: signed ranks, median" if any(isinstance(e, SignedRank) for e in effects) else ""]
    flat = any(isinstance(effect, Difference) and effect.sd == 0 for effect in effects)
    return effects, [*notes, "every seed gives the same number: sign test" if flat else ""], diverged


def _effect(
    claim: Claim, coefficients: Coefficients, known: Mapping[str, Mapping[int, Any]], seeds: Sequence[int]
) -> Effect:
    """One number a seed, with the test that suits it; infinity minus infinity is nan, a tie for SignedRank."""
    values = tuple(float(sum(factor * known[cell][seed] for cell, factor in coefficients.items())) for seed in seeds)
    single = len(coefficients) == 1
    if claim.metric.is_fraction:
        return Proportion(values) if single else PairedProportions(values)
    if not all(map(math.isfinite, values)):
        return SignedRank(values, single=single)
    return difference_of(values, scale=max(abs(known[cell][seed]) for cell in coefficients for seed in seeds))
