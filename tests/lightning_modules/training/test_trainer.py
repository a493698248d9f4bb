"""The lean trainer: what it may not do behind one's back, print, or leave behind."""

from __future__ import annotations

import gc
import logging
import weakref
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

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


def test_threads_are_those_asked_for() -> None:
    before = torch.get_num_threads()
    try:
        assert train("trainer.threads=2", data=tiny_data()).done.device == "cpu, 2 threads"
        assert train("trainer.threads=1", data=tiny_data()).done.device == "cpu, 1 thread"
    finally:
        torch.set_num_threads(before)


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
