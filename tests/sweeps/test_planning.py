"""What is planned of a study of which another grid, or other seeds, are typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from ablations.analysis.claim_schema import ClaimError
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


TEXT, TWO_TASKS = ("study=shakespeare/joins",), ("study=joins", "study.grid=[{data: [digits, digits_centre]}]")


def claiming(metric: str, cell: str) -> str:
    return f"study.claims=[{{says: It is small., metric: '{metric}', cell: {{{cell}}}, expect: '< 3'}}]"


@pytest.mark.parametrize(
    ("words", "metric", "cell", "says"),
    [
        (
            TEXT,
            "test_error",
            "block: laurel",
            "did you mean test_token_error[?] measured are test_loss, test_perplexity",
        ),
        (TEXT, "val_error@best", "block: laurel", "val_error .* did you mean val_token_error[?] measured are val_loss"),
        (TEXT, "epochs until train_error <= 5", "block: laurel", "train_error .* did you mean train_token_error"),
        (TEXT, "test_ece", "block: laurel", "test_ece is not measured in block=laurel; .*measured are test_loss"),
        (TEXT, "lesion_mean", "block: laurel", "lesion_mean is not measured in block=laurel: set recipe.lesions=true$"),
        (TEXT, "log10 stress_rate", "block: laurel", "stress_rate is not measured in block=laurel: set stress=true$"),
        (TWO_TASKS, "test_error", "data: digits_centre", "test_error .* data=digits_centre.*measured are test_"),
        (TWO_TASKS, "test_mse", "data: digits", "test_mse is not measured in data=digits.*measured are test_ece"),
    ],
)
def test_a_claim_on_what_its_cells_never_measure_is_refused(
    planned: Any, words: tuple[str, ...], metric: str, cell: str, says: str
) -> None:
    with pytest.raises(ClaimError, match=f"claim 'It is small.': .*{says}"):
        planned(*words, claiming(metric, cell))


@pytest.mark.parametrize(
    ("words", "metric", "cell"),
    [
        *(
            (TEXT, metric, "block: laurel")
            for metric in ("test_perplexity", "val_token_error@best", "log10 train_loss")
        ),
        *((TEXT, metric, "block: laurel") for metric in ("test_nll", "seconds", "params", "diagnostics.response")),
        ((*TEXT, "stress=true"), "log10 stress_rate", "block: laurel"),
        ((*TEXT, "+study.fixed.metric=top5"), "test_top5", "block: laurel"),
        ((*TEXT, "+study.metrics={test_mine: lower}"), "test_mine", "block: laurel"),
        (TWO_TASKS, "test_error", "data: digits"),
        (TWO_TASKS, "test_ece", "data: digits"),
        (TWO_TASKS, "epochs until val_mse < 2", "data: digits_centre"),
    ],
)
def test_a_claim_on_what_its_cells_measure_is_planned(
    planned: Any, words: tuple[str, ...], metric: str, cell: str
) -> None:
    assert says(planned(*words, claiming(metric, cell))) == ["It"]


def test_a_study_asked_of_data_of_another_task_leaves_out_what_is_not_measured_there(tmp_path: Path) -> None:
    done = typed("-m", "study=search_tuned", "data=digits_centre", "plan=true", "tracker=none", at=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "left out: claim 'Tuned for themselves, " in said
    assert "test_error is not measured in block=residual; did you mean test_" in said


def test_a_search_is_refused_at_planning_as_a_sweep_is(tmp_path: Path) -> None:
    words = ("study=search_tuned", claiming("test_top5", "block: plain"), "plan=true", "tracker=none")
    done = typed("-m", *words, at=tmp_path)
    assert done.returncode == 1
    assert "no metric 'test_top5'" in done.stderr
