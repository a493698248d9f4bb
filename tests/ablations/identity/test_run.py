"""Equal runs have equal identities whatever they are called; different ones differ."""

import pytest

from ablations.identity.run import Run, active_axes, canonical, digest

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


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "a\\b", "a\nb", "ä" * 300])
def test_no_label_leaves_its_folder_or_hides(name: str) -> None:
    label = Run(axes={"block": name}, seed=0, config={}).label
    assert not set(label) & set("/\\\n\0")
    assert not label.startswith(".")
    assert len(label) <= 100
