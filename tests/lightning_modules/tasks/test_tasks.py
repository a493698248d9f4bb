"""Every task is trained for real: its numbers are those of the network's outputs on the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.data.digits import digits
from lightning_modules.tasks import metrics
from lightning_modules.tasks.classification import Classification
from lightning_modules.tasks.losses import bce, mse
from lightning_modules.tasks.multilabel import Multilabel
from lightning_modules.tasks.regression import Regression
from lightning_modules.tasks.task import Metric
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.fit import fit
from lightning_modules.training.history import Curve
from lightning_modules.training.micro_batch import MicroBatched
from tests.lightning_modules.trained import composed, instantiate, perceptron, tiny_data, train

ERROR = Metric(metrics.error, better="lower")


class Tokens(LightningDataModule):
    """Digits as sequences of their 64 pixels: tokens from 0 to 16, each its own target."""

    classes = 17

    def __init__(self) -> None:
        super().__init__()
        images = digits(None)  # type: ignore[arg-type]
        tokens = torch.from_numpy(images.train_images).flatten(1).long()
        self.parts = {"train": tokens[:256], "val": tokens[256:300], "test": tokens[300:350]}

    @property
    def train_targets(self) -> np.ndarray:
        return self.parts["train"].numpy()

    def batches(self, part: str) -> Any:
        return DataLoader(TensorDataset(self.parts[part], self.parts[part]), batch_size=32)

    def train_dataloader(self) -> Any:
        return self.batches("train")

    def val_dataloader(self) -> Any:
        return self.batches("val")

    def test_dataloader(self) -> Any:
        return self.batches("test")


class LastToken(nn.Module):
    """The next token by the last one and the one before it, which a causal network may look at."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Embedding(17, 17), nn.Embedding(17, 17)
        for table in (self.one, self.two):
            nn.init.zeros_(table.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.one(tokens) + self.two(tokens.roll(1, 1))


def outputs(trained: Any, part: str) -> tuple[Tensor, Tensor]:
    """The trained network's outputs for a part, and the targets."""
    loader = getattr(trained.data, f"{part}_dataloader")()
    network = trained.classifier.network.eval()
    with torch.no_grad():
        pairs = [trained.data.on_after_batch_transfer(batch, 0) for batch in loader]
        made = torch.cat([network(inputs) for inputs, _ in pairs])
    return made, torch.cat([targets for _, targets in pairs])


@pytest.fixture(scope="module")
def centre() -> Any:
    return train("data=digits_centre", "metric=rmse", "recipe.epochs=3")


def test_a_regression_is_in_the_units_of_the_data(centre: Any) -> None:
    made, targets = outputs(centre, "val")
    trained_on = torch.from_numpy(centre.data.train_targets).double()
    mean, scale = trained_on.mean(0), trained_on.std(0, correction=0)
    predicted, found = made.double() * scale + mean, centre.done.metrics
    assert found["val_mse"] == pytest.approx(F.mse_loss(predicted, targets.double()).item(), rel=1e-5)
    assert found["val_rmse"] == pytest.approx(found["val_mse"] ** 0.5, rel=1e-6)
    assert found["val_mae"] == pytest.approx((predicted - targets).abs().mean().item(), rel=1e-5)
    assert found["val_loss"] == pytest.approx((((predicted - targets) / scale) ** 2).mean().item(), rel=1e-5)
    assert found["val_r2"] == pytest.approx(metrics.r2(predicted, targets).item(), rel=1e-4)
    assert found["val_r2"] > 0.5, "it learns"


def test_a_regression_has_the_columns_of_its_metrics_and_no_classes(centre: Any) -> None:
    parts = {f"{part}_{name}" for part in ("train", "val", "test") for name in ("loss", "mse", "mae", "rmse")}
    assert set(centre.done.metrics) == parts | {"val_r2", "test_r2"}
    assert set(centre.curve.rows[-1]) - {"epoch", "lr", "seconds"} == {
        name for name in centre.done.metrics if not name.startswith("test")
    }
    assert centre.done.predictions == {}


def test_the_unit_of_a_standardised_target_changes_nothing_that_is_learnt() -> None:
    """Targets in hundredths of a pixel give the same weights, and a hundred times the absolute error."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(100, 2)).astype(np.float32)
    task = {kind: Regression(loss=mse, metrics={"mae": MAE}, judged="mae", standardise=kind) for kind in (True, False)}
    outputs = torch.randn(100, 2)
    for standardise, one in task.items():
        one.begin(lambda: numbers)
        small = one.loss(outputs, torch.from_numpy(numbers))
        one.begin(lambda: 100 * numbers + 7)
        large = one.loss(outputs, torch.from_numpy(100 * numbers + 7))
        assert torch.isclose(small, large, rtol=1e-4).item() == standardise


MAE = Metric(metrics.absolute_error, better="lower")


def test_a_multilabel_task() -> None:
    trained = train("data=digits_traits", "recipe.epochs=3", "recipe.lesions=true")
    made, targets = outputs(trained, "test")
    wrong = (made > 0) != (targets > 0)
    assert trained.done.metrics["test_hamming"] == pytest.approx(100 * wrong.float().mean().item())
    assert trained.done.metrics["test_subset_error"] == pytest.approx(100 * wrong.any(1).float().mean().item())
    assert trained.done.metrics["test_loss"] == pytest.approx(bce(made, targets).item(), rel=1e-5)
    assert trained.done.metrics["val_hamming"] < 25, "it learns: always saying no errs by 43%"
    whole = trained.done.metrics["val_hamming"]
    for row in trained.done.lesions:
        assert row["damage"] == pytest.approx(row["val_hamming"] - whole)


def learnt_tokens(**changes: Any) -> tuple[Any, nn.Module]:
    config = composed("task=next_token", "recipe.epochs=3", "optimizer=adam", "recipe.lr=0.1")
    recipe, data, curve = instantiate(config.recipe), Tokens(), Curve(lambda rows, new: None)
    torch.manual_seed(0)
    network = LastToken()
    learner = changes.get("learner", Classifier)(network, recipe, seed=0)
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[curve])
    return fit(learner, data, trainer, curve), network


def test_a_next_token_task_counts_every_token_that_is_predicted() -> None:
    done, network = learnt_tokens()
    tokens = Tokens().parts["test"]
    with torch.no_grad():
        logits = network(tokens)[:, :-1]
    nll = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert done.metrics["test_perplexity"] == pytest.approx(nll.exp().item(), rel=1e-5)
    assert done.metrics["test_loss"] == pytest.approx(nll.item(), rel=1e-5)
    wrong = (logits.argmax(-1) != tokens[:, 1:]).float().mean().item()
    assert done.metrics["test_token_error"] == pytest.approx(100 * wrong, rel=1e-5)
    assert done.metrics["test_perplexity"] < 15, "it learns: of a vocabulary of 17, all of it equally likely at first"


def test_tokens_taken_in_parts_are_the_same_steps() -> None:
    whole, _ = learnt_tokens()
    parts, _ = learnt_tokens(learner=lambda *args, **named: MicroBatched(*args, **named, size=10))
    assert parts.metrics == pytest.approx(whole.metrics, rel=1e-4)


@pytest.mark.parametrize(
    ("task", "targets", "outputs_", "says"),
    [
        ("classification", np.zeros(4), 2, "one whole number an example; the data has float64 of 4"),
        ("classification", np.zeros((4, 2)), 2, "one whole number an example; the data has float64 of 4 × 2"),
        ("classification", np.zeros(4, int), 1, "the data has one class alone, and nothing to learn"),
        ("regression", np.zeros((4, 2)), 3, "set data.classes=2"),
        ("regression", np.array(["a"]), 1, "wants numbers"),
        ("regression", np.array([1.0, np.nan]), 1, "not a finite number"),
        ("multilabel", np.array([[0, 2]]), 2, "0 or 1 for each of k labels"),
        ("multilabel", np.zeros((4, 2), int), 3, "set data.classes=2"),
        ("next_token", np.zeros(4, int), 2, "tokens"),
        ("next_token", np.array([[0, 5]]), 5, "token 5 is not in a vocabulary of 0 to 4"),
        ("next_token", np.zeros((4, 2), int), 1, "the data has one token alone, and nothing to learn"),
    ],
)
def test_targets_of_another_task_are_refused(task: str, targets: np.ndarray, outputs_: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        instantiate(composed(f"task={task}").recipe).learnt.check(targets, outputs_)


def test_what_a_task_is_judged_by_has_a_better_side_and_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match=r"judged=mse is none of its metrics: error"):
        Multilabel(loss=bce, metrics={"error": ERROR}, judged="mse")
    with pytest.raises(ValueError, match="neither side"):
        Multilabel(loss=bce, metrics={"a": Metric(metrics.error, better="none")}, judged="a")
    with pytest.raises(ValueError, match="has a error already"):
        Classification(further={"error": ERROR})


def test_label_smoothing_without_a_cross_entropy_is_refused() -> None:
    with pytest.raises(Exception, match="is for loss=cross_entropy alone"):
        instantiate(composed("loss=focal", "recipe.label_smoothing=0.1").recipe)


@pytest.mark.parametrize("augment", ["mixup", "cutmix"])
def test_a_training_on_mixed_images_depends_on_the_seed_alone(augment: str) -> None:
    first = "augment.first._target_=lightning_modules.data.augment.NoAugment"
    one, again = (
        train(f"augment={augment}", first, "~augment.first.pad", network=perceptron, data=tiny_data()) for _ in range(2)
    )
    plain = train(network=perceptron, data=tiny_data())
    assert one.done.metrics == again.done.metrics
    assert one.done.metrics["train_loss"] != plain.done.metrics["train_loss"]
    assert one.done.predictions.keys() == plain.done.predictions.keys(), "it is evaluated on whole images"


def test_the_further_metrics_of_a_classification_change_none_of_its_numbers() -> None:
    plain, further = (train(metric, network=perceptron, data=tiny_data()) for metric in ("metric=none", "metric=top5"))
    assert further.done.metrics.items() >= plain.done.metrics.items()
    assert set(further.done.metrics) - set(plain.done.metrics) == {"train_top5", "val_top5", "test_top5"}
