"""What W&B is shown of a study's answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from ablations.results import Plan, Record, Row, best_row


def publish_results(
    tracker: Any,
    plan: Plan,
    rows: Sequence[Row],
    records: Mapping[str, Record],
    runs: Path,
    *,
    id: str | None = None,
) -> tuple[str, str] | None:
    """Show a study's answer as one more W&B run of job type `results`: tables, plots, verdicts; where, if sent.

    Args:
        id: goes on with the run of this id, if there is one; its tables and plots are then there already.
    """
    name, when = plan["name"], time.strftime("%Y%m%d-%H%M%S")
    study = {key: plan["study"].get(key) for key in ("question", "grid", "seeds", "fixed")}
    config = {"study": name, "command": plan.get("command"), **study}
    new = f"{name}-results-{when}-{uuid4().hex[:4]}"  # sweeps that joined each other end in the same second
    about = {"label": f"{name} results", "id": id or new, "group": name, "job_type": "results"}
    with tracker.run(folder=runs, config=config, tags=["results"], again=id is not None, **about) as log:
        if log.step == 0:
            log.media(lambda wandb: results_media(wandb, plan, rows))
        log.summary(lambda: results_summary(plan, rows, records, Path(runs)))
        return log.address


def results_media(wandb: Any, plan: Plan, rows: Sequence[Row]) -> dict[str, Any]:
    """Results (a row a cell), runs (a row a run), and the plots of error against the numeric axis."""
    import io

    import PIL.Image

    from ablations.figures import error_chart, numeric_axis, series_of
    from ablations.flat import flat_results, flat_runs

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
    if (chart := error_chart(plan, rows)) is not None:
        file = io.BytesIO()
        chart.save(file, format="png", ppi=144)
        media["figure"] = wandb.Image(PIL.Image.open(file), caption=plan["study"].get("question"))
    return media


def results_summary(plan: Plan, rows: Sequence[Row], records: Mapping[str, Record], runs: Path) -> dict[str, Any]:
    """The verdicts, the best cell by validation, and how complete the answer is."""
    from ablations.claims import judge

    judged = enumerate(judge(plan, records, runs=runs), start=1)
    verdicts = {f"verdict_{i}": f"{v.outcome}: {v.says}" for i, v in judged}
    best = best_row(rows)
    chosen = {} if best is None else {"best": best.shown or best.axes, "best_val_error": best.metrics["val_error"].mean}
    return verdicts | chosen | {"runs": sum(row.n for row in rows), "planned": sum(row.planned for row in rows)}
