"""List the figures of a study, in the order of its page."""

from __future__ import annotations

from ablations.charts.answer_figure import FigureContent, answer_figure, error_figure
from ablations.charts.cell_figures import cost_figure, interaction_figure
from ablations.charts.claim_figures import claim_figures
from ablations.charts.epoch_figures import curve_figure, damage_figure, heat_maps
from ablations.charts.figure import Figure
from ablations.charts.options import DEFAULTS, FigureOptions
from ablations.charts.regret_figures import regret_figures
from ablations.charts.stress_figure import stress_figure
from ablations.report.answer import Answer


def figures_of(answer: Answer, options: FigureOptions = DEFAULTS) -> list[Figure]:
    """Every figure that the records allow."""
    chosen = FigureContent.of(answer, options)
    drawn: list[Figure | None] = []
    if answer.is_search:
        from ablations.charts.axis_figures import axis_figures
        from ablations.charts.search_figures import search_figures

        drawn += [*search_figures(answer), *axis_figures(answer)]
    if answer.plan["study"].get("tables"):
        drawn += regret_figures(answer)
    drawn += [stress_figure(answer, options), *claim_figures(answer), answer_figure(answer, options)]
    drawn += [error_figure(answer, options), curve_figure(answer, chosen)]
    drawn += [] if answer.is_search else [interaction_figure(answer.effects, chosen, answer.plan)]
    drawn += [damage_figure(answer, chosen), *heat_maps(answer, chosen), cost_figure(chosen)]
    return [figure for figure in drawn if figure]


def main_figure(answer: Answer, options: FigureOptions = DEFAULTS) -> Figure | None:
    """The figure that answers the study: what its claims judge, else the trials of a search; None without runs."""
    study = answer.plan["study"]
    if study.get("tables"):
        return next(iter(regret_figures(answer)), None)
    judged = None
    if study.get("claims") or not answer.is_search:
        judged = stress_figure(answer, options) or answer_figure(answer, options) or error_figure(answer, options)
    if judged is None and answer.is_search:
        from ablations.charts.search_figures import search_figures

        return next(iter(search_figures(answer)), None)
    return judged
