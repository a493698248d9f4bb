"""Save a study as a W&B workspace and a W&B report: curves by cell with bands over the seeds, claims, results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ablations.records.files import SCHEMA, read_json, write_json
from ablations.records.record import plan_path
from ablations.records.task_metrics import shown_metric, shown_pair
from ablations.report.answer import Answer
from ablations.report.markdown import verdict_line
from ablations.report.table import markdown
from ablations.wandb_view.log import sentence

NEEDED = "views need wandb-workspaces: pip install 'skipbench[wandb-reports]'"


def workspace(answer: Answer, entity: str, project: str) -> Any:
    """The workspace; `save()` sends it."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    shown = curves_of(answer).items()
    sections = [ws.Section(name=name, panels=_curves(metrics), is_open=True) for name, metrics in shown]
    sections.append(ws.Section(name=answer.question, panels=_bars(answer), is_open=True, pinned=True))
    if lines := _claims(answer):
        sections.append(ws.Section(name="Claims", panels=[wr.MarkdownPanel(markdown=lines)], is_open=True))
    cells: list[Any] = [ws.Config(axis) for axis in answer.plan["swept"]]
    settings = ws.RunsetSettings(filters=ws.And(ws.Metric("Name").isin(_labels(answer))), groupby=cells)
    about: dict[str, Any] = {"name": answer.plan["name"], "sections": sections, "runset_settings": settings}
    return ws.Workspace(entity=entity, project=project, **about)


def report(answer: Answer, entity: str, project: str) -> Any:
    """The report: question, claims, results, curves, costs; `save()` sends it."""
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces.reports.v2.interface import Report

    lines = _claims(answer)
    made: list[Any] = [wr.H1(answer.question), *([wr.H2("Claims"), wr.MarkdownBlock(lines)] if lines else [])]
    made += [wr.H2("Results"), wr.MarkdownBlock(markdown(answer.rows))]
    for name, metrics in curves_of(answer).items():
        made += [wr.H2(name), wr.PanelGrid(runsets=[_runset(answer)], panels=_curves(metrics))]
    made += [wr.H2("What it costs"), wr.PanelGrid(runsets=[_runset(answer)], panels=_bars(answer))]
    about: dict[str, Any] = {"title": str(answer.plan["name"]), "description": answer.question}
    return Report(project=project, entity=entity, blocks=made, **about)


def save_views(answer: Answer, entity: str, project: str) -> list[str]:
    """Save both; return a line with the address of each, or one line that says why they could not be saved."""
    try:
        return _save(answer, entity, project)
    except ImportError:
        return [NEEDED]
    except Exception as error:
        return [f"runs and results are sent, their views were not saved: {sentence(error)}"]


def _save(answer: Answer, entity: str, project: str) -> list[str]:
    """Save both. Those saved before are replaced: `wandb.json` names them."""
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces.reports.v2.interface import Report

    path = plan_path(answer.runs, answer.plan["name"]).with_name("wandb.json")
    known = read_json(path) if path.exists() else {}
    view, page = workspace(answer, entity, project), report(answer, entity, project)
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


def _claims(answer: Answer) -> str:
    return "\n".join(map(verdict_line, answer.verdicts))


def _runset(answer: Answer) -> Any:
    import wandb_workspaces.expr as expr
    from wandb_workspaces.reports.v2.interface import Runset

    groups = [f"config.{axis}" for axis in answer.plan["swept"]]
    return Runset(name="cells", filters=expr.And(expr.Metric("Name").isin(_labels(answer))), groupby=groups)


def _curves(metrics: Sequence[str]) -> list[Any]:
    """A line a cell: the mean of its seeds, with a band from the lowest to the highest."""
    import wandb_workspaces.reports.v2 as wr

    bands: Any = {"aggregate": True, "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    return [wr.LinePlot(title=name.replace("_", " "), x="epoch", y=[name], **bands) for name in metrics]


def curves_of(answer: Answer) -> dict[str, list[str]]:
    """The metrics whose curves are shown, by the question that they answer."""
    fits, generalises = (shown_pair(answer.plan["study"], part, part)[:1] for part in ("train", "val"))
    return {"Does it fit?": [*fits, "train_loss"], "Does it generalise?": [*generalises, "val_loss"]}


def _bars(answer: Answer) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    names = (shown_metric(answer.plan["study"], "test"), "params", "macs", "seconds")
    return [wr.BarPlot(title=name.replace("_", " "), metrics=[wr.SummaryMetric(name)]) for name in names]


def _labels(answer: Answer) -> list[str]:
    return [str(run["label"]) for row in answer.rows for run in (*row.runs, *row.failures)]
