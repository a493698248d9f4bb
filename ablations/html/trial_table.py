"""Show every trial of a search as a row of a table, the networks that were trained again beside their fresh numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ablations.analysis.front_odds import front_odds
from ablations.analysis.results import Row
from ablations.html.tables import table
from ablations.question.search_space import SIZES, Search, read_search
from ablations.report.answer import Answer
from ablations.report.search_report import ended, fresh_words, heading, objective_spread, objective_words, tunings_of
from ablations.report.table import short_count
from ablations.search.trials import Trial, pareto_front


def trial_tables(answer: Answer) -> str:
    """A table a tuning: number, state, choices and objectives of each trial; bold: what no other trial beats."""
    search, parts = read_search(answer.plan["study"]), []
    rows = {row.cell: row for row in answer.rows}
    for tuning, words, trials, problems in tunings_of(answer):
        name = f"{words}: " if words else ""
        parts.append(
            f"<p class=quiet>{escape(name + ended(trials, search, tuning))}. Bold: no other trial is better.</p>"
        )
        parts.append(_table(trials, search, rows))
        parts += [f"<p class=note>{escape(problem)}</p>" for problem in problems]
    return f'<section id="trials"><h2>Trials</h2>{"".join(parts)}</section>'


def _table(trials: Sequence[Trial], search: Search, rows: Mapping[str, Row]) -> str:
    best = pareto_front(trials, search.objectives)[: None if len(search.objectives) > 1 else 1]
    numbers = {trial["number"] for trial in best}
    size = [] if "params" in search.objectives else ["params"]
    columns: dict[str, list[str]] = {}
    for name in search.objectives:
        columns[heading(name)] = [_objective(trial, name) for trial in trials]
        if name not in SIZES and rows:
            columns[f"{heading(name)}, fresh seeds"] = fresh_words(trials, rows, name)
    there = {trial["cell"] for trial in trials}
    again = [cell for cell in rows if cell in there]
    if len(search.objectives) > 1 and again:
        fresh = [[objective_spread(rows[cell], name) for name in search.objectives] for cell in again]
        odds = {cell: "–" if p is None else f"{p:.0%}" for cell, p in zip(again, front_odds(fresh), strict=True)}
        columns["on the front"] = [odds.get(trial["cell"], "") for trial in trials]
    columns |= {heading(name): [short_count(trial.get(name)).strip() for trial in trials] for name in size}
    heads = ["trial", "state", *(axis.removeprefix("recipe.") for axis in search.space), *columns]
    lines = [
        [str(trial["number"]), _state(trial)]
        + [_value(trial["point"].get(axis)) for axis in search.space]
        + [column[k] for column in columns.values()]
        for k, trial in enumerate(trials)
    ]

    def about(index: int) -> str:
        return ' class="best"' if trials[index]["number"] in numbers else ""

    return table(heads, lines, left=2 + len(search.space), about=about)


def _state(trial: Trial) -> str:
    same, cause = trial.get("same_as"), trial.get("cause")
    before = ", trained before" if trial.get("warm_start") else ""
    return f"{trial['state']}{before}{f': {cause}' if cause else ''}{'' if same is None else f', as trial {same}'}"


def _objective(trial: Trial, name: str) -> str:
    value = (trial["values"] or {}).get(name)
    return "–" if value is None else objective_words(name, value)


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
