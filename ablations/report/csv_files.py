"""Write results, runs and verdicts as CSV for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablations.analysis.results import CALIBRATION, LESIONS, METRICS, Row

if TYPE_CHECKING:
    from ablations.analysis.verdicts import Verdict

Matrix = tuple[list[str], list[list[Any]]]  # headings, lines


def results_table(rows: Sequence[Row]) -> Matrix:
    """A line a cell: swept axes, counts, mean and sd of every metric (None where unknown), sizes, seconds."""
    metrics = _metrics(rows)
    stats = [f"{metric}_{part}" for metric in metrics for part in ("mean", "sd")]
    heads = [*_swept(rows), "n", "planned", "diverged", "failed", *stats, "params", "macs", "seconds", "cell"]
    lines = [
        [*row.shown.values(), row.n, row.planned, row.diverged, row.failed]
        + [value for metric in metrics for value in (row.metrics[metric].mean, row.metrics[metric].sd)]
        + [row.params, row.macs, row.seconds.mean, row.cell]
        for row in rows
    ]
    return heads, lines


def runs_table(rows: Sequence[Row]) -> Matrix:
    """A line a run that left a record, failed ones included."""
    metrics = _metrics(rows)
    heads = ["label", *_swept(rows), "seed", "status", "cause", *metrics, "epochs", "seconds", "folder"]
    lines = [
        [record["label"], *row.shown.values(), record["seed"], record["status"], record["cause"]]
        + [record["metrics"].get(metric) for metric in metrics]
        + [record.get("epochs"), record.get("seconds"), record["folder"]]
        for row in rows
        for record in sorted((*row.runs, *row.failures), key=lambda record: record["seed"])
    ]
    return heads, lines


def verdicts_table(verdicts: Sequence[Verdict], settings: Sequence[str]) -> Matrix:
    """A line a claim: what is claimed and found, and the setting of its published number."""
    heads = ["claim", "verdict", "metric", "expect", "effect", "low", "high", "n", "judged"]
    heads += ["p", "p_needed", "p_corrected", "looks_up_to", "planned", "after_the_fact"]
    heads += ["published", "published_of", "source", "reason"]
    lines = []
    for verdict, setting in zip(verdicts, settings, strict=True):
        effect = verdict.effect
        low, high = (effect.interval if effect else None) or (None, None)
        claim = [verdict.says, verdict.outcome, verdict.metric, verdict.expect]
        found = [effect.mean if effect else None, low, high, verdict.n if effect else None]
        found += [effect.judged if effect else None, verdict.p, verdict.level, verdict.adjusted, verdict.horizon]
        found += [verdict.planned, verdict.after_the_fact]
        lines.append([*claim, *found, verdict.published, setting, verdict.source, verdict.reason])
    return heads, lines


def as_csv(matrix: Matrix) -> str:
    """CSV text; unknown values are left empty."""
    file = io.StringIO()
    heads, lines = matrix
    csv.writer(file, lineterminator="\n").writerows([list(map(_no_formula, line)) for line in (heads, *lines)])
    return file.getvalue()


def _no_formula(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _metrics(rows: Sequence[Row]) -> list[str]:
    """The metrics of every run, and those that only some runs have, where one has them."""
    known = {metric for row in rows for run in row.runs for metric in run["metrics"]}
    return [*METRICS, *(metric for metric in (*CALIBRATION, *LESIONS) if metric in known)]


def _swept(rows: Sequence[Row]) -> list[str]:
    return list(rows[0].shown) if rows else []
