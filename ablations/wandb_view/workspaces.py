"""A study as a W&B workspace and report: a section a question, runs by cell, curves with seed bands, the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablations.analysis.results import Plan, Row
from ablations.analysis.verdicts import Verdict
from ablations.records.files import SCHEMA, read_json, write_json
from ablations.records.record import plan_path
from ablations.report.comparability import settings_beside
from ablations.report.markdown import verdict_line
from ablations.report.table import markdown

CURVES = {"Does it fit?": ["train_error", "train_loss"], "Does it generalise?": ["val_error", "val_loss"]}
NEEDED = "views need wandb-workspaces: pip install 'skipbench[wandb-reports]'"


def workspace(plan: Plan, rows: Sequence[Row], entity: str, project: str, verdicts: Sequence[Verdict] = ()) -> Any:
    """The workspace; `save()` sends it."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    sections = [ws.Section(name=name, panels=_curves(metrics), is_open=True) for name, metrics in CURVES.items()]
    sections.append(ws.Section(name=_question(plan), panels=_bars(), is_open=True, pinned=True))
    if lines := _verdicts(plan, rows, verdicts):
        sections.append(ws.Section(name="Claims", panels=[wr.MarkdownPanel(markdown=lines)], is_open=True))
    settings = ws.RunsetSettings(
        filters=ws.And(ws.Metric("Name").isin(_labels(rows))), groupby=[ws.Config(axis) for axis in plan["swept"]]
    )
    return ws.Workspace(entity=entity, project=project, name=plan["name"], sections=sections, runset_settings=settings)


def report(plan: Plan, rows: Sequence[Row], entity: str, project: str, verdicts: Sequence[Verdict] = ()) -> Any:
    """The report: the question, what is claimed and found, the results, then curves for each thing they are asked.

    `save()` sends it.
    """
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.reports.v2.interface import Report

    lines = _verdicts(plan, rows, verdicts)
    made: list[Any] = [wr.H1(_question(plan)), *([wr.H2("Claims"), wr.MarkdownBlock(lines)] if lines else [])]
    made += [wr.H2("Results"), wr.MarkdownBlock(markdown(rows))]
    for name, metrics in CURVES.items():
        made += [wr.H2(name), wr.PanelGrid(runsets=[_runset(plan, rows)], panels=_curves(metrics))]
    made += [wr.H2("What it costs"), wr.PanelGrid(runsets=[_runset(plan, rows)], panels=_bars())]
    about: dict[str, Any] = {"title": str(plan["name"]), "description": _question(plan)}
    return Report(project=project, entity=entity, blocks=made, **about)


def save_views(
    plan: Plan, rows: Sequence[Row], entity: str, project: str, runs: Path, verdicts: Sequence[Verdict] = ()
) -> list[str]:
    """Save both, over those saved before: their addresses are kept beside the plan. A line for each."""
    try:
        import wandb_workspaces.workspaces as ws
        from wandb_workspaces.reports.v2.interface import Report
    except ImportError:
        return [NEEDED]
    path = plan_path(runs, plan["name"]).with_name("wandb.json")
    known = read_json(path) if path.exists() else {}
    view, page = workspace(plan, rows, entity, project, verdicts), report(plan, rows, entity, project, verdicts)
    if known.get("project") == f"{entity}/{project}":
        old_view: Any = ws.Workspace.from_url(known["workspace"])
        old_page: Any = Report.from_url(known["report"])
        old_view.sections, old_view.runset_settings = view.sections, view.runset_settings
        old_page.blocks = page.blocks
        view, page = old_view, old_page
    view.save()
    page.save()
    links = {"workspace": str(view.url), "report": str(page.url)}
    write_json(path, {"schema": SCHEMA, "project": f"{entity}/{project}", **links})
    return [f"{what}  {link}" for what, link in links.items()]


def _verdicts(plan: Plan, rows: Sequence[Row], verdicts: Sequence[Verdict]) -> str:
    return "\n".join(map(verdict_line, verdicts, settings_beside(plan, rows)))


def _runset(plan: Plan, rows: Sequence[Row]) -> Any:
    import wandb_workspaces.expr as expr
    from wandb_workspaces.reports.v2.interface import Runset

    groups = [f"config.{axis}" for axis in plan["swept"]]
    return Runset(name="cells", filters=expr.And(expr.Metric("Name").isin(_labels(rows))), groupby=groups)


def _curves(metrics: Sequence[str]) -> list[Any]:
    """A line a cell: the mean of its seeds, the band from the least to the most."""
    import wandb_workspaces.reports.v2 as wr

    bands: Any = {"aggregate": True, "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    return [wr.LinePlot(title=name.replace("_", " "), x="epoch", y=[name], **bands) for name in metrics]


def _bars() -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    names = ("test_error", "params", "macs", "seconds")
    return [wr.BarPlot(title=name.replace("_", " "), metrics=[wr.SummaryMetric(name)]) for name in names]


def _labels(rows: Sequence[Row]) -> list[str]:
    return [str(run["label"]) for row in rows for run in (*row.runs, *row.failures)]


def _question(plan: Plan) -> str:
    return str(plan["study"].get("question") or plan["name"])
