"""Carry out the search of a study on a table instead of training; print how far it comes, and write its trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.markup import escape

from ablations.plan.plan import point_words
from ablations.question.study import Point, StudyError
from ablations.records.files import write_json
from ablations.report.search_report import heading
from ablations.search.in_memory import InMemory
from ablations.search.simulator import run, trials_frame
from ablations.search.space import Space
from ablations.search.table import Table
from ablations.search.table_files import read_table
from ablations.search.table_source import TableSource, covered, mean_over_seeds
from ablations.search.trials import UNCOUNTED, Trial, best_trials
from sweeps.compose.active_options import active_point
from sweeps.compose.compose import run_of
from sweeps.search import Searching
from sweeps.workers.trial_worker import sampler_and_pruner

SHOWN = (1, 2, 5)  # trials of which a line is printed, and ten times as many, and so on


def simulate(searching: Searching, console: Console) -> None:
    """Simulate the search of a study, which leaves nothing in the folder of runs.

    Raises:
        ValueError: the table does not have what the search asks for; names it.
    """
    config, search = searching.config, searching.search
    if not Path(config.simulate).is_file():
        makes = f"python -m ablations tabulate STUDY --out {config.simulate}"
        raise StudyError(f"simulate={config.simulate}: there is no such file; `{makes}` makes the table of a study")
    if config.simulated and Path(config.simulated).is_dir():
        raise StudyError(f"simulated={config.simulated} is a folder: write the name of a file, as trials.json")
    table = read_table(Path(config.simulate))
    points = searching.points
    defaults: Point = {}
    for point in points.values():
        have = covered(table, search, point, _default(searching, point))
        defaults |= {axis: value for axis, value in have.items() if axis not in point}
    source = TableSource(table, search.seeds, defaults)
    sampler, pruner = sampler_and_pruner(config)
    study = searching.study["name"]
    tunings = [
        InMemory(name, search, Space(space.axes, space.fixed, source.active), sampler, pruner, study=study)
        for name, space in searching.spaces.items()
    ]
    for tuning in tunings:
        tuning.begin(searching.known.get(tuning.name, ()))
    workers = config.workers or 1
    with console.status("searching on the table …"):
        trials = run(tunings, source, workers=workers, patience=config.max_consecutive_failures)
    console.print(f"simulated on {escape(repr(table)[1:-1])}; workers: {workers}", highlight=False, soft_wrap=True)
    for tuning, (name, point) in zip(tunings, points.items(), strict=True):
        own = [trial for trial in trials if trial["tuning"] == name]
        if len(points) > 1:
            console.print(f"[bold]{escape(point_words(point))}[/]", highlight=False)
        console.print("\n".join(_lines(table, searching, own, defaults)), highlight=False, markup=False)
        if why := tuning.why_ended():
            console.print(f"[yellow]![/] {escape(f'the search ended early: {why}')}", highlight=False)
    if config.simulated:
        made = {"schema": 1, "study": study, "table": table.about["studies"], "workers": workers}
        write_json(Path(config.simulated), {**made, "trials": trials})
        console.print(f"written: {escape(str(config.simulated))}", highlight=False, soft_wrap=True)


def _default(searching: Searching, point: Point) -> Callable[[str], Any]:
    """Return what says the value that an axis has where a study says nothing."""
    config = searching.composer(active_point(point, searching.fast))
    axes, choices = run_of(config, config.hydra).axes, config.hydra.runtime.choices
    return lambda axis: axes[axis] if axis in axes else choices.get(axis, OmegaConf.select(config, axis))


def _lines(table: Table, searching: Searching, trials: Sequence[Trial], defaults: Point) -> list[str]:
    """The best so far after 1, 2, 5, 10, … trials and after the last, and the winners."""
    search = searching.search
    frame = trials_frame(table, search, trials, defaults)
    metric = frame.columns[-1].removeprefix("best_")
    frame = frame[~frame.state.isin(UNCOUNTED)]
    heads = ["trials", "seconds", f"best {heading(search.objectives[0])}", f"its {heading(metric)}"]
    lines = ["  ".join([f"{head:>7}" for head in heads]) + ", mean over the table's seeds"]
    shown = {k * 10**power for power in range(7) for k in SHOWN} | {len(frame)}
    columns = (frame[name] for name in ("ended", "best", f"best_{metric}"))
    for k, (ended, best, test) in enumerate(zip(*columns, strict=True), 1):
        if k in shown:
            cells = (str(k), f"{ended:.1f}", _short(best), _short(test))
            lines.append("  ".join(f"{cell:>{max(7, len(head))}}" for cell, head in zip(cells, heads, strict=True)))
    look_up = mean_over_seeds(table, metric)
    for trial in best_trials(trials, search.objectives, search.top):
        values = ", ".join(f"{name} {_short(trial['values'][name])}" for name in search.objectives)
        chosen = point_words({axis: trial["point"][axis] for axis in search.space if axis in trial["point"]})
        lines.append(f"winner  {chosen}: {values}, {metric} {_short(look_up({**defaults, **trial['point']}))}")
    return lines


def _short(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.4g}"
