"""What a sweep ends with: the answer on the terminal, its page, and W&B's copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from ablations.analysis.results import result_rows
from ablations.plan.plan import Plan
from ablations.records.record import read_records


def print_results(plan: Plan, config: DictConfig, console: Console, started: float | None) -> None:
    """The report; and then, where something was trained, the results to W&B, which takes a while."""
    from ablations.exports import closing_page
    from ablations.report.terminal import print_report

    runs = Path(config.runs)
    records, _ = read_records(runs)
    written = plan.as_json()
    print_report(written, records, console, runs=runs)
    try:
        if page := closing_page(written, records, runs=runs):
            console.print(f"[dim]written:[/] {escape(str(page))}", highlight=False, soft_wrap=True)
    except (ValueError, OSError) as error:
        console.print(f"[yellow]![/] no page: {escape(str(error))}", highlight=False)
    if started is not None:
        with console.status("showing W&B the answer …"):
            sync = publish(written, records, config, since=started)
        if sync:
            console.print(f"[dim]upload to W&B[/]  {escape(sync)}", highlight=False, soft_wrap=True)
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


def publish(plan: dict[str, Any], records: dict[str, Any], config: DictConfig, *, since: float) -> str | None:
    """Show the answer in W&B; the line that uploads what was written since then, if it was kept in files."""
    from ablations.wandb_view.offline import sync_command
    from ablations.wandb_view.results_run import publish_results
    from ablations.wandb_view.tracking import Tracker

    runs = Path(config.runs)
    chosen: Any = OmegaConf.to_container(config.tracker, resolve=True)
    tracker = Tracker(**{key: value for key, value in chosen.items() if key != "_target_"})
    publish_results(tracker, plan, result_rows(plan, records), records, runs)
    return sync_command(runs, since=since)
