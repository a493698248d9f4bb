"""Resolve what is asked: the chosen study, with what the command line says about its axes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ablations.analysis.cell_selection import BUDGET
from ablations.catalog.choices import CONF
from ablations.identity.run import digest
from ablations.question.fields import listed
from ablations.question.seeds import SeedDesign, seed_design
from ablations.question.study import Point, StudyError, check_keys, grid_points, merge
from ablations.records.provenance import command, public
from ablations.records.record import STUDY, STUDY_WORDS
from sweeps.compose.arguments import Arguments
from sweeps.compose.compose import refuse_nonfinite
from sweeps.match import budget_of, raw_and_matched

JUDGED_BY = ("judged", "level", "looked", "left_out", "follows", "family", "planned")  # what a plan is judged by


@dataclass
class Question:
    """What is asked: the study, its points and its seeds.

    Attributes:
        points: without what the study has fixed.
        swept: the axes that vary.
        notes: what of the study does not hold for this grid, a sentence each.
    """

    study: dict[str, Any]
    points: list[Point]
    seeds: SeedDesign
    swept: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def whole_points(self) -> list[Point]:
        """The points, with the axes that the study fixes."""
        return [{**(self.study.get("fixed") or {}), **point} for point in self.points]


def resolve_question(
    typed: Arguments, config: DictConfig, brought: Callable[[Any], set[str]] = lambda data: set()
) -> Question:
    """Merge the chosen study and the command line into a question.

    Args:
        brought: data → the groups that its file chooses for itself, as cifar10 chooses its recipe.

    Raises:
        StudyError: no study is chosen, or it is malformed.
        ValueError: a number in it is not finite.
    """
    study: Any = OmegaConf.to_container(config.study, resolve=True) if config.get("study") else {}
    if not isinstance(study, dict) or study.get("name") in (None, ""):
        raise StudyError("no study is chosen; choose one with study=NAME (python -m ablations list shows them)")
    if not isinstance(study["name"], bool) and not STUDY.fullmatch(str(study["name"])):
        raise StudyError(f"study.name={study['name']} names no study: {STUDY_WORDS}")
    if own := [word for word in JUDGED_BY if word in study]:
        raise StudyError(f"study.{own[0]} is not a study's to say: verdicts are at 5%, by what the ledger knows")
    check_keys(study)
    study["name"] = str(study["name"])  # `name: 2024` is a number in YAML
    adhoc = {axis: value for axis, value in {**typed.swept, **typed.chosen}.items() if axis != "seed"}
    notes = axis_notes(grid_points(study.get("grid")), typed)
    points, swept = merge(study, typed.chosen, typed.swept)
    if "data" in adhoc and "data" in (study.get("fixed") or {}):
        points = with_data(points, study, {*typed.chosen, *typed.swept}, brought, notes)
    searched = [{axis: one} for axis, some in (study.get("space") or {}).items() for one in listed(some)]
    for point in [*points, study.get("fixed") or {}, *searched]:
        refuse_yaml_booleans(point)
    asked = typed.swept.get("seed", typed.chosen.get("seed", study.get("seeds", [0, 1, 2])))
    seeds = seed_design([asked] if isinstance(asked, int) else asked, most=config.get("most"))
    refuse_nonfinite([*points, study])
    name = adhoc_name(study["name"], adhoc, typed) if adhoc else study["name"]
    if adhoc:
        study["grid"] = points
        for word in ("cost", "expect"):  # of the grid as it is written
            study.pop(word, None)
    if budget_of(study):
        points, swept = raw_and_matched(points), [*swept, BUDGET, "width"]
    if set(typed.swept) - {"seed"}:
        study["question"] = f"A grid of your own: {public(command())}"
    return Question(study | {"name": name, "seeds": seeds.as_written()}, points, seeds, swept, notes)


def adhoc_name(study: str, adhoc: Mapping[str, Any], typed: Arguments) -> str:
    """Name a grid of one's own by what it varies, `block-depth-4a1bd8`; where nothing is swept, by its study."""
    swept = [re.sub(r"\W+", "_", axis.rpartition(".")[2]).strip("_") for axis in typed.swept if axis != "seed"]
    return f"{'-'.join(swept)[:40] or study}-{digest({'study': study, 'grid': adhoc})[:6]}"


def axis_notes(points: list[Point], typed: Arguments) -> list[str]:
    """Say which axes of the study's grid a swept axis has replaced; not those of choices that it has replaced too."""
    values = {**typed.swept, **{axis: [value] for axis, value in typed.chosen.items()}}

    def matters(axis: str, point: Point) -> bool:
        group = axis.partition(".")[0]
        return axis not in values and (group not in values or point.get(group) in values[group])

    gone = dict.fromkeys(axis for point in points for axis in point if matters(axis, point))
    if not gone or not set(typed.swept) - {"seed"}:
        return []
    return [f"your own grid replaces the study's: {', '.join(gone)} not varied; name several values to keep it"]


def with_data(
    points: list[Point], study: dict[str, Any], typed: set[str], brought: Callable[[Any], set[str]], notes: list[str]
) -> list[Point]:
    """Move what the study fixes into its points, but what other data, typed instead of the study's, brings itself."""
    fixed, left = study.pop("fixed"), set()
    found = []
    for point in points:
        own = brought(point["data"]) if point["data"] != fixed["data"] else set()
        dropped = {axis for axis in fixed if axis.partition(".")[0] in own and axis not in typed}
        left |= {f"{axis}={fixed[axis]}" for axis in dropped}
        found.append({**{axis: value for axis, value in fixed.items() if axis not in dropped}, **point})
    study["fixed"] = {}
    if left:
        notes.append(f"the study's {', '.join(sorted(left))} is not used: this data brings its own")
    return found


def refuse_yaml_booleans(point: Mapping[str, Any]) -> None:
    """Raise StudyError for a choice that YAML reads as true or false: `norm: no`."""
    for axis, value in point.items():
        if isinstance(value, bool) and (CONF / axis).is_dir():
            words = "'yes', 'on' or 'true'" if value else "'no', 'off' or 'false'"
            raise StudyError(f"{axis}: YAML reads {words} without quotes as {str(value).lower()}: write it in quotes")
