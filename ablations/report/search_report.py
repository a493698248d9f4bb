"""Print a search: how its trials ended, and the best of them with their fresh seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablations.analysis.results import Row, Spread
from ablations.question.search_space import SIZES, Search, is_curve, read_search
from ablations.report.answer import Answer
from ablations.report.table import short_count, short_seconds, spreads
from ablations.search.trials import Trial, epochs_words, free_words, pareto_front, read_trials, uses_trial

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 5  # of a long list of good trials


def print_search(answer: Answer, console: Console) -> None:
    """A line a tuning, and a table of its best trials: the front where there are several objectives."""
    from rich.text import Text

    search, rows = read_search(answer.plan["study"]), {row.cell: row for row in answer.rows}
    for tuning, name, trials, problems in tunings_of(answer):
        console.print()
        console.print(Text.assemble((f"Search {name}".strip(), "bold"), (f"  {ended(trials, search, tuning)}", "dim")))
        best = pareto_front(trials, search.objectives)
        if len(best) > 1 or len(search.objectives) > 1:
            console.print(best_table(best, rows, search, shown=SHOWN if len(search.objectives) == 1 else 3 * SHOWN))
        for sentence in problems:
            console.print(Text.assemble(("! ", "red"), sentence))


def tunings_of(answer: Answer) -> Iterator[tuple[Mapping[str, Any], str, list[Trial], list[str]]]:
    """Yield each tuning of the plan, its name, its trials, and a sentence for each damaged trial."""
    tunings = answer.plan["study"]["tunings"]
    for tuning, name in zip(tunings, tuning_names(tunings), strict=True):
        yield tuning, name, *read_trials(answer.runs, answer.plan["name"], [tuning["name"]])


def ended(trials: Sequence[Trial], search: Search, tuning: Mapping[str, Any] | None = None) -> str:
    """`30 of 30 trials: 21 complete, 9 pruned; 240 of 300 epochs; besides, 3 infeasible (most often: …)`."""
    counts = Counter(trial["state"] for trial in trials if uses_trial(trial))
    words = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    done = sum(counts.values()) - counts["running"]
    line = f"{done} of {search.trials} trials" if done <= search.trials else f"{done} trials, {search.trials} asked for"
    line += f": {words}" if words else ""
    line += f"; {epochs}" if (epochs := epochs_words(trials, len(search.seeds))) else ""
    line += f"; besides, {free}" if (free := free_words(trials)) else ""
    return line + (f"; ended early: {tuning['ended']}" if tuning and "ended" in tuning else "")


def best_table(best: Sequence[Trial], rows: Mapping[str, Row], search: Search, *, shown: int) -> Any:
    """The trials, best first: their choices, their objectives, and the same over fresh seeds."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    axes = [axis for axis in search.space if len({str(trial["point"].get(axis)) for trial in best}) > 1]
    table.add_column("trial", justify="right")
    for axis in axes:
        table.add_column(axis.removeprefix("recipe."), justify="right" if _numbers(best, axis) else "left")
    for name in search.objectives:
        table.add_column(heading(name), justify="right")
    curves = [name for name in search.objectives if is_curve(name)]
    for name in curves:
        table.add_column(f"{heading(name)}, fresh seeds", justify="right")
    fresh = {name: fresh_words(best[:shown], rows, name) for name in curves}
    for k, trial in enumerate(best[:shown]):
        chosen = [_value(trial["point"].get(axis)) for axis in axes]
        values = [objective_words(name, trial["values"][name]) for name in search.objectives]
        style = "" if trial["cell"] in rows else "dim"
        table.add_row(str(trial["number"]), *chosen, *values, *(fresh[name][k] for name in curves), style=style)
    if len(best) > shown:
        table.caption = f"and {len(best) - shown} more"
        table.caption_justify = "left"
    return table


def heading(name: str) -> str:
    """The heading of an objective's column."""
    words = {"params": "parameters", "macs": "multiply-adds", "seconds": "seconds"}
    minus = "−" if name.startswith("-") else ""
    return words.get(name) or minus + name.lstrip("-").replace("_", " ") + (" %" if name.endswith("error") else "")


def objective_words(name: str, value: float) -> str:
    """The value of an objective, in the units of the tables."""
    if name in SIZES:
        return short_count(value).strip()
    if name == "seconds":
        return short_seconds(value)
    return f"{value:.2f}" if name.endswith(("_error", "_loss")) else f"{value:.4g}"


def fresh_words(trials: Sequence[Trial], rows: Mapping[str, Row], name: str) -> list[str]:
    """Of each trial the mean ± deviation of an objective over fresh seeds; empty where it was not trained again."""
    there = [trial["cell"] for trial in trials if trial["cell"] in rows and rows[trial["cell"]].n]
    found = [objective_spread(rows[cell], name) for cell in there]
    words = dict(zip(there, spreads(found, 2 if name.endswith(("_error", "_loss")) else 4), strict=True))
    return [words.get(trial["cell"], "") for trial in trials]


def objective_spread(row: Row, name: str) -> Spread:
    """Mean and deviation of an objective over a row's seeds, 0 of a size; of `-val_r2` the mean of −val_r2."""
    if name in SIZES:
        return Spread(getattr(row, name), 0.0, row.n)
    if name == "seconds":
        return row.seconds
    spread = row.metrics.get(name.lstrip("-"), Spread(None, None, 0))
    if name.startswith("-") and spread.mean is not None:
        return replace(spread, mean=-spread.mean)
    return spread


def tuning_names(tunings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells each tuning from the others, as in `block=plain`; empty where there is one."""
    points = [tuning["point"] for tuning in tunings]
    return [
        ", ".join(f"{axis}={value}" for axis, value in point.items() if any(o.get(axis) != value for o in points))
        for point in points
    ]


def _numbers(trials: Sequence[Trial], axis: str) -> bool:
    return all(isinstance(trial["point"].get(axis), int | float | None) for trial in trials)


def _value(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
