"""Estimate the effects of a claim: find the cells it names, pair their runs by seed, and form its contrasts.

What is judged of the paired numbers:

    the mean, by Student's t          a contrast; of errors, where the seeds of each cell end near each other
    the mean, by betting              a contrast of errors where seeds of a cell end far apart: some fail to train
    the median, by signs              one cell against a bound; a contrast of which some numbers are infinite
    the mean against a published one  by Welch's t, with the published spread
    the share of the seeds            `diverged`
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from pathlib import Path

from ablations.analysis.betting import BoundedMean
from ablations.analysis.cell_selection import select, selection_error
from ablations.analysis.claim_schema import Claim
from ablations.analysis.failing_seeds import Scatter, training_scatter, wide_scatter
from ablations.analysis.nonparametric import ExactCount, PairedProportions, Proportion, Typical
from ablations.analysis.published import Agreement, agreement
from ablations.analysis.results import Row
from ablations.analysis.statistics import Effect, difference_of
from ablations.question.seeds import LEAST

Coefficients = Mapping[str, int]  # cell → +1, −1, or a multiple where a contrast names the cell more than once
Values = Mapping[str, Mapping[int, float]]  # cell → seed → metric
ROUNDED = 20  # times smaller than every difference: such a common step comes from rounding
FINEST = 2000  # the step of a metric between two ends is at most this part of its range, where nobody knows it


class NotTestable(Exception):
    """The records cannot answer a claim yet; the message says why."""


@dataclass(frozen=True)
class Estimates:
    """The effects of a claim's hypotheses.

    Attributes:
        notes: what a reader must know about them.
        waiting: the runs that keep further seeds from being judged.
        diverged: how many of the compared runs diverged.
        seeds: those that were judged.
    """

    effects: tuple[Effect, ...]
    notes: tuple[str, ...]
    waiting: str
    diverged: int
    seeds: tuple[int, ...]


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
    """The effects of a claim about counts.

    Raises:
        NotTestable: a cell has not been counted.
    """
    counts = {cell: getattr(row, claim.metric.name) for cell, row in cells.items()}
    if None in counts.values():
        raise NotTestable(f"{claim.metric.text} has not been counted in every cell")
    sums = [sum(factor * counts[cell] for cell, factor in coefficients.items()) for coefficients in contrasts]
    return tuple(ExactCount((float(value),)) for value in sums)


def common_seeds(cells: Mapping[str, Row]) -> list[int]:
    """The seeds that the study wants of all these cells, in their order."""
    first, *others = cells.values()
    return [seed for seed in first.seeds if all(seed in row.seeds for row in others)]


def judged_seeds(cells: Mapping[str, Row], *, fixed: bool) -> tuple[list[int], str]:
    """The seeds that can be judged now, and a sentence on the runs that more of them wait for.

    They are taken in their order up to the first that is missing in a cell: which run ends first must not decide
    what is looked at. Seeds of a fixed design are judged when all are there.

    Raises:
        NotTestable: there are too few.
    """
    wanted, there = common_seeds(cells), []
    known = [{run["seed"] for run in row.runs} for row in cells.values()]
    for seed in wanted:
        if any(seed not in seeds for seeds in known):
            break
        there.append(seed)
    waiting = _waiting(cells, wanted[len(there) :])
    count = f"{len(there)} of {len(wanted)} seeds"
    if len(wanted) < LEAST:
        raise NotTestable(f"needs at least {LEAST} seeds, has {len(wanted)}")
    if fixed and len(there) < len(wanted):
        raise NotTestable(f"{waiting or 'a list of seeds is judged once, when all are trained'}; {count} are there")
    if len(there) < LEAST:
        raise NotTestable(f"{waiting}; {count} are there" if waiting else f"needs at least {LEAST} seeds, has {count}")
    return there, waiting


def estimate_effects(
    claim: Claim, cells: Mapping[str, Row], contrasts: Sequence[Coefficients], runs: Path, *, fixed: bool
) -> Estimates:
    """The effects over the seeds that all cells have; `fixed`: whether the seeds are a list, judged once.

    Raises:
        NotTestable: too few common seeds, or a run in which the metric was not measured.
    """
    seeds, waiting = judged_seeds(cells, fixed=fixed)
    values: dict[str, dict[int, float]] = {cell: {} for cell in cells}
    for cell, row in cells.items():
        for run in row.runs:
            if run["seed"] in seeds:
                found = claim.metric.value(run, runs)
                if found is None:
                    raise NotTestable(f"{claim.metric.text} was not measured in {run['label']} ({run['status']})")
                low, high = claim.metric.bounds or (-math.inf, math.inf)
                if not low <= found <= high:
                    says = f"{claim.metric.text} is {found:g} in {run['label']}, not between {low:g} and {high:g}"
                    raise NotTestable(says)
                values[cell][run["seed"]] = float(found)
    scatter = {cell: found for cell, row in cells.items() if (found := _scatter(claim, row, values[cell], seeds))}
    effects = tuple(_effect(claim, coefficients, values, seeds, scatter) for coefficients in contrasts)
    diverged = sum(run["status"] == "diverged" and run["seed"] in seeds for row in cells.values() for run in row.runs)
    notes = [f"{diverged} diverged" if diverged and not claim.metric.is_fraction else ""]
    notes += [_scatter_words(cells[cell], found, len(seeds)) for cell, found in scatter.items()]
    notes += [_typical_words(effect) for effect in effects if isinstance(effect, BoundedMean)][:1]
    infinite = sum(not all(map(math.isfinite, effect.values)) for effect in effects)
    notes += ["some are infinite" if infinite else ""]
    notes += [effect.words for effect in effects if isinstance(effect, Agreement)]
    return Estimates(effects, tuple(filter(None, notes)), waiting, diverged, tuple(seeds))


def _effect(
    claim: Claim, coefficients: Coefficients, known: Values, seeds: Sequence[int], scatter: Mapping[str, Scatter]
) -> Effect:
    """One number a seed, with the test that suits it; infinity minus infinity is nan, a tie for signs."""
    values = tuple(float(sum(factor * known[cell][seed] for cell, factor in coefficients.items())) for seed in seeds)
    single, metric = len(coefficients) == 1 and list(coefficients.values()) == [1], claim.metric
    if metric.is_fraction:
        return Proportion(values) if single else PairedProportions(values)
    steady = all(map(math.isfinite, values)) and not any(cell in scatter for cell in coefficients)
    if claim.agrees and claim.published and steady:
        published = claim.published
        return agreement(values, published.mean, published.sd, published.n, unit=_unit(claim, known, values))
    if single or not all(map(math.isfinite, values)):
        return Typical(values, single=single)
    if any(cell in scatter for cell in coefficients):
        if metric.bounds is None:
            return Typical(values)
        ends = [sorted((factor * metric.bounds[0], factor * metric.bounds[1])) for factor in coefficients.values()]
        return BoundedMean(values, sum(low for low, _ in ends), sum(high for _, high in ends))
    scale = max(abs(known[cell][seed]) for cell in coefficients for seed in seeds)
    return difference_of(values, scale=scale, unit=_unit(claim, known, values), judged="mean of seeds like these")


def _scatter(claim: Claim, row: Row, values: Mapping[int, float], seeds: Sequence[int]) -> Scatter | None:
    """How far apart a cell's seeds end: by the metric where it lies between two ends, or by the training error."""
    metric = claim.metric
    if metric.is_fraction:
        return None
    known = wide_scatter(values, *metric.bounds, worse=-metric.better or 1) if metric.bounds else None
    return known or training_scatter(row, seeds)


