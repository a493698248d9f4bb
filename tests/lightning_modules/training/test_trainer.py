"""The lean trainer: what it may not do behind one's back, print, or leave behind."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import nn

from lightning_modules.networks.counting import multiply_adds
from lightning_modules.training.threads import ENOUGH
from sweeps.training import build
from sweeps.workers.worker import memory_freed
from tests.lightning_modules.trained import composed, perceptron, tiny_data, train


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["recipe.precision=bf16-mixed"],
        ["recipe.epochs=null", "recipe.steps=7"],
        ["recipe.clip_norm=1"],
        ["trainer.deterministic=true"],
    ],
    ids=lambda words: " ".join(words) or "as it is",
)
def test_nothing_is_said(words: list[str], tmp_path: Path, capfd, caplog) -> None:
    """No warning (they are errors here), no line on the terminal, nothing in the log but debugging."""
    caplog.set_level(logging.INFO)
    try:
        train(*words, data=tiny_data(), checkpoint=tmp_path / "last.ckpt")
    finally:
        torch.use_deterministic_algorithms(False)
    assert capfd.readouterr() == ("", "")
    assert [record.message for record in caplog.records] == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_precision_the_device_has_not_is_refused_and_not_replaced() -> None:
    config = composed("recipe.precision=16-mixed", "trainer=auto")
    with pytest.raises(ValueError, match=r"recipe\.precision=16-mixed needs a GPU: on a CPU choose bf16-mixed or 32"):
        instantiate(config.trainer)(recipe=instantiate(config.recipe), callbacks=())


@pytest.mark.parametrize(
    ("words", "says"),
    [(["trainer.accelerator=abacus"], "abacus"), (["trainer.devices=0"], "devices"), (["trainer.strategy=x"], "x")],
)
def test_a_device_that_is_not_there_is_one_sentence(words: list[str], says: str) -> None:
    config = composed(*words)
    with pytest.raises(ValueError, match=f"^trainer: .*{says}"):
        instantiate(config.trainer)(recipe=instantiate(config.recipe), callbacks=())


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine with two cores, where nobody has set anything."""
    before = torch.get_num_threads()
    monkeypatch.setattr("lightning_modules.training.threads._all_threads", lambda: 2)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_are_those_asked_for_or_fit_the_size_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def device(threads: str) -> str:
        return train(f"trainer.threads={threads}", "recipe.epochs=1", network=perceptron, data=tiny_data()).done.device

    assert device("2") == "cpu, 2 threads"
    assert device("null") == "cpu, 1 thread", "a tiny network"
    monkeypatch.setattr("lightning_modules.training.threads.ENOUGH", 1)
    assert device("1") == "cpu, 1 thread"
    assert device("null") == "cpu, 2 threads", "a large one"
    share = train("trainer.threads=null", "trainer.most_threads=1", network=perceptron, data=tiny_data())
    assert share.done.device == "cpu, 1 thread", "a worker's share"


@pytest.mark.usefixtures("two_threads")
def test_a_network_that_cannot_be_counted_takes_all_threads() -> None:
    class Asks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum().item() else -x

    def network() -> nn.Module:
        return nn.Sequential(Asks(), perceptron())

    trained = train("trainer.threads=null", "recipe.epochs=1", network=network, data=tiny_data())
    assert trained.done.device == "cpu, 2 threads"


def test_networks_for_digits_have_one_thread_and_those_for_cifar_all() -> None:
    for overrides, several in ((("depth=56",), False), (("data=synthetic", "network=cifar", "depth=20"), True)):
        config = composed(*overrides, "recipe.batch_size=128")
        network, data, recipe = build(config)
        assert (recipe.batch_size * multiply_adds(network, data.shape) >= ENOUGH) == several


def test_a_run_leaves_no_network_behind_in_a_worker() -> None:
    """Lightning's trainer and the network refer to each other: without a collection both stay, with all they hold."""
    kept = []
    gc.disable()
    try:
        for _ in range(3):
            with memory_freed():
                kept.append(weakref.ref(train("recipe.epochs=1", network=perceptron, data=tiny_data()).classifier))
            assert kept[-1]() is None
    finally:
        gc.enable()
    assert gc.get_freeze_count() == 0
