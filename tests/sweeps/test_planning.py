"""What is planned of a study of which another grid, or other seeds, are typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from ablations.analysis.statistics import ALPHA
from ablations.analysis.verdicts import judge
from sweeps.compose.arguments import Arguments, parse
from sweeps.compose.compose import Composer, run_of
from sweeps.planning import make_plan
from sweeps.question import axis_notes, resolve_question
from tests.ablations.conftest import make_records
from tests.pages import ROOT
from tests.typed import typed


@pytest.fixture(scope="module")
def planned() -> Iterator[Callable[..., dict[str, Any]]]:
    """planned(words): the plan as it would be published."""

    def plan(*words: str) -> dict[str, Any]:
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(words), run_mode=RunMode.MULTIRUN)
        typed = parse(list(words), loader)
        composer = Composer(loader, config, typed.rest)
        return make_plan(resolve_question(typed, config, composer.brought_by), typed, composer).as_json()

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield plan


@pytest.mark.parametrize("typed", ["data=cifar10", "data=mnist norm=group recipe.lr=0.03"])
def test_data_brings_its_network_and_recipe_to_a_sweep_as_to_a_single_run(planned: Any, typed: str) -> None:
    words = [*typed.split(), "block=residual", "depth=8"]
    (cell,) = planned(*words, "seed=0")["cells"]
    single = GlobalHydra.instance().config_loader().load_configuration("config", words, run_mode=RunMode.RUN)
    assert cell["runs"][0]["identity"] == run_of(single, single.hydra).identity


def says(plan: dict[str, Any]) -> list[str]:
    return [claim["says"].partition(" ")[0] for claim in plan["study"]["claims"]]


def test_claims_that_a_typed_grid_cannot_answer_count_all_the_same(planned: Any) -> None:
    whole = planned("study=headline")
    part = planned("study=headline", "block=plain,residual", "depth=20,56")
    assert (says(whole), says(part)) == (["Plain", "With", "Residual", "Gated"], ["Plain", "With", "Residual"])
    assert part["study"]["family"] == 4
    part["study"]["claims"] = part["study"]["claims"][:1]
    every = make_records(part, lambda axes, seed: 5.0 + seed)
    assert judge(part, every, runs=Path("nowhere"))[0].share == ALPHA / 4


def test_typed_seeds_leave_the_claims_and_their_number_alone(planned: Any) -> None:
    plan = planned("study=headline", "seed=0,1,2,3")
    assert len(says(plan)) == 4
    assert "family" not in plan["study"]
    assert plan["study"]["seeds"] == [0, 1, 2, 3]
    assert {len(cell["runs"]) for cell in plan["cells"]} == {4}
    assert not any(cell["further"] for cell in plan["cells"])


@pytest.mark.parametrize(
    ("words", "seeds"),
    [
        (["seed=until_decided"], {"from": 3, "most": 30, "context": 3}),
        (["seed=until_decided", "most=5"], {"from": 3, "most": 5, "context": 3}),
        (["most=6"], {"from": 3, "most": 6, "context": 3}),
    ],
)
def test_seeds_until_decided_can_be_typed_with_the_most(planned: Any, words: list[str], seeds: dict) -> None:
    plan = planned("study=headline", *words)
    assert plan["study"]["seeds"] == seeds
    claimed = [cell for cell in plan["cells"] if cell["further"]]
    assert len(claimed) == 5  # plain-20, plain-56, residual-20, residual-56, highway-56
    assert {len(cell["runs"]) for cell in plan["cells"]} == {3}
    assert {len(cell["further"]) for cell in claimed} == {seeds["most"] - 3}


def test_cells_that_no_claim_names_have_the_seeds_of_context(planned: Any) -> None:
    plan = planned("study=headline", "+study.seeds.context=1")
    assert sorted(len(cell["runs"]) for cell in plan["cells"]) == [1] * 4 + [3] * 5


def test_a_grid_of_ones_own_says_which_axes_and_claims_of_the_study_it_drops(tmp_path: Path) -> None:
    done = typed("-m", "depth=8,20", "plan=true", "runs=r", at=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "your own grid replaces the study's: block not varied" in said
    assert "the study's claims 1, 2, 3, 4 cannot be judged" in said
    assert said.startswith("depth-"), "it is named after what it varies"


@pytest.mark.parametrize(("block", "gone"), [("rezero", "norm"), ("highway", "norm, block.gate_kernel")])
def test_an_option_of_choices_that_are_not_asked_for_is_not_missed(block: str, gone: str) -> None:
    points = [{"block": "plain", "norm": "batch"}, {"block": "highway", "block.gate_kernel": 3}]
    (note,) = axis_notes(points, Arguments(swept={"block": ["residual", block]}))
    assert f": {gone} not varied" in note
