"""A training that begins shallow is the shallow one until it grows, and resumes bit for bit before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from pytorch_lightning import Callback

from ablations.identity.code_hash import fingerprint
from lightning_modules.networks.growth import PendingBlock
from sweeps.preflight import check
from tests.lightning_modules.trained import Trained, composed, train
from tests.lightning_modules.training.test_resume import Kill, Killed, same

GROWN = ["depth=14", "recipe.grow_from=8", "recipe.grow_at=2", "recipe.epochs=4", "data.held_out=797"]  # five steps


class Watch(Callback):
    """The weights of the surplus blocks after each epoch, and whether they were there."""

    def __init__(self) -> None:
        self.weights: list[list[torch.Tensor]] = []
        self.active: list[bool] = []

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        surplus = [module for module in pl_module.network.modules() if isinstance(module, PendingBlock)]
        self.active.append(all(one.active for one in surplus))
        self.weights.append([p.detach().clone() for one in surplus for p in one.state_dict().values()])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_is_the_shallow_training_until_it_grows(optimizer: str) -> None:
    watch, words = Watch(), [f"optimizer={optimizer}"]
    grown, shallow = train(*GROWN, *words, callbacks=[watch]), train(*words, "depth=8", *GROWN[3:])
    rows = [[{k: v for k, v in row.items() if k != "seconds"} for row in one.curve.rows] for one in (grown, shallow)]
    assert rows[0][:2] == rows[1][:2]
    assert rows[0][2]["train_loss"] != rows[1][2]["train_loss"]
    assert watch.active == [False, False, True, True]
    first, still, moved, _ = watch.weights
    assert all(map(torch.equal, first, still)), "neither weight decay nor momentum touches what is not there"
    assert sum(map(torch.equal, first, moved)) == 0


@pytest.fixture(scope="module")
def whole() -> Trained:
    return train(*GROWN)


@pytest.mark.usefixtures("every_epoch_saved")
@pytest.mark.parametrize("at", [7, 10, 16])
def test_interrupted_it_goes_on_bit_for_bit(tmp_path: Path, whole: Trained, at: int) -> None:
    with pytest.raises(Killed):
        train(*GROWN, checkpoint=tmp_path / "last.ckpt", callbacks=[Kill(at)])
    assert same(whole, train(*GROWN, checkpoint=tmp_path / "last.ckpt"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recipe.grow_from=9"], r"recipe.grow_from=9: depth=9 is not 6n\+2; the nearest are 8 and 14"),
        (["recipe.grow_from=14"], "recipe.grow_from=14: it must be less than depth=14"),
        (["recipe.grow_at=4"], "recipe.grow_at=4 must be less than recipe.epochs=4"),
        (["recipe.grow_at=null"], "go together"),
        (["recipe.grow_at=0"], "recipe.grow_at=0 must be a whole number ≥ 1"),
        (["recipe.epochs=null", "recipe.steps=10"], "recipe.grow_at=2 must be less than the number of epochs, 2"),
        (["block=highway"], "recipe.grow_from=8: Highway cannot begin as the identity: use block=residual"),
        (["block=preactivation"], "differ in more than their number of blocks"),
    ],
    ids=str,
)
def test_what_cannot_grow_is_refused_before_anything_is_trained(words: list[str], sentence: str) -> None:
    with pytest.raises(Exception, match=sentence):
        check(composed(*GROWN, *words))


def test_several_devices_are_refused() -> None:
    config = composed(*GROWN)
    with pytest.raises(ValueError, match="needs one device"):
        instantiate(config.trainer, devices=2)(recipe=instantiate(config.recipe), callbacks=[])


def test_every_identity_covers_what_grows_and_what_is_taken_out() -> None:
    assert {"lightning_modules/networks/growth.py", "lightning_modules/training/block_removal.py"} <= set(
        fingerprint([])
    )
