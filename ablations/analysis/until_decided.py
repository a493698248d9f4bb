"""Add seeds to a study, one or a few at a time, in the cells that its open claims name, until every claim is decided.

    1. Train the first seeds of every cell.
    2. Judge all claims. Stop if none is open, or if the open ones have the most seeds, or no prospect of being decided.
    3. Add a seed to the cells of the open claims, or a few where many more will be needed; train them, go on at 2.

What is trained in the end depends on the numbers alone, never on which run ended first: `with_needed_seeds` follows
these steps from the first one, by the records there are. Where a step waits for runs, a claim that would stay open
whatever they bring goes on meanwhile: its next seed is needed in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan, Record
from ablations.analysis.statistics import ALPHA
from ablations.analysis.verdicts import INCONCLUSIVE, Verdict, judge, level_of
from ablations.question.seeds import SeedDesign, seed_design

TYPICAL = 5  # seeds that decide a claim whose effect is two standard deviations; taken where nothing is measured yet
EVEN = 0.5  # the power at which a claim is as likely as not to be decided
PATIENCE, HOPELESS = 10, 0.1  # from so many seeds on, a claim with less power than this at the last look gets no more
SIXTH, MOST_AT_ONCE = 6, 4  # a claim gets this part of the seeds that it needs, and no more than so many, in one step

Counts = dict[str, int]  # cell → how many of its seeds are planned


def with_needed_seeds(plan: Plan, records: Mapping[str, Record], runs: Path) -> Plan:
    """The plan with the seeds that its claims need by now: of a cell's `further` runs some become its `runs`."""
    design = _design(plan)
    if design is None:
        return plan
    counts: Counts = {}
    level = level_of(plan["study"])
    exact = True  # whether every step so far had all its runs
    while True:
        now = _with_counts(plan, counts)
        exact = exact and all(run["identity"] in records for run in _runs(now))
        verdicts = judge(now, records, runs=runs)
        going_on = [one for one in verdicts if one.outcome == INCONCLUSIVE and _has_prospect(one, design, level)]
        going_on = [one for one in going_on if exact or _open_anyway(one, level)]
        more = _further(now, going_on, design, at_once=MOST_AT_ONCE if exact else 1)
        if not more:
            return now
        counts |= more


def expected_runs(plan: Plan, records: Mapping[str, Record], runs: Path) -> tuple[int, int, int]:
    """The least, the expected and the largest number of runs of the whole study.

    A claim that is open is expected to need as many seeds as decide it as likely as not, if its effect is as measured
    so far; a claim of which nothing is measured, `TYPICAL` seeds.
    """
    now, design = with_needed_seeds(plan, records, runs), _design(plan)
    counts = {cell["cell"]: len(cell["runs"]) for cell in now["cells"]}
    least = sum(counts.values())
    if design is None:
        return least, least, least
    expected, most = dict(counts), dict(counts)
    for verdict in judge(now, records, runs=runs):
        if verdict.open:
            wanted = _expected_seeds(verdict, design)
            for cell in verdict.cells:
                expected[cell] = max(expected[cell], wanted)
                most[cell] = max(most[cell], design.most)
    return least, sum(expected.values()), sum(most.values())


def _design(plan: Plan) -> SeedDesign | None:
    """The design of a study that adds seeds; None of one that does not."""
    seeds = plan["study"].get("seeds")
    return None if seeds is None or isinstance(seeds, list) else seed_design(seeds)


def _open_anyway(verdict: Verdict, level: float) -> bool:
    """Whether a claim stays open even if all other claims are decided, and pass their shares of the level on."""
    found = verdict.evidence
    return found is not None and min(found.looked_inside, found.looked_outside) > level


def _has_prospect(verdict: Verdict, design: SeedDesign, level: float) -> bool:
    """Whether a claim may still be decided; its power is computed as if all other claims were decided."""
    if verdict.evidence is None or verdict.n < PATIENCE:
        return True
    return bool(verdict.evidence.power([design.most], level)[0] >= HOPELESS)


def _further(plan: Plan, verdicts: list[Verdict], design: SeedDesign, *, at_once: int) -> Counts:
    """The cells of these claims that get further seeds, with their new counts."""
    counts = {cell["cell"]: len(cell["runs"]) for cell in plan["cells"]}
    most = {cell["cell"]: len({run["seed"] for run in (*cell["runs"], *cell["further"])}) for cell in plan["cells"]}
    wanted: Counts = {}
    for verdict in verdicts:
        needed = design.most if verdict.more_seeds is None else verdict.more_seeds
        step = max(1, min(at_once, needed // SIXTH))
        for cell in verdict.cells:
            wanted[cell] = max(wanted.get(cell, 0), min(verdict.n + step, design.most, most[cell]))
    return {cell: count for cell, count in wanted.items() if count > counts[cell]}


def _expected_seeds(verdict: Verdict, design: SeedDesign) -> int:
    if verdict.evidence is None:
        return min(TYPICAL, design.most)
    return verdict.evidence.seeds_needed(verdict.share or ALPHA, power=EVEN) or design.most


def _with_counts(plan: Plan, counts: Mapping[str, int]) -> dict[str, Any]:
    """The plan with so many runs of each cell."""
    cells = [
        {**cell, "runs": [*cell["runs"], *cell["further"]][: max(len(cell["runs"]), counts.get(cell["cell"], 0))]}
        for cell in plan["cells"]
    ]
    return {**plan, "cells": cells}


def _runs(plan: Plan) -> Iterator[Mapping[str, Any]]:
    return (run for cell in plan["cells"] for run in cell["runs"])
