"""Find what a study's picture shows: the metrics that its claims judge, and the cells that they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablations.analysis.claim_effects import NotTestable, resolve_cells
from ablations.analysis.claim_schema import Claim, check_claims
from ablations.analysis.metrics import Metric, read_metric
from ablations.analysis.results import Plan, Row
from ablations.charts.options import DEFAULTS, FigureOptions
from ablations.records.task_metrics import shown_metric, shown_pair

MOST_CELLS = 24  # beyond this, cells that no claim names are left out


@dataclass(frozen=True)
class Judged:
    """A metric to draw, and the cells that the claims compare by it (indices of rows)."""

    metric: Metric
    cells: frozenset[int]


@dataclass(frozen=True)
class Focus:
    """What the claims of a study are about; without claims, everything.

    Attributes:
        judged: the metrics, in the order of the claims.
        peers: the cells that the claims name, and those that have as many seeds; the others are context.
        shown: the cells to draw: all of a small study, of a large one those that the claims name.
        varied: axis → how many claims compare its values.
    """

    judged: list[Judged]
    peers: frozenset[int]
    shown: frozenset[int]
    varied: Mapping[str, int]


def focus_of(plan: Plan, rows: Sequence[Row], options: FigureOptions = DEFAULTS) -> Focus:
    """Read the claims, and find their cells among the rows."""
    varied, judged = Counter[str](), dict[str, Judged]()
    at = {row.cell: index for index, row in enumerate(rows)}
    for claim in check_claims(plan["study"]):
        try:
            cells = frozenset(at[cell] for cell in resolve_cells(claim, rows)[0])
        except NotTestable:
            continue
        varied.update(_compared(claim))
        if not claim.metric.is_count:
            known = judged.get(claim.metric.text, Judged(claim.metric, frozenset())).cells
            judged[claim.metric.text] = Judged(claim.metric, known | cells)
    every = frozenset(range(len(rows)))
    named = frozenset(cell for one in judged.values() for cell in one.cells) or every
    seeds = min((rows[cell].planned for cell in named), default=0)
    peers = named | {cell for cell in every if rows[cell].planned >= max(2, seeds)}
    shown = every if len(every) <= MOST_CELLS else peers if len(peers) <= MOST_CELLS else named
    metrics = _metrics(list(judged.values()), named, plan, options)
    return Focus(metrics, peers, shown, varied)


def _compared(claim: Claim) -> list[str]:
    """The axes of which a claim names several values."""
    named: dict[str, set[str]] = {}
    for cell in claim.cells:
        for axis, value in cell.items():
            named.setdefault(axis, set()).add(str(value))
    return [axis for axis, values in named.items() if len(values) > 1]


def _metrics(judged: list[Judged], named: frozenset[int], plan: Plan, options: FigureOptions) -> list[Judged]:
    """The metrics to draw: those asked for, else those judged; of the task's own, training and test."""
    if options.metrics:
        known = {one.metric.text: one.cells for one in judged}
        asked = [read_metric(text, plan["study"].get("metrics")) for text in options.metrics]
        return [Judged(metric, known.get(metric.text, named)) for metric in asked]
    both = ends_of(plan)
    if not all(one.metric.text in (*both, shown_metric(plan["study"], "val")) for one in judged):
        return judged
    texts = dict.fromkeys([*both, *(one.metric.text for one in judged)])
    return [Judged(read_metric(text, plan["study"].get("metrics")), named) for text in texts]


def ends_of(plan: Plan) -> tuple[str, ...]:
    """The metric that a study's runs are judged by, on the training and the test set."""
    return shown_pair(plan["study"], "train", "test")
