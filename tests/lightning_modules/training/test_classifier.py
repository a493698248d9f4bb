"""What an epoch computes, and what a step's options do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from torch import nn
from torch.nn import functional as F

from lightning_modules.training.classifier import Classifier
from sweeps.training import build
from tests.lightning_modules.trained import composed, perceptron, tiny_data, train


def by_hand(network: nn.Module, data, recipe, *, epochs: int) -> list[dict[str, float]]:
    """The training without Lightning: a row of metrics an epoch."""
    loader = data.train_dataloader()
    optimizer, schedule = recipe.optimization(network.parameters(), epochs * len(loader))
    rows = []
    for epoch in range(epochs):
        sums = np.zeros(3)
        loader.set_epoch(epoch)
        network.train()
        for batch in loader:
            images, labels = data.on_after_batch_transfer(batch)
            logits = network(images)
            loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            sums += counts(loss, logits, labels)
        rows.append(means("train", sums) | means("val", evaluated(network, data, data.val_dataloader())))
    return rows


@torch.no_grad()
def evaluated(network: nn.Module, data, loader) -> np.ndarray:
    network.eval()
    parts = [data.on_after_batch_transfer(batch) for batch in loader]
    return sum(counts(F.cross_entropy(network(images), labels), network(images), labels) for images, labels in parts)


def counts(loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    return np.array([loss.item() * len(labels), (logits.argmax(1) != labels).sum().item(), len(labels)])


def means(part: str, sums: np.ndarray) -> dict[str, float]:
    return {f"{part}_loss": sums[0] / sums[2], f"{part}_error": 100 * sums[1] / sums[2]}


@pytest.mark.parametrize("overrides", [[], ["recipe.label_smoothing=0.1", "optimizer=adam", "schedule=steps"]])
def test_a_training_is_a_dozen_lines_of_torch(overrides: list[str]) -> None:
    trained = train(*overrides, "recipe.lr=0.01")
    network, data, recipe = build(composed(*overrides, "recipe.lr=0.01"))
    data.prepare_data()
    network = network.to(memory_format=torch.channels_last)
    rows = by_hand(network, data, recipe, epochs=2)
    assert len(trained.curve.rows) == 2
    for row, expected in zip(trained.curve.rows, rows, strict=True):
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert trained.weights.keys() == network.state_dict().keys()
    assert all(map(torch.equal, trained.weights.values(), network.state_dict().values())), "the same to the last bit"
    test = means("test", evaluated(network, data, data.test_dataloader()))
    metrics = {name: value for name, value in trained.done.metrics.items() if not name.endswith("_ece")}
    assert metrics == pytest.approx(rows[-1] | test, rel=1e-5)


def test_unequal_batches_count_by_their_images() -> None:
    """157 images are held out: a batch of 128 and one of 29. Errors are percent of images, not means over batches."""
    done = train().done
    wrong = done.metrics["val_error"] * 157 / 100
    assert wrong == pytest.approx(round(wrong), abs=1e-4)
    assert 0 < wrong < 157
    assert (done.metrics["train_error"] * 1280 / 100) % 1 == pytest.approx(0, abs=1e-4)
    assert (done.metrics["test_error"] * 360 / 100) % 1 == pytest.approx(0, abs=1e-4)


class Passes(Callback):
    """Counts the batches of each part, and keeps the weights as the test begins and ends."""

    def __init__(self) -> None:
        self.seen = {"train": 0, "val": 0, "test": 0}
        self.weights: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, *_) -> None:
        self.seen["train"] += 1

    def on_validation_batch_end(self, *_) -> None:
        self.seen["val"] += 1
        assert self.seen["test"] == 0

    def on_test_start(self, trainer, pl_module) -> None:
        self.weights.append({name: value.clone() for name, value in pl_module.network.state_dict().items()})

    def on_test_batch_end(self, *_) -> None:
        self.seen["test"] += 1


def test_the_test_set_is_looked_at_once_and_by_the_final_weights(monkeypatch) -> None:
    looked = []
    passes = Passes()
    original = tiny_data().__class__.test_dataloader
    monkeypatch.setattr(
        "lightning_modules.data.module.ImageData.test_dataloader", lambda data: looked.append(1) or original(data)
    )
    trained = train("recipe.epochs=3", callbacks=[passes])
    assert passes.seen == {"train": 30, "val": 6, "test": 3}
    assert len(looked) == 1
    assert all(map(torch.equal, passes.weights[0].values(), trained.weights.values()))


class Noise(Callback):
    """Draws numbers, and sets seeds, between two epochs."""

    def on_train_epoch_start(self, *_) -> None:
        torch.rand(13)

    def on_train_epoch_end(self, *_) -> None:
        np.random.seed(5)
        torch.manual_seed(123)


class Drawing(nn.Module):
    """A perceptron that notes what dropout would leave at every step of its training."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.masks = perceptron(), []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.masks.append(tuple(F.dropout(torch.ones(50)).tolist()))
        return self.inner(images)


