"""What W&B is shown of a study's answer.

An answer is known by what it was made from, the records and the claims: a sweep, another that joined it and `publish`
show the same one once. A later, fuller answer is another run of the same name, and says in its summary of how many of
the planned runs it is; W&B's files are only ever added to, so the older one stays.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Record, Row, best_row
from ablations.records.provenance import public
from ablations.wandb_view.offline import logged_ids, run_id


def publish_results(
    tracker: Any, plan: Plan, rows: Sequence[Row], records: Mapping[str, Record], runs: Path
) -> tuple[str, str] | None:
    """Show a study's answer as one more W&B run of job type `results`: tables, plots, verdicts; where, if sent.

    Offline, an answer that lies under `runs/wandb` is not written again.
    """
    name, known = plan["name"], answer_id(plan, rows)
    if not tracker.sends and run_id(known) in logged_ids(runs):
        return None
    study = {key: plan["study"].get(key) for key in ("question", "grid", "seeds", "fixed")}
    config = {"study": name, "command": public(training_command(plan)), **study}
    about = {"label": f"{name} results", "id": known, "group": name, "job_type": "results"}
    with tracker.run(folder=runs, config=config, tags=["results"], again=True, **about) as log:
        new = log.step == 0
        if new:
            log.media(lambda wandb: results_media(wandb, plan, rows, Path(runs)))
        log.summary(lambda: results_summary(plan, rows, records, Path(runs)))
        address = log.address
        if new:  # last: a damaged curve stops them, and nothing else
            log.media(lambda wandb: page_figures(wandb, plan, records, Path(runs)))
        return address


def answer_id(plan: Plan, rows: Sequence[Row]) -> str:
    """`headline-results-06c6a553`: the study and a digest of the records and claims."""
    made_of = sorted(f"{run['identity']} {run['status']}" for row in rows for run in (*row.runs, *row.failures))
    known = json.dumps([made_of, plan["study"].get("claims") or []], sort_keys=True, default=str)
    return f"{plan['name']}-results-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def results_media(wandb: Any, plan: Plan, rows: Sequence[Row], runs: Path) -> dict[str, Any]:
    """Results (a row a cell), runs (a row a run), plots of error against the numeric axis, and the study's picture."""
    from ablations.report.csv_files import flat_results, flat_runs
    from ablations.report.figures import numeric_axis, series_of
    from ablations.report.study_chart import study_chart

    media: dict[str, Any] = {}
    for key, (heads, lines) in {"results": flat_results(rows), "runs": flat_runs(rows)}.items():
        media[key] = wandb.Table(columns=heads, data=lines, allow_mixed_types=True)
    axis = numeric_axis(rows)
    for metric in ("train_error", "test_error"):
        lines = series_of(rows, metric) if axis else {}
        if lines:
            xs = [[x for x, _ in line] for line in lines.values()]
            ys = [[y for _, y in line] for line in lines.values()]
            title = f"{metric.replace('_', ' ')} (%) by {axis}"
            media[metric] = wandb.plot.line_series(xs, ys, keys=list(lines), title=title, xname=axis)
    if (chart := study_chart(plan, rows, runs)) is not None:
        file = io.BytesIO()
        chart.save(file, format="png", ppi=144)
        media["figure"] = _image(wandb, file.getvalue(), plan["study"].get("question"))
    return media


def page_figures(wandb: Any, plan: Plan, records: Mapping[str, Record], runs: Path) -> dict[str, Any]:
    """The figures of the study's page as pictures: claims, curves, heat maps, costs, what else the records allow."""
    import vl_convert

    from ablations.html.page import answer
    from ablations.html.static_figures import still

    known = answer(plan, records, runs=runs)
    pictures = {
        one.name: vl_convert.vegalite_to_png(still(one, known.axes, known.cells), scale=2) for one in known.figures
    }
    captions = {one.name: f"{one.title}. {one.caption}" for one in known.figures}
    return {f"figures/{name}": _image(wandb, picture, captions[name]) for name, picture in pictures.items()}


def _image(wandb: Any, png: bytes, caption: str | None) -> Any:
    import PIL.Image

    return wandb.Image(PIL.Image.open(io.BytesIO(png)), caption=caption)


def results_summary(plan: Plan, rows: Sequence[Row], records: Mapping[str, Record], runs: Path) -> dict[str, Any]:
    """The verdicts, the best cell by validation, and how complete the answer is."""
    from ablations.analysis.verdicts import judge

    judged = enumerate(judge(plan, records, runs=runs), start=1)
    verdicts = {f"verdict_{i}": f"{v.outcome}: {v.says}" for i, v in judged}
    best = best_row(rows)
    chosen = {} if best is None else {"best": best.shown or best.axes, "best_val_error": best.metrics["val_error"].mean}
    return verdicts | chosen | {"runs": sum(row.n for row in rows), "planned": sum(row.planned for row in rows)}
