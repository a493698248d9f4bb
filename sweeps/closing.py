"""Print the results of a sweep, write its page, send both to W&B."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from ablations.plan.plan import Plan
from ablations.records.layout import RECORD
from ablations.records.record import read_records
from ablations.wandb_view.offline import sync_command
from ablations.wandb_view.tracking import Tracker
from sweeps.cli.errors import as_value_error
from sweeps.instantiate import instantiate
from sweeps.planning import grow
from sweeps.workers.forkserver import let_workers_end
from sweeps.workers.live_status import in_thread

LOOK_EVERY = 1.0  # seconds between two looks at how many runs are left
LAST = 2  # runs left to train, when it is time to get ready


@contextmanager
def closing_prepared(folders: list[Path], config: DictConfig) -> Iterator[None]:
    """While the last of these runs train in other processes, import what `print_results` needs and start W&B."""
    if config.hydra.runtime.choices["hydra/launcher"] == "basic":  # they train in this one
        yield
        return

    def wait(stop: threading.Event) -> None:
        while not stop.wait(LOOK_EVERY):
            if sum(not (folder / RECORD).exists() for folder in folders) <= LAST:
                import_views()
                if hasattr(tracker := tracker_of(config), "prepare"):
                    tracker.prepare()
                return

    with in_thread(wait):
        yield


def import_views() -> None:
    """Import the modules that judge, print and draw."""
    import ablations.charts.pictures
    import ablations.exports
    import ablations.html.page
    import ablations.report.terminal
    import ablations.wandb_view.publish
    from ablations.charts.figure import Figure

    ablations.charts.pictures.svg(Figure("", "", "", {"mark": "point", "encoding": {}}))  # starts Vega


def print_results(plan: Plan, config: DictConfig, console: Console, *, trained: bool) -> None:
    """Print the report and write the page; where something was trained, send the results to W&B.

    Raises:
        SystemExit: 2 where runs are left or failed.
    """
    from ablations.charts.figures import figures_of
    from ablations.exports import closing_page
    from ablations.report.answer import Answer
    from ablations.report.terminal import print_report
    from ablations.search.trials import read_trials

    if trained:
        let_workers_end(config.hydra.runtime.choices["hydra/launcher"])
    runs = Path(config.runs)
    records, _ = read_records(runs)
    answer, figures = Answer(plan.as_json(), records, runs), None
    print_report(answer, console)
    try:
        figures = figures_of(answer)
        if page := closing_page(answer, figures):
            console.print(f"[dim]written:[/] {escape(str(page))}", highlight=False, soft_wrap=True)
    except (ValueError, OSError) as error:
        console.print(f"[yellow]![/] no page: {escape(str(error))}", highlight=False)
    if trained:
        tracker = tracker_of(config)
        with console.status("showing the results to the tracker …"):
            show_results(tracker, answer, figures, console)
        ours = [run.folder for cell in plan.cells for run in cell.all_runs]
        tunings = [tuning["name"] for tuning in plan.study.get("tunings") or ()]
        ours += [run["folder"] for trial in read_trials(runs, plan.name, tunings)[0] for run in trial.get("runs", ())]
        for what, line in ways_to_see(tracker, runs, [*ours, f"{plan.name}-results-"]):
            console.print(f"[dim]{what}[/]  {escape(line)}", highlight=False, soft_wrap=True)
    grow(plan, records, runs)
    left = len(plan.missing(records))
    mine = {run.identity for cell in plan.cells for run in cell.runs.values()}
    failed = sum(records[key]["status"] == "failed" for key in mine & set(records))
    if left:
        console.print(f"[yellow]![/] {left_words(left, failed, config.max_consecutive_failures)}", highlight=False)
    if left or failed:
        raise SystemExit(2)


def left_words(left: int, failed: int, most: int) -> str:
    """How many runs were left, and why, where `failed` failed and a worker bears no more than `most` in a row."""
    why = f"a worker stops after {most} failures in a row" if failed >= most else "the same command goes on"
    return f"{left} run{' was' if left == 1 else 's were'} left: {why}"


def show_results(tracker: Any, answer: Any, figures: Any, console: Console) -> None:
    """Show the results of a sweep in the tracker, if it shows any; an error of its code becomes one line."""
    from ablations.wandb_view.publish import publish_results

    try:
        if isinstance(tracker, Tracker):
            publish_results(tracker, answer, figures)
        elif hasattr(tracker, "results"):
            tracker.results(answer)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        console.print(f"[yellow]![/] the tracker did not take the results: {escape(said)}", highlight=False)


def ways_to_see(tracker: Any, runs: Path, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What can be done about what was tracked, and the line that does it."""
    if hasattr(tracker, "shown_by"):
        yield "see the runs", tracker.shown_by(runs)
    if isinstance(tracker, Tracker) and tracker.enabled and (sync := sync_command(runs, of=folders)):
        yield "upload to W&B", sync


def tracker_of(config: DictConfig) -> Any:
    """Make the tracker of the configuration, see ablations/wandb_view/protocol.py; ValueError where that cannot be."""
    with as_value_error():
        return instantiate(config.tracker)
