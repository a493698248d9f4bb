"""Resolve what is asked: the chosen study, with what the command line says about its axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ablations.analysis.cell_selection import BUDGET
from ablations.identity.run import digest
from ablations.question.seeds import SeedDesign, seed_design
from ablations.question.study import Point, StudyError, merge
from ablations.records.provenance import command, public
from ablations.records.record import STUDY, STUDY_WORDS
from sweeps.compose.arguments import Arguments
from sweeps.compose.compose import refuse_nonfinite
from sweeps.match import budget_of, doubled

JUDGED_BY = ("judged", "level", "looked", "left_out", "follows", "family", "planned")  # what a plan is judged by


@dataclass
class Question:
    """What is asked: the study, its points and its seeds.

    Attributes:
        points: without what the study has fixed.
        swept: the axes that vary.
    """

    study: dict[str, Any]
    points: list[Point]
    seeds: SeedDesign
    swept: list[str]

    @property
    def whole_points(self) -> list[Point]:
        """The points, with the axes that the study fixes."""
        return [{**(self.study.get("fixed") or {}), **point} for point in self.points]


def resolve_question(typed: Arguments, config: DictConfig) -> Question:
    """Merge the chosen study and the command line into a question.

    Raises:
        StudyError: no study is chosen, or it is malformed.
        ValueError: a number in it is not finite.
    """
    study: Any = OmegaConf.to_container(config.study, resolve=True) if config.get("study") else {}
    if not isinstance(study, dict) or not study.get("name"):
        raise StudyError("no study is chosen; choose one with study=NAME (python -m ablations list shows them)")
    if not STUDY.fullmatch(str(study["name"])):
        raise StudyError(f"study.name={study['name']} names no study: {STUDY_WORDS}")
    if own := [word for word in JUDGED_BY if word in study]:
        raise StudyError(f"study.{own[0]} is not a study's to say: verdicts are at 5%, by what the ledger knows")
    adhoc = {axis: value for axis, value in {**typed.swept, **typed.chosen}.items() if axis != "seed"}
    points, swept = merge(study, typed.chosen, typed.swept)
    asked = typed.swept.get("seed", typed.chosen.get("seed", study.get("seeds", [0, 1, 2])))
    seeds = seed_design([asked] if isinstance(asked, int) else asked, most=config.get("most"))
    refuse_nonfinite([*points, study])
    name = f"{study['name']}-{digest(adhoc)[:6]}" if adhoc else study["name"]
    if adhoc:
        study["grid"] = points
        for word in ("cost", "expect"):  # of the grid as it is written
            study.pop(word, None)
    if budget_of(study):
        points, swept = doubled(points), [*swept, BUDGET, "width"]
    if set(typed.swept) - {"seed"}:
        study["question"] = f"A grid of your own: {public(command())}"
    return Question(study | {"name": name, "seeds": seeds.as_written()}, points, seeds, swept)