def test_an_epoch_is_a_function_of_seed_and_epoch_alone() -> None:
    """Dropout included, and whatever draws numbers between two epochs."""
    plain, disturbed = (
        train("recipe.epochs=3", network=Drawing, data=tiny_data(), callbacks=c) for c in ([], [Noise()])
    )
    assert plain.classifier.network.masks == disturbed.classifier.network.masks
    assert all(map(torch.equal, plain.weights.values(), disturbed.weights.values()))
    other = train("recipe.epochs=3", "seed=1", network=Drawing, data=tiny_data(seed=1))
    every = [*plain.classifier.network.masks, *other.classifier.network.masks]
    assert len(every) == len(set(every)) == 30, "no epoch, step or seed shares its numbers with another"


def test_each_device_draws_its_own_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = []
    for rank in (0, 1):
        monkeypatch.setattr(Classifier, "global_rank", rank)
        masks.append(train("recipe.epochs=1", network=Drawing, data=tiny_data()).classifier.network.masks)
    assert not set(masks[0]) & set(masks[1])


def test_label_smoothing_changes_the_training_loss_only() -> None:
    """With weights that stand still, all other numbers are the same."""
    still = ["recipe.lr=1e-30", "recipe.weight_decay=0", "recipe.epochs=1"]
    plain, smooth = (
        train(*still, f"recipe.label_smoothing={s}", data=tiny_data(), network=perceptron) for s in (0, 0.3)
    )
    a, b = plain.done.metrics, smooth.done.metrics
    assert a["train_loss"] != pytest.approx(b["train_loss"], rel=1e-3)
    assert {k: v for k, v in a.items() if k != "train_loss"} == {k: v for k, v in b.items() if k != "train_loss"}


class Formats(Callback):
    """The memory formats and types that reach the second convolution."""

    def on_train_start(self, trainer, pl_module) -> None:
        self.seen: set[tuple[bool, bool, torch.dtype]] = set()
        convolution = [module for module in pl_module.network.modules() if isinstance(module, nn.Conv2d)][1]
        self.hook = convolution.register_forward_hook(self.look)

    def look(self, convolution, inputs, output) -> None:
        last = torch.channels_last
        (images,) = inputs
        weight = convolution.weight
        self.seen.add(
            (images.is_contiguous(memory_format=last), weight.is_contiguous(memory_format=last), output.dtype)
        )

    def on_train_end(self, *_) -> None:
        self.hook.remove()


@pytest.mark.parametrize("last", [True, False])
def test_channels_last_reaches_the_convolution_and_so_does_its_absence(last: bool) -> None:
    formats = Formats()
    train(f"recipe.channels_last={last}", "recipe.epochs=1", callbacks=[formats])
    assert formats.seen == {(last, last, torch.float32)}


def test_channels_last_changes_nothing_but_rounding() -> None:
    one, other = (train(f"recipe.channels_last={last}", "recipe.epochs=1").done.metrics for last in (True, False))
    assert one == pytest.approx(other, rel=0.05)


def test_bf16_computes_in_bf16_keeps_weights_in_float32_and_learns() -> None:
    formats = Formats()
    trained = train("recipe.precision=bf16-mixed", "recipe.epochs=4", callbacks=[formats])
    assert {dtype for _, _, dtype in formats.seen} == {torch.bfloat16}
    assert {weight.dtype for weight in trained.classifier.parameters()} == {torch.float32}
    assert trained.curve.rows[-1]["train_loss"] < 0.5 * trained.curve.rows[0]["train_loss"]


def test_the_sums_are_float32_whatever_is_added() -> None:
    """bf16 counts to 256 by ones, float16 to 2048."""
    classifier = Classifier(perceptron(), build(composed())[2], seed=0)
    for _ in range(2100):
        wrong, right = torch.tensor([[1.0, 0.0]]), torch.ones(1, dtype=torch.int64)
        classifier._add(torch.ones((), dtype=torch.float16), wrong, right)
    assert classifier.sums is not None
    assert (classifier.sums.tolist(), classifier.counts) == ([2100, 2100], [2100, 2100])


def test_the_sums_wait_on_the_device() -> None:
    """Nothing is copied to the host within an epoch: on a GPU, every copy would wait for it."""
    _, _, recipe = build(composed())
    classifier = Classifier(perceptron(), recipe, seed=0)
    with torch.device("meta"):
        classifier._add(torch.zeros(()), torch.zeros(4, 10), torch.zeros(4, dtype=torch.int64))
        classifier._add(torch.zeros(()), torch.zeros(4, 10), torch.zeros(4, dtype=torch.int64))
    assert classifier.sums is not None
    assert classifier.sums.device.type == "meta"
