"""Equal runs have equal identities whatever they are called; different ones differ."""

from itertools import permutations

import pytest

from ablations.identity.run import Run, active_axes, canonical, digest

UNUSUAL = (*(f"a{k}" for k in range(100)), "z")
TREE = {
    "network": {"block": "${block}", "depth": "${depth}", "classes": "${data.classes}"},
    "block": {"_target_": "x.Plain", "norm": "${norm}"},
    "shortcut": {"_target_": "x.A", "norm": "${norm}"},
    "norm": {"_target_": "x.Batch"},
    "data": {"classes": 10, "folder": "${oc.env:HOME,x}"},
    "recipe": {"lr": 0.1, "optimizer": "${optimizer}"},
    "optimizer": {"lr": "${recipe.lr}"},
    "depth": 20,
    "runs": "runs",
}


def test_active_is_what_network_data_and_recipe_reach() -> None:
    assert active_axes(TREE) == ["network", "block", "norm", "data", "recipe", "optimizer", "depth"]


def test_a_block_that_names_the_shortcut_makes_it_active() -> None:
    residual = TREE | {"block": {"_target_": "x.Residual", "shortcut": "${shortcut}"}}
    assert {"shortcut", "norm"} <= set(active_axes(residual))


def run(seed: int = 0, lr: float = 0.1, **axes: object) -> Run:
    config = {"network": {"depth": 20}, "data": {}, "recipe": {"lr": lr}}
    return Run(
        axes={"block": "residual", "shortcut": "A", "norm": "batch", "depth": 20} | axes, seed=seed, config=config
    )


def test_names_do_not_enter_the_identity_but_config_and_seed_do() -> None:
    assert run(shortcut="B").identity == run().identity
    assert run(lr=0.2).identity != run().identity
    assert run(seed=1).identity != run().identity
    assert run(seed=1).cell == run().cell


def test_equal_numbers_are_one_number() -> None:
    assert digest({"width": 1.0}) == digest({"width": 1})
    assert digest({"lr": 0.1}) != digest({"lr": "0.1"})
    assert canonical((1.5, 2.0)) == [1.5, 2]


def test_labels_are_readable_and_stay_in_their_folder() -> None:
    assert run().label == "residual-A-batch-d20-s0"
    assert run().folder == f"residual-A-batch-d20-s0-{run().identity[:8]}"
    odd = Run(axes={"block": "../../etc/x y", "depth": 8, "recipe.lr": 0.5}, seed=3, config={}, unusual=("recipe.lr",))
    assert odd.label == "_.._etc_x_y-d8-lr=0.5-s3"


def test_the_order_of_words_is_no_part_of_a_label() -> None:
    axes = {"block": "plain", "recipe.lr": 0.05, "recipe.batch_size": 64, "activation": "tanh"}
    words = ("recipe.lr", "activation", "recipe.batch_size")
    labels = {Run(axes=axes, seed=0, config={}, unusual=order).label for order in permutations(words)}
    assert labels == {"plain-tanh-batch_size=64-lr=0.05-s0"}


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "a\\b", "a\nb", "ä" * 300, "x" * 300, "%#?:"])
def test_a_label_is_a_name_for_a_file_and_for_wandb_and_ends_with_its_seed(name: str) -> None:
    for seed in (0, 2**64):
        run = Run(axes={"block": name}, seed=seed, config={})
        assert run.label.endswith(f"s{seed}")
        assert not set(run.folder) & set("/\\\n\0#?%:")
        assert not run.label.startswith(".")
        assert len(run.folder) <= 128


def test_runs_that_share_a_label_that_was_cut_share_no_folder() -> None:
    """A hundred settings that differ in the last, under three seeds."""
    made = [
        Run(axes={f"a{k}": 1000 for k in range(100)} | {"z": z}, seed=seed, config={"z": z}, unusual=UNUSUAL)
        for z in (1, 2)
        for seed in range(3)
    ]
    assert len({run.folder for run in made}) == 6
    assert len({run.label for run in made}) >= 3
