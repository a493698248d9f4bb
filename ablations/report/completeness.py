"""Say what is missing from a study, for the top of every view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablations.analysis.results import Plan, Row


def incomplete(plan: Plan, rows: Sequence[Row], runs: Path) -> list[str]:
    """A sentence if runs are missing and one if trials are, with how many are in training now."""
    missing, planned = sum(row.missing for row in rows), sum(row.planned for row in rows)
    lines = []
    if plan["study"].get("tunings"):
        from ablations.monitor.status import TrialWatch

        now = TrialWatch(plan, runs).look()
        lines += [_words(now.planned - now.done, now.planned, "trials", len(now.training))] * (now.done < now.planned)
    if missing:
        from ablations.monitor.status import Watch

        lines.append(_words(missing, planned, "runs", len(Watch(plan, runs).look().training)))
    return lines


def diverged(rows: Sequence[Row]) -> list[str]:
    """The label of each run that diverged, with its first tensor that was not finite, where that is known."""
    runs = [run for row in rows for run in row.runs if run["status"] == "diverged"]
    return [f"{run['label']} ({first})" if (first := run.get("first_nonfinite")) else run["label"] for run in runs]


def _words(missing: int, planned: int, unit: str, training: int) -> str:
    now = f"{training} in training now" if training else "none in training now"
    return f"Not complete: {missing} of {planned} {unit} are missing ({now}). The results below are from the others."
