"""What conf/recipe, conf/optimizer and conf/schedule offer, and what torch has beside."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ablations.catalog.choices import CONF
from lightning_modules.training.recipe import Recipe
from sweeps.preflight import check
from sweeps.training import build
from tests.lightning_modules.trained import composed, perceptron, tiny_data, train

RECIPES, OPTIMIZERS, SCHEDULES = (
    sorted(file.stem for file in (CONF / group).glob("*.yaml")) for group in ("recipe", "optimizer", "schedule")
)
TORCH = "torch.optim.lr_scheduler."
REFUSED = {
    "LBFGS": "LBFGS computes the loss several times a step, which is not supported: try adamw",
    "SparseAdam": "optimizer: SparseAdam does not support dense gradients",
    "Muon": "optimizer: Muon only supports 2D parameters",  # and biases have one axis
}


def rates(steps: int, *overrides: str) -> list[float]:
    """The learning rate of every step of a training."""
    recipe: Recipe = instantiate(composed(*overrides).recipe)
    optimizer, schedule = recipe.optimization([torch.nn.Parameter(torch.zeros(1))], steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_learns_with_every_schedule(optimizer: str, schedule: str) -> None:
    rate = "0.1" if "sgd" in optimizer or optimizer == "nesterov" else "0.01"
    words = [f"optimizer={optimizer}", f"schedule={schedule}", f"recipe.lr={rate}", "recipe.epochs=3"]
    trained = train(*words, "recipe.batch_size=64", network=perceptron)
    defaults, rows = trained.trainer.optimizers[0].defaults, trained.curve.rows
    assert (defaults["lr"], defaults["weight_decay"]) == (float(rate), 1e-4)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert max(row["lr"] for row in rows) <= float(rate)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_what_it_is_for(recipe: str) -> None:
    data = "synthetic" if recipe.startswith("he2015") else "digits"
    small = ["recipe.epochs=null", "recipe.steps=2", "recipe.batch_size=8", "data.held_out=8"]
    sizes = ["data.source.train=40", "data.source.test=8"] if data == "synthetic" else []
    trained = train(f"recipe={recipe}", f"data={data}", *small, *sizes)
    assert trained.done.steps == 2
    assert trained.data.shape[1:] == {"d2l": (96, 96), "he2015": (32, 32), "he2015_short": (32, 32)}.get(recipe, (8, 8))
    assert trained.classifier.recipe.lr == trained.trainer.optimizers[0].defaults["lr"]
    assert trained.classifier.recipe.weight_decay == trained.trainer.optimizers[0].defaults["weight_decay"]


@pytest.mark.parametrize(
    ("recipe", "published"),
    [
        ("d2l", {"epochs": 10, "batch_size": 256, "lr": 0.05, "weight_decay": 0}),
        ("he2015", {"steps": 64000, "epochs": None, "batch_size": 128, "lr": 0.1, "weight_decay": 1e-4}),
    ],
)
def test_a_recipe_is_as_published(recipe: str, published: dict[str, object]) -> None:
    base, written = (OmegaConf.load(CONF / "recipe" / f"{name}.yaml") for name in ("base", recipe))
    node = OmegaConf.merge(base, written.recipe)
    assert {name: node[name] for name in published} == published


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_he2015_is_the_papers_schedule_and_warms_up_only_what_is_deep(depth: int) -> None:
    recipe: Recipe = instantiate(composed("recipe=he2015", "recipe.epochs=null", f"depth={depth}").recipe)
    _, schedule = recipe.optimization([torch.nn.Parameter(torch.zeros(1))], recipe.total_steps(351))
    (factor,) = schedule.lr_lambdas
    rates = {step: 0.1 * factor(step) for step in (0, 399, 400, 31_999, 32_000, 47_999, 48_000, 63_999)}
    first = 0.01 if depth == 110 else 0.1
    assert list(rates.values()) == pytest.approx([first, first, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_cosine_rises_in_a_line_and_falls_to_nothing() -> None:
    found = rates(100, "schedule=cosine")
    assert found[:20] == pytest.approx([0.1 * (step + 1) / 20 for step in range(20)])
    assert found[20] == pytest.approx(0.1)
    assert found[60] == pytest.approx(0.05)
    assert found[99] < 1e-4
    assert sorted(found[20:], reverse=True) == found[20:]
    assert rates(100, "schedule=cosine", "schedule.warmup=0")[0] == 0.1


def test_the_other_schedules_have_their_shapes() -> None:
    assert set(rates(10, "schedule=constant")) == {0.1}
    assert rates(8, "schedule=steps") == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)
    falling = rates(100, "schedule=exponential")
    assert [falling[0], falling[50]] == pytest.approx([0.1, 0.01])
    assert falling[99] == pytest.approx(0.001, rel=0.05)


def test_torchs_own_schedules_need_no_code() -> None:
    cycle = ["schedule=constant", f"schedule._target_={TORCH}OneCycleLR", "+schedule.max_lr=0.4"]
    assert max(rates(100, *cycle)) == pytest.approx(0.4, rel=1e-3)
    assert rates(100, *cycle)[-1] < 1e-4, "it is told the number of steps"
    assert rates(100, *cycle, "+schedule.total_steps=200")[-1] > 0.1, "unless that is said already"
    cosine = ["schedule=constant", f"schedule._target_={TORCH}CosineAnnealingLR", "+schedule.T_max=20"]
    assert rates(20, *cosine)[10] == pytest.approx(0.05)
    for words in (cycle, cosine):
        trained = train(*words, network=perceptron)
        assert trained.done.steps == 20
        assert trained.curve.rows[-1]["lr"] < 0.01


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([f"schedule._target_={TORCH}OneCycleLR", "schedule=constant"], "missing 1 required positional.*max_lr"),
        ([f"schedule._target_={TORCH}OneCycleLR", "schedule=cosine"], "nothing uses schedule.warmup"),
        ([f"schedule._target_={TORCH}ReduceLROnPlateau", "schedule=constant"], "waits for a metric"),
        (["schedule.warmup=20"], "schedule.warmup: 20 is no share of the steps"),
        (["schedule=steps", "schedule.milestones=[0.5,75]"], "schedule.milestones: 75 is no share"),
        (["optimizer=nesterov", "optimizer.momentum=0"], "Nesterov momentum requires a momentum"),
        (["optimizer=adam", "+optimizer.betas=[0.9,2]"], "Invalid beta"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_trains(words: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(composed(*words))


@pytest.mark.parametrize("name", sorted(vars(torch.optim)))
def test_an_optimizer_of_torch_trains_or_is_refused_before(name: str) -> None:
    made = getattr(torch.optim, name)
    if not isinstance(made, type) or not issubclass(made, torch.optim.Optimizer) or made is torch.optim.Optimizer:
        return
    words = ["optimizer=adam", f"optimizer._target_=torch.optim.{name}", "recipe.epochs=1"]
    words += [] if "weight_decay" in signature(made).parameters else ["~optimizer.weight_decay"]
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            check(composed(*words))
    else:
        check(composed(*words))
        assert train(*words, network=perceptron, data=tiny_data()).done.steps == 5


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    words = ["recipe.batch_size=5000", "schedule=constant", f"schedule._target_={TORCH}OneCycleLR"]
    assert check(composed(*words, "+schedule.max_lr=0.1")).cost > 0
    assert train(*words, "+schedule.max_lr=0.1", network=perceptron).done.steps == 2


@pytest.mark.parametrize("group", ["recipe", "optimizer", "schedule", "trainer"])
def test_a_choice_is_a_factory_or_what_it_makes(group: str) -> None:
    for file in sorted((CONF / group).glob("*.yaml")):
        node = composed(f"{group}={file.stem}", "recipe.epochs=1", "recipe.steps=null")[group]
        assert node.get("_partial_", False) is (group != "recipe"), file.name
        assert callable(instantiate(node)) is (group != "recipe")


def test_the_yaml_of_a_recipe_names_every_setting_once() -> None:
    """A recipe's file is what is hashed: a default hidden in the class would not be seen there."""
    for recipe in RECIPES:
        node = OmegaConf.to_container(composed(f"recipe={recipe}", "recipe.epochs=1", "recipe.steps=null").recipe)
        assert set(node) - {"_target_"} == set(Recipe.__dataclass_fields__), recipe


def test_the_base_of_all_recipes_trains_as_long_as_one_says() -> None:
    assert instantiate(composed("recipe=base", "recipe.epochs=3").recipe).total_steps(10) == 30
    with pytest.raises(InstantiationException, match=r"either recipe\.epochs or recipe\.steps"):
        instantiate(composed("recipe=base", "recipe.epochs=null").recipe)


def test_building_twice_is_the_same_network() -> None:
    one, other = (build(composed("seed=3"))[0].state_dict() for _ in range(2))
    assert all(map(torch.equal, one.values(), other.values()))
    different = build(composed("seed=4"))[0].state_dict()
    assert not all(map(torch.equal, one.values(), different.values()))
