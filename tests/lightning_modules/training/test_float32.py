"""`recipe.precision=32` is float32 on every device, and TF32 is asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from pytorch_lightning import Callback

from lightning_modules.training.float32 import EXACT, TF32, Float32Products, float32_products, switches
from lightning_modules.training.recipe import PRECISIONS
from sweeps.compose.compose import run_of
from tests.lightning_modules.trained import composed, perceptron, tiny_data, train


def now() -> list[str]:
    return [switch.fp32_precision for switch in switches()]


class Look(Callback):
    """Notes how the switches stand in each kind of step."""

    def __init__(self) -> None:
        self.seen: dict[str, list[str]] = {}

    def on_train_batch_start(self, *_: Any) -> None:
        self.seen["train"] = now()

    def on_validation_batch_start(self, *_: Any) -> None:
        self.seen["validation"] = now()

    def on_test_batch_start(self, *_: Any) -> None:
        self.seen["test"] = now()


@pytest.mark.parametrize("before", [EXACT, TF32])
def test_products_are_exact_in_a_training_and_as_they_were_after_it(before: str) -> None:
    look = Look()
    with float32_products(tf32=before == TF32):
        train(network=perceptron, data=tiny_data(), callbacks=[look])
        assert now() == [before] * 3
    assert look.seen == dict.fromkeys(("train", "validation", "test"), [EXACT] * 3)


def test_a_training_that_fails_leaves_the_switches_as_they_were() -> None:
    class Fails(Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            raise RuntimeError("the card is on fire")

    before = now()
    with pytest.raises(RuntimeError, match="on fire"):
        train(network=perceptron, data=tiny_data(), callbacks=[Fails()])
    assert now() == before


def test_tf32_is_set_where_it_is_asked_for() -> None:
    trained, before = train("recipe.epochs=1", network=perceptron, data=tiny_data()), now()
    callback = Float32Products(tf32=True)
    callback.setup(trained.trainer, trained.classifier, "fit")
    assert now() == [TF32] * 3
    callback.teardown(trained.trainer, trained.classifier, "fit")
    assert now() == before


def test_tf32_is_another_run_than_float32() -> None:
    configs = [composed(f"recipe.precision={precision}") for precision in ("32", "tf32")]
    assert len({run_of(config, config.hydra).identity for config in configs}) == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_cpu_has_no_tf32() -> None:
    config = composed("recipe.precision=tf32")
    with pytest.raises(ValueError, match=r"recipe\.precision=tf32 needs a GPU .*: choose recipe\.precision=32"):
        instantiate(config.trainer)(recipe=instantiate(config.recipe), callbacks=())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("fp32", "32"),
        ("32-true", "32"),
        ("bf16", "bf16-mixed"),
        ("16", "16-mixed"),
        ("TF32", "tf32"),
        ("tf-32", "tf32"),
    ],
)
def test_a_precision_that_does_not_exist_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    allowed = ", ".join(PRECISIONS)
    with pytest.raises(
        InstantiationException, match=f"recipe.precision={typed} is none of {allowed}: did you mean {meant}"
    ):
        train(f"recipe.precision={typed}")
