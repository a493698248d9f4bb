"""Say what is missing from a study and what went wrong, for every view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Record, Row, invalid_points
from ablations.plan.staleness import file_words, outdated
from ablations.question.wording import and_more

LISTED = 6  # of many similar troubles, so many are named


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


def outdated_words(plan: Plan, records: Iterable[Record]) -> list[str]:
    """A sentence if some of a study's records were made by other code than today's, with the command to type."""
    shown = list(records)
    changed = outdated(shown)
    if not changed:
        return []
    files = file_words(file for files in changed.values() for file in files)
    command = training_command(plan)
    then = "kept as asked (stale=accept)" if "stale=accept" in command.split() else f"{command} trains them again"
    verb = "was" if len(changed) == 1 else "were"
    return [f"{len(changed)} of {len(shown)} runs {verb} trained by other code than today's ({files} changed): {then}."]


def troubles(plan: Plan, rows: Sequence[Row], problems: Sequence[str] = ()) -> list[tuple[str, str]]:
    """A colour and a sentence for each trouble: what failed, diverged, is missing, invalid or damaged (`problems`)."""
    planned = f"of {sum(row.planned for row in rows)} runs"
    failed = [f"{record['label']} ({record['cause']})" for row in rows for record in row.failures]
    known = {record["identity"] for row in rows for record in (*row.runs, *row.failures)}
    missing = [run["label"] for cell in plan["cells"] for run in cell["runs"] if run["identity"] not in known]
    invalid = invalid_points(plan)
    found = [
        ("red", failed, f"{planned} failed"),
        ("yellow", _diverged(rows), f"{planned} diverged, counted as the worst"),
        ("yellow", missing, f"{planned} not trained yet"),
        ("yellow", invalid, "cannot be built"),
    ]
    lines = [(colour, f"{len(names)} {what}: {and_more(names, LISTED)}") for colour, names, what in found if names]
    return lines + [("red", sentence) for sentence in problems[:LISTED]]


def _diverged(rows: Sequence[Row]) -> list[str]:
    """The label of each run that diverged, with its first tensor that was not finite, where that is known."""
    runs = [run for row in rows for run in row.runs if run["status"] == "diverged"]
    return [f"{run['label']} ({first})" if (first := run.get("first_nonfinite")) else run["label"] for run in runs]


def _words(missing: int, planned: int, unit: str, training: int) -> str:
    now = f"{training} in training now" if training else "none in training now"
    verb = "is" if missing == 1 else "are"
    return f"Not complete: {missing} of {planned} {unit} {verb} missing ({now}). The results below are from the others."
