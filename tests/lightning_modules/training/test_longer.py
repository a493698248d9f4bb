"""A longer training that goes on from the end of a shorter one equals one that was never interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_modules.training.history import LastEpoch
from lightning_modules.training.longer import hand_over, same_beginning, save_last_state
from tests.lightning_modules.trained import composed, perceptron, tiny_data, train
from tests.lightning_modules.training.test_resume import Epochs, same

TORCH = "schedule._target_=torch.optim.lr_scheduler."
GO_ON = {  # five steps an epoch, three epochs first, seven in all
    "constant": ["schedule=constant"],
    "StepLR": ["schedule=constant", f"{TORCH}StepLR", "+schedule.step_size=6"],
    "MultiStepLR": ["schedule=constant", f"{TORCH}MultiStepLR", "+schedule.milestones=[7,15,20]"],
    "a rate that no share has changed yet": ["schedule=steps", "schedule.milestones=[0.9]", "recipe.epochs=9"],
    "Adam, dropout": ["schedule=constant", "optimizer=adam", "recipe.lr=0.001"],
}
BEGIN_ANEW = {
    "cosine": ["schedule=cosine"],
    "shares": ["schedule=steps"],
    "the last share is at the end": ["schedule=steps", "schedule.milestones=[1.0]"],
    "exponential": ["schedule=exponential"],
    "OneCycleLR": ["schedule=constant", f"{TORCH}OneCycleLR", "+schedule.max_lr=0.1"],
    "momentum": ["schedule=constant", f"{TORCH}OneCycleLR", "+schedule.max_lr=0.1", "+schedule.pct_start=0.4"],
}


def recipe(*words: str):
    from hydra.utils import instantiate

    return instantiate(composed(*words).recipe)


@pytest.mark.parametrize("saved", [True, False], ids=["on disk", "in memory"])
@pytest.mark.parametrize("words", [words for name, words in GO_ON.items() if "share" not in name], ids=lambda w: w[-1])
def test_it_equals_an_uninterrupted_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], saved: bool
) -> None:
    """With batch norm, momentum and dropout."""
    monkeypatch.setattr("lightning_modules.training.history.SAVING", float("inf") if saved else 1e-9)
    given = {"network": perceptron, "data": tiny_data()}
    last = LastEpoch(tmp_path / "last.ckpt", {"identity": "shorter"})
    train(*words, "recipe.epochs=3", callbacks=[last], **given)
    save_last_state(last, tmp_path / "state.ckpt")
    whole = train(*words, "recipe.epochs=7", **given)
    hand_over(tmp_path / "state.ckpt", tmp_path / "longer.ckpt", {"identity": "longer", "continued": "shorter"})
    epochs = Epochs()
    longer = train(*words, "recipe.epochs=7", checkpoint=tmp_path / "longer.ckpt", callbacks=[epochs], **given)
    (last,) = [one for one in longer.trainer.callbacks if isinstance(one, LastEpoch)]
    assert last.state_dict()["continued"] == "shorter", "after an interruption it is still known"
    assert epochs.begun == [3, 4, 5, 6]
    assert same(whole, longer)


@pytest.mark.parametrize("name", GO_ON)
def test_a_schedule_that_counts_steps_begins_alike_however_long_it_is(name: str) -> None:
    assert same_beginning(recipe(*GO_ON[name]), 15, 45 if "share" in name else 35) == ("share" not in name)
    assert same_beginning(recipe("schedule=steps", "schedule.milestones=[]"), 15, 35)
    assert same_beginning(recipe("schedule=steps", "schedule.milestones=[0.9]"), 15, 18) is False


@pytest.mark.parametrize("name", BEGIN_ANEW)
def test_one_that_knows_its_length_does_not(name: str) -> None:
    assert not same_beginning(recipe(*BEGIN_ANEW[name]), 15, 35)
