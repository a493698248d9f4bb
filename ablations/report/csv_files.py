"""Write results, runs and verdicts as CSV for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablations.analysis.results import Record, Row

if TYPE_CHECKING:
    from ablations.analysis.verdicts import Verdict

Matrix = tuple[list[str], list[list[Any]]]  # headings, lines
SIZES = ("params", "macs", "epochs", "steps", "seconds", "images_per_second")
ORIGIN = ("git", "device", "finished")  # of a record's provenance


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
    """A line a run of a study that left a record, failed ones included; the swept axes stand first."""
    runs = [(row, sorted((*row.runs, *row.failures), key=lambda record: record["seed"])) for row in rows]
    return records_table([(record, row.shown) for row, records in runs for record in records])


def records_table(runs: Sequence[tuple[Record, Mapping[str, Any]]]) -> Matrix:
    """A line a record: axes, seed, status, cause, metrics, sizes, times, and where it is from.

    Each run comes with the axes that stand first. An axis with the name of another column is called `axis NAME`.
    """
    axes = list(dict.fromkeys(axis for record, first in runs for axis in (*first, *record["axes"])))
    axes.sort(key=lambda axis: not any(axis in first for _, first in runs))
    metrics = list(dict.fromkeys(metric for record, _ in runs for metric in record["metrics"]))
    taken = {"label", "seed", "status", "cause", *metrics, *SIZES, "folder", "cell", "identity", *ORIGIN, "torch"}
    named = [f"axis {axis}" if axis in taken else axis for axis in axes]
    heads = ["label", *named, "seed", "status", "cause", *metrics, *SIZES, "folder", "cell", "identity"]
    lines = [
        [record["label"], *(first.get(axis, record["axes"].get(axis)) for axis in axes)]
        + [record[key] for key in ("seed", "status", "cause")]
        + [record["metrics"].get(metric) for metric in metrics]
        + [record.get(key) for key in (*SIZES, "folder", "cell", "identity")]
        + [(record.get("provenance") or {}).get(key) for key in ORIGIN]
        + [((record.get("provenance") or {}).get("versions") or {}).get("torch")]
        for record, first in runs
    ]
    return [*heads, *ORIGIN, "torch"], lines


def verdicts_table(verdicts: Sequence[Verdict]) -> Matrix:
    """A line a claim: what is claimed and found, and the setting of its published number."""
    heads = ["claim", "verdict", "metric", "expect", "effect", "low", "high", "n", "judged"]
    heads += ["p", "p_needed", "p_corrected", "looks_up_to", "planned", "after_the_fact"]
    heads += ["published", "published_of", "source", "reason"]
    lines = []
    for verdict in verdicts:
        effect = verdict.effect
        low, high = (effect.interval if effect else None) or (None, None)
        claim = [verdict.says, verdict.outcome, verdict.metric, verdict.expect]
        found = [effect.mean if effect else None, low, high, verdict.n if effect else None]
        found += [effect.judged if effect else None, verdict.p, verdict.level, verdict.adjusted, verdict.horizon]
        found += [verdict.planned, verdict.after_the_fact]
        lines.append([*claim, *found, verdict.published, verdict.setting, verdict.source, verdict.reason])
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
    """The metrics that some run has."""
    known = {metric for row in rows for run in row.runs for metric in run["metrics"]}
    return [name for name in (rows[0].metrics if rows else ()) if name in known]


def _swept(rows: Sequence[Row]) -> list[str]:
    return list(rows[0].shown) if rows else []
