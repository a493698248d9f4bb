"""`python -m ablations publish`: a study's side of W&B, made or completed from the records alone.

A run is known by its folder's name, the answer by what it was made from: publishing again adds nothing that is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan, Record, result_rows
from ablations.analysis.verdicts import judge
from ablations.catalog.studies import chosen_plan
from ablations.html.numbers import Numbers
from ablations.records.layout import CURVE, DIAGNOSTICS
from ablations.records.record import read_records
from ablations.wandb_view.offline import logged_ids, run_id, sync_command
from ablations.wandb_view.results_run import publish_results

TAGGED = ("block", "data", "recipe")


def add_publish(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add it to the command line."""
    one = command(publish, "create or complete a study's side of W&B from its records: runs, results, views")
    one.add_argument("--project", default="skipbench", help="(skipbench)")
    one.add_argument("--mode", choices=("auto", "online", "offline"), default="auto", help="(auto)")


def publish(options: argparse.Namespace) -> None:
    """Publish, and say what was done."""
    from ablations.wandb_view.tracking import Tracker

    found = chosen_plan(options.runs, options.study)
    records, _ = read_records(options.runs)
    tracker = Tracker(options.mode, options.project)
    labels = {run_id(run["label"]) for cell in found["cells"] for run in cell["runs"]}
    old = len(labels & logged_ids(options.runs))
    logged, there, address = publish_study(found, records, tracker, options.runs)
    print(f"{logged} runs logged or completed, {there} were there already.")
    if old:
        print(f"{old} of them lie in W&B under an older id too, their label: those can be deleted there.")
    if address:
        from ablations.wandb_view.workspaces import save_views

        verdicts = judge(found, records, runs=options.runs)
        print("\n".join(save_views(found, result_rows(found, records), *address, options.runs, verdicts)))
    elif line := sync_command(options.runs):
        print(f"upload to W&B  {line}")


def publish_study(
    plan: Plan, records: Mapping[str, Record], tracker: Any, runs: Path
) -> tuple[int, int, tuple[str, str] | None]:
    """Log every run of a study and its answer; how many were logged, how many were there, and where, if sent.

    A run that lies under `runs/wandb` is there as far as can be known offline; online, W&B says how far it got.
    """
    rows = result_rows(plan, records)
    here, logged, there, address = logged_ids(runs), 0, 0, None
    for row in rows:
        for record in (*row.runs, *row.failures):
            added, address = _publish_run(plan, record, tracker, runs, here)
            logged, there = logged + added, there + (not added)
    sent = publish_results(tracker, plan, rows, records, runs)
    return logged, there, sent or address


def _publish_run(
    plan: Plan, record: Record, tracker: Any, runs: Path, here: set[str]
) -> tuple[bool, tuple[str, str] | None]:
    label, name = str(record["label"]), str(record["folder"])
    if not tracker.sends and run_id(name) in here:
        return False, None
    about = {"config": {**record["axes"], "seed": record["seed"]}, "group": plan["name"]}
    about["tags"] = [str(value) for axis, value in record["axes"].items() if axis in TAGGED]
    with tracker.run(folder=runs, label=label, id=name, again=True, **about) as log:
        folder, reached = runs / name, log.epoch_reached
        curve = _table(folder / CURVE)
        left = [row for row in curve if row["epoch"] > reached]
        log.epochs(left)
        log.diagnostics(row for row in _table(folder / DIAGNOSTICS) if row["epoch"] > reached)
        log.record(record)
        return bool(left) or not curve, log.address


def _table(path: Path) -> list[dict[str, Any]]:
    """The epochs of a run's curve or diagnostics, as it logged them."""
    if not path.exists():
        return []
    file = Numbers.read(path)
    columns = {name: file.column(name) for name in file.heads}
    return [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]
