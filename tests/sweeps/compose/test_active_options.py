"""An option that only some choices have is left out where it is not active; one that no choice has is refused."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from ablations.analysis.anova import axis_effects
from ablations.plan.plan import Plan
from ablations.question.study import StudyError
from sweeps.compose.active_options import hide, shown
from sweeps.compose.arguments import parse
from sweeps.compose.compose import Composer
from sweeps.planning import make_plan
from sweeps.question import resolve_question
from tests.ablations.conftest import make_records
from tests.typed import typed

ROOT = Path(__file__).parents[3]
Planned = Callable[..., Plan]


@pytest.fixture(scope="module")
def planned() -> Iterator[Planned]:
    """Plans a study, with words as typed after it."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))

        def plan(*words: str, **study: Any) -> Plan:
            typed = parse([*words], loader)
            asked = resolve_question(typed, OmegaConf.create({"study": {"name": "mine", "seeds": [0, 1, 2], **study}}))
            return make_plan(asked, typed, composer)

        yield plan


def reductions(plan: Plan) -> dict[str, Any]:
    return {cell.run.axes["body"]: cell.run.axes.get("body.reduction") for cell in plan.cells}


def test_a_fixed_option_is_not_active_where_no_choice_has_it(planned: Planned) -> None:
    grid, fixed = {"body": ["basic", "se"], "depth": [8, 14]}, {"block": "residual", "body.reduction": 2}
    plan = planned(grid=grid, fixed=fixed)
    assert (len(plan.cells), plan.invalid) == (4, [])
    assert reductions(plan) == {"basic": None, "se": 2}
    bare = planned(grid=grid, fixed={"block": "residual"})
    basic = [{cell.run.cell for cell in one.cells if cell.run.axes["body"] == "basic"} for one in (plan, bare)]
    assert basic[0] == basic[1], "it is the same run as without the option"
    assert not [cell for cell in plan.cells if cell.run.axes["body"] == "basic" and "reduction" in str(cell.overrides)]


def test_a_swept_option_leaves_one_cell_where_it_is_not_active_and_effects_nest_it(planned: Planned) -> None:
    plan = planned(grid={"body": ["basic", "se"], "body.reduction": [2, 4], "depth": [8, 14]}, fixed={"block": "plain"})
    assert (len(plan.cells), plan.equivalent, plan.invalid) == (6, 2, [])
    written = plan.as_json()
    records = make_records(written, lambda axes, seed: axes["depth"] + axes.get("body.reduction", 0) * (seed + 1))
    names = {term.name: term.df for term in axis_effects(written, records).terms}
    assert names == {
        **{"body": 1, "depth": 1, "body × depth": 1, "body.reduction within body": 1},
        "body.reduction × depth within body": 1,
    }


@pytest.mark.parametrize(
    "words", [["body=basic,se", "body.reduction=2"], ["body=basic,se", "body.reduction=choice(2)"]]
)
def test_an_option_typed_beside_several_choices_is_no_other_grid(planned: Planned, words: list[str]) -> None:
    plan = planned(*shown(words), grid={"norm": ["batch", "none"]}, fixed={"block": "residual", "depth": 8})
    assert reductions(plan) == {"basic": None, "se": 2}
    assert plan.invalid == []


def test_a_matched_study_may_fix_one_too(planned: Planned) -> None:
    fixed = {"block": "residual", "depth": 8, "body.reduction": 4}
    plan = planned(grid={"body": ["basic", "se"]}, fixed=fixed, match="params")
    assert plan.invalid == []
    assert {cell.run.axes.get("body.reduction") for cell in plan.cells} == {None, 4}


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"fixed": {"body.reducton": 2}}, "no body of this sweep has an option 'reducton'; did you mean reduction?"),
        (
            {"grid": {"body": ["basic", "single"]}, "fixed": {"body.reduction": 2}},
            "no body of this sweep has an option",
        ),
        ({"fixed": {"recipe.lrr": 1}}, "no recipe of this sweep has an option 'lrr'; did you mean lr?"),
    ],
)
def test_an_option_that_no_choice_has_is_refused(planned: Planned, study: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words.replace("?", r"\?")):
        planned(**{"grid": {"body": ["basic", "se"]}, **study})


def test_a_part_of_a_study_may_leave_a_fixed_option_without_any_choice(planned: Planned) -> None:
    plan = planned("body=basic", grid={"body": ["basic", "se"]}, fixed={"block": "residual", "body.reduction": 2})
    assert (reductions(plan), plan.invalid) == ({"basic": None}, [])


def test_only_options_with_one_value_are_hidden_from_hydra() -> None:
    words = ["body.reduction=2", "optimizer.betas=[0.8,0.9]", "block.coupled=true", "data.path='a,b'"]
    hidden = hide(words)
    assert hidden == [f"{word.partition('=')[0]}=choice({word.partition('=')[2]})" for word in words]
    assert shown(hidden) == words
    others = [
        "body.reduction=2,4",
        "depth=8",
        "+optimizer.x=1",
        "~block.y",
        "trainer.threads=1",
        "study.seeds=[1]",
        "-m",
    ]
    assert hide(others) == others
    assert shown(others) == others


def test_typed_it_is_planned_and_the_command_is_kept_as_typed(tmp_path: Path) -> None:
    words = ["body=basic,se", "body.reduction=2", "block=residual", "depth=8", "seed=0", f"runs={tmp_path}"]
    done = typed("-m", *words, "plan=true", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 cells × 1 seed: 2 to train" in done.stdout
    wrong = typed("-m", *words[:1], "body.reducton=2", *words[2:], "plan=true", at=tmp_path)
    assert wrong.returncode == 1
    assert "did you mean reduction?" in wrong.stderr
    assert "choice(" not in done.stdout + wrong.stderr