def _unit(claim: Claim, values: Values, contrast: Sequence[float]) -> float:
    """The step in which a metric is counted; `contrast` are the paired numbers, one a seed.

    Equal numbers among others show that it is counted in steps, such as one image of a test set. The step is then what
    all differences are multiples of; of rounded numbers, which have no such step, it is the smallest difference. Where
    no numbers are equal, or fewer than three differ, nobody knows: it is at most range / FINEST.
    """
    known = sorted(value for cell in values.values() for value in cell.values() if math.isfinite(value))
    scale = max(map(abs, known), default=0.0)
    gaps = [b - a for a, b in pairwise(known)]
    steps = [gap for gap in gaps if gap > 1e-9 * scale]
    tied = len(steps) < len(gaps) or any(b - a <= 1e-9 * scale for a, b in pairwise(sorted(contrast)))
    bounds = claim.metric.bounds
    if not tied or len(steps) < 2:
        return min([(bounds[1] - bounds[0] if bounds else scale) / FINEST, *steps])
    common = reduce(_common_step, [abs(value) for value in known if value] + steps)
    return common if common > min(steps) / ROUNDED else min(steps)


def _common_step(a: float, b: float) -> float:
    """The largest number that both are multiples of, to within rounding (Euclid)."""
    small = 1e-6 * max(a, b)
    while b > small:
        a, b = b, min(a % b, b - a % b)
    return a


def _waiting(cells: Mapping[str, Row], seeds: Sequence[int]) -> str:
    """A sentence on the failed runs with these seeds; empty where none failed."""
    failed = [run for row in cells.values() for run in row.failures if run["seed"] in seeds]
    if not failed:
        return ""
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"waits for {failed[0]['label']}{more}, which failed ({failed[0]['cause']}): retry=failed trains it again"


def _scatter_words(row: Row, found: Scatter, n: int) -> str:
    name = next((run["label"].rpartition("-s")[0] for run in row.runs), row.cell)
    if found.failing:
        return f"{name} fails to train in {len(found.failing)} of {n} seeds"
    return f"the seeds of {name} end up to {found.width:.3g} points of error apart"


def _typical_words(effect: BoundedMean) -> str:
    above = sum(value > 0 for value in effect.values)
    return f"the typical seed {Typical(effect.values).mean:+.2f}, {above} of {effect.n} seeds above 0"
