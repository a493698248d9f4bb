"""The one picture of a study: error against a numeric axis, cell by cell, or the trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan


def study_chart(plan: Plan, rows: Sequence[Any], runs: Path) -> Any:
    """The picture of a study: of a search its trials, else error against a numeric axis, else cell by cell; or None."""
    if plan["study"].get("tunings"):
        from ablations.report.search_figures import search_chart
        from ablations.search.trials import read_trials

        names = [tuning["name"] for tuning in plan["study"]["tunings"]]
        return search_chart(plan, {name: read_trials(runs, plan["name"], [name])[0] for name in names}, rows)
    from ablations.report.dot_plot import dot_chart
    from ablations.report.figures import error_chart

    return error_chart(plan, rows) or dot_chart(plan, rows)
