"""`data.take` and `split`, as they are planned and trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from ablations.plan.staleness import made_of_other_data
from sweeps.compose.compose import run_of
from sweeps.data import data_digest
from sweeps.preflight import check
from sweeps.training import build
from tests.lightning_modules.trained import composed, train

STEPS = ["recipe.epochs=null", "recipe.steps=25"]


@pytest.mark.parametrize("words", [[], ["data.take=100", "recipe.batch_size=32"], ["data.take=40"]])
def test_the_plan_knows_how_many_images_an_epoch_has(words: list[str]) -> None:
    """A recipe in steps begins as many epochs as the plan says, and costs grow with the images."""
    trained = train(*STEPS, *words)
    planned = check(composed(*STEPS, *words))
    assert planned.epochs == trained.done.epochs
    images = min(trained.data.batch_size, len(trained.data.train_indices))
    assert planned.cost == 3 * planned.macs * 25 * images


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("data.take=0", r"data.take=0 of 1280 images: choose from 10 \(one of each class\) to 1280 "),
        ("data.take=2000", "data.take=2000 of 1280 images: choose from 10 "),
        ("data.take=some", "data.take=some of 1280 images: choose from 10 "),
        ("data.split=sed", "split=sed is neither fixed nor seed"),
        ("data.held_out=5000", "held_out=5000 of 1437 training images: choose from 1 to 1436"),
    ],
)
def test_what_cannot_be_taken_is_refused_before_anything_is_trained(words: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check(composed(*words.split()))


def test_both_are_part_of_what_a_run_is() -> None:
    words = ([], ["split=seed"], ["data.take=200"], ["split=seed", "data.take=200"])
    configs = [composed(*one) for one in words]
    runs = [run_of(config, config.hydra) for config in configs]
    assert len({run.identity for run in runs}) == 4
    assert runs[1].axes["split"] == "seed"
    assert runs[1].label == "residual-A-batch-d8-epochs=2-split=seed-s0"
    assert runs[0].config["data"]["take"] is None


def test_the_same_seed_has_the_same_images_in_every_cell() -> None:
    """So that differences of two cells are paired, also where the seed draws the parts."""
    words = ["split=seed", "seed=3", "data.take=100"]
    one, other = (build(composed(*words, cell)).data for cell in ("block=plain", "block=highway"))
    for indices in ("train_indices", "val_indices"):
        assert (getattr(one, indices) == getattr(other, indices)).all()
    assert (one.images.test_images == other.images.test_images).all()
    assert (build(composed(*words, "seed=4")).data.val_indices != one.val_indices).any()


def test_a_split_by_the_seed_is_no_change_of_the_data() -> None:
    for seed in (1, 2):
        config = composed("split=seed", f"seed={seed}")
        data = build(config).data
        run, now = run_of(config, config.hydra), lambda source: data_digest(source, Path("nowhere"))
        assert not made_of_other_data(run, {"data_digest": data.digest}, now)
        assert made_of_other_data(run, {"data_digest": "0" * 64}, now)


def test_every_data_set_offers_both() -> None:
    root = OmegaConf.create({"split": "seed"})
    for file in sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml")):
        content = OmegaConf.load(file)
        data = OmegaConf.merge(root, content if "data" in content else {"data": content}).data
        assert data.split == "seed", file.name
        assert data.take is None


def test_predictions_of_a_split_by_the_seed_are_of_its_own_images() -> None:
    trained = [train("split=seed", f"seed={seed}", "data.take=200", "recipe.epochs=1") for seed in (1, 2)]
    for one in trained:
        assert (one.done.predictions["test_label"] == one.data.images.test_labels).all()
    first, second = (one.done.predictions["test_label"] for one in trained)
    assert not np.array_equal(first, second)
