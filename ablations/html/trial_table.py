"""Show every trial of a search as a row of a table, and the search of each tuning in one line."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ablations.html.tables import table
from ablations.question.search_space import Search, read_search
from ablations.report.answer import Answer
from ablations.report.search_report import ended, heading, objective_words
from ablations.report.table import short_count
from ablations.search.trials import Trial, pareto_front, read_trials


def trial_tables(answer: Answer) -> str:
    """A table a tuning: number, state, choices and objectives of each trial; bold: what no other trial beats."""
    search, parts = read_search(answer.plan["study"]), []
    tunings = answer.plan["study"]["tunings"]
    for tuning in tunings:
        trials, problems = read_trials(answer.runs, answer.plan["name"], [tuning["name"]])
        name = f"{tuning['name'].rpartition('-')[0]}: " if len(tunings) > 1 else ""
        parts.append(
            f"<p class=quiet>{escape(name + ended(trials, search, tuning))}. Bold: no other trial is better.</p>"
        )
        parts.append(_table(trials, search))
        parts += [f"<p class=note>{escape(problem)}</p>" for problem in problems]
    return f'<section id="trials"><h2>Trials</h2>{"".join(parts)}</section>'


def _table(trials: Sequence[Trial], search: Search) -> str:
    best = pareto_front(trials, search.objectives)[: None if len(search.objectives) > 1 else 1]
    numbers = {trial["number"] for trial in best}
    heads = ["trial", "state", *(axis.removeprefix("recipe.") for axis in search.space)]
    heads += [*map(heading, search.objectives), *(["parameters"] if "params" not in search.objectives else [])]
    lines = [
        [str(trial["number"]), _state(trial)]
        + [_value(trial["point"].get(axis)) for axis in search.space]
        + [_objective(trial, name) for name in search.objectives]
        + ([short_count(trial.get("params")).strip()] if "params" not in search.objectives else [])
        for trial in trials
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
