"""`python -m ablations publish`: send a study to W&B from its records, runs and results.

Nothing is sent twice: a run is known by the name of its folder, the results by the records and claims that they were
made from. Later, fuller results are one more W&B run of the same name, with the number of planned runs they show.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.next_command import training_command
from ablations.analysis.results import Record, best_row
from ablations.catalog.studies import chosen_plan
from ablations.charts.epoch_files import EpochFile
from ablations.charts.figure import Figure
from ablations.records.layout import CURVE, DIAGNOSTICS
from ablations.records.provenance import public
from ablations.records.record import read_records
from ablations.records.task_metrics import ERROR
from ablations.report.answer import Answer
from ablations.wandb_view.offline import id_of, logged_ids, run_id, sync_command
from ablations.wandb_view.tracking import PROJECT, Tracker

Address = tuple[str, str]  # entity and project


def add_publish(command: Callable[..., argparse.ArgumentParser]) -> None:
    one = command(publish, "send a study to W&B from its records: runs, results, views")
    one.add_argument(
        "--project", default=os.environ.get("WANDB_PROJECT") or PROJECT, help="(WANDB_PROJECT, or skipbench)"
    )
    one.add_argument("--mode", choices=("auto", "online", "offline"), default="auto", help="(auto)")


def publish(options: argparse.Namespace) -> None:
    """Send what is not there yet, and print what was sent; ValueError where W&B is turned off."""
    if not (tracker := Tracker(options.mode, options.project)).enabled:
        raise ValueError("WANDB_MODE=disabled turns W&B off, so nothing can be sent: unset it")
    records, _ = read_records(options.runs)
    answer = Answer(chosen_plan(options.runs, options.study), records, options.runs)
    labels = {run_id(run["label"]) for cell in answer.plan["cells"] for run in cell["runs"]}
    old = len(labels & logged_ids(options.runs))
    sent, there, address = publish_study(answer, tracker)
    print(f"{sent} runs logged or completed, {there} were there already.")
    if old:
        print(f"{old} of them are in W&B under an older id too, their label: those can be deleted there.")
    if address:
        from ablations.wandb_view.workspaces import save_views

        print("\n".join(save_views(answer, *address)))
    elif line := sync_command(options.runs):
        print(f"upload to W&B  {line}")


def publish_study(answer: Answer, tracker: Tracker) -> tuple[int, int, Address | None]:
    """Send every run and the results; how many runs were sent, how many were there, and the address if online.

    A run under `runs/wandb` is there as far as can be known offline; online, W&B says how far it got.
    """
    known, sent, there = set() if tracker.sends else logged_ids(answer.runs), 0, 0
    for record in (record for row in answer.rows for record in (*row.runs, *row.failures)):
        new = id_of(answer.runs / str(record["folder"])) not in known and _publish_run(answer, record, tracker)
        sent, there = sent + new, there + (not new)
    return sent, there, publish_results(tracker, answer)


def _publish_run(answer: Answer, record: Record, tracker: Tracker) -> bool:
    """Send a run, or the epochs that W&B lacks; whether there was something to send."""
    folder = answer.runs / str(record["folder"])
    with tracker.track(record, folder, group=answer.plan["name"]) as log:
        curve = _rows(folder / CURVE)
        left = log.epochs(curve)
        log.diagnostics(_rows(folder / DIAGNOSTICS))
        log.record(record)
    return bool(left) or not curve


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file with a row an epoch; none where there is no file."""
    if not path.exists():
        return []
    file = EpochFile.read(path)
    return [dict(zip(file.heads, row, strict=True)) for row in zip(*map(file.column, file.heads), strict=True)]


def publish_results(tracker: Tracker, answer: Answer, figures: Sequence[Figure] | None = None) -> Address | None:
    """Send the answer as a W&B run of job type `results`: verdicts, tables, figure, page; the address if online.

    Args:
        figures: of the study, where they have been made already.
    """
    name, known = answer.plan["name"], results_id(answer)
    if not tracker.sends and known in logged_ids(answer.runs):
        return None
    study = {key: answer.plan["study"].get(key) for key in ("question", "grid", "seeds", "fixed")}
    config = {"study": name, "command": public(training_command(answer.plan)), **study}
    about = {"name": f"{name} results", "id": known, "group": name, "job_type": "results", "tags": ["results"]}
    with tracker.run(answer.runs, config=config, **about) as log:
        log.summary(lambda: _summary(answer))
        if log.step == 0:
            log.media(lambda wandb: _tables(wandb, answer))
            log.media(lambda wandb: _pictures(wandb, answer, figures))  # last: a damaged curve stops them only
        return log.address


def results_id(answer: Answer) -> str:
    """`headline-results-06c6a553`: the study, and a digest of its records and claims."""
    runs = [run for row in answer.rows for run in (*row.runs, *row.failures)]
    made_of = sorted(f"{run['identity']} {run['status']} {run.get('data_digest')}" for run in runs)
    known = json.dumps([made_of, answer.plan["study"].get("claims") or []], sort_keys=True, default=str)
    return f"{answer.plan['name']}-results-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def _summary(answer: Answer) -> dict[str, Any]:
    """The verdicts, the best cell by validation, and of how many of the planned runs this is."""
    found: dict[str, Any] = {f"verdict_{i}": f"{v.outcome}: {v.says}" for i, v in enumerate(answer.verdicts, start=1)}
    if (best := best_row(answer.rows)) is not None:
        judged, _ = best.judged or ERROR
        found |= {"best": best.shown or best.axes, f"best_{judged}": best.metrics[judged].mean}
    counts = {"runs": sum(row.n for row in answer.rows), "planned": sum(row.planned for row in answer.rows)}
    return found | counts


def _tables(wandb: Any, answer: Answer) -> dict[str, Any]:
    """Results with a row a cell, and runs with a row a run."""
    from ablations.report.csv_files import results_table, runs_table

    tables = {"results": results_table(answer.rows), "runs": runs_table(answer.rows)}
    return {name: wandb.Table(heads, lines, allow_mixed_types=True) for name, (heads, lines) in tables.items()}


def _pictures(wandb: Any, answer: Answer, figures: Sequence[Figure] | None) -> dict[str, Any]:
    """The figure that answers the study as a picture, and its page, in which all figures can be filtered."""
    import io

    import PIL.Image

    from ablations.charts.pictures import picture, study_picture
    from ablations.html.page import page

    found: dict[str, Any] = {}
    if (main := study_picture(answer)) is not None:
        found["figure"] = wandb.Image(
            PIL.Image.open(io.BytesIO(picture(main, "png"))), caption=f"{main.title} {main.caption}"
        )
    return found | {"page": wandb.Html(io.StringIO(page(answer, figures)), inject=False)}
