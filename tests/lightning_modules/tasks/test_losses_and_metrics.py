"""Losses and metrics are what their papers say, by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lightning_modules.tasks import losses, metrics
from lightning_modules.tasks.task import Metric

RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(50, 7, generator=RANDOM)
LABELS = torch.randint(0, 7, (50,), generator=RANDOM)
NUMBERS, TRUE = torch.randn(50, 3, generator=RANDOM), torch.randn(50, 3, generator=RANDOM)
BITS = torch.randint(0, 2, (50, 3), generator=RANDOM)


def test_focal_loss_with_gamma_0_is_the_cross_entropy_and_weighs_what_is_learnt_less() -> None:
    assert losses.focal(LOGITS, LABELS, gamma=0) == pytest.approx(F.cross_entropy(LOGITS, LABELS).item())
    p = LOGITS.softmax(1)[torch.arange(50), LABELS]
    assert losses.focal(LOGITS, LABELS, gamma=3) == pytest.approx((-((1 - p) ** 3) * p.log()).mean().item())


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.focal])
def test_a_loss_of_classes_takes_their_probabilities_too(loss) -> None:
    one_hot = F.one_hot(LABELS, 7).float()
    assert loss(LOGITS, one_hot) == pytest.approx(loss(LOGITS, LABELS).item(), rel=1e-6)
    mixed = 0.3 * one_hot + 0.7 * one_hot.roll(1, 0)
    apart = 0.3 * loss(LOGITS, one_hot) + 0.7 * loss(LOGITS, one_hot.roll(1, 0))
    assert loss(LOGITS, mixed) == pytest.approx(apart.item(), rel=1e-6), "linear in the target"


def test_losses_of_numbers_and_of_labels() -> None:
    gap = (NUMBERS - TRUE).abs()
    assert losses.mse(NUMBERS, TRUE) == pytest.approx((gap**2).mean().item())
    assert losses.l1(NUMBERS, TRUE) == pytest.approx(gap.mean().item())
    inside = torch.where(gap <= 0.5, gap**2 / 2, 0.5 * (gap - 0.25))
    assert losses.huber(NUMBERS, TRUE, delta=0.5) == pytest.approx(inside.mean().item())
    p = NUMBERS.sigmoid()
    likelihood = torch.where(BITS > 0, p, 1 - p).log()
    assert losses.bce(NUMBERS, BITS) == pytest.approx(-likelihood.mean().item(), rel=1e-5)


@pytest.mark.parametrize("loss", [losses.mse, losses.l1, losses.huber])
def test_one_number_an_example_may_come_as_a_vector(loss) -> None:
    """(B, 1) beside (B,) would broadcast to (B, B)."""
    assert loss(NUMBERS[:, :1], TRUE[:, 0]) == loss(NUMBERS[:, :1], TRUE[:, :1])


def test_metrics_of_classes() -> None:
    p, order = LOGITS.softmax(1).numpy(), (-LOGITS).argsort(1).numpy()
    labels = LABELS.numpy()
    assert metrics.error(LOGITS, LABELS).float().mean() == pytest.approx((order[:, 0] != labels).mean())
    top3 = np.mean([label not in row[:3] for label, row in zip(labels, order, strict=True)])
    assert metrics.top_k_error(LOGITS, LABELS, k=3).float().mean() == pytest.approx(top3)
    assert not metrics.top_k_error(LOGITS, LABELS, k=100).any(), "with fewer classes than k none is wrong"
    assert metrics.brier(LOGITS, LABELS).mean() == pytest.approx(((p - np.eye(7)[labels]) ** 2).sum(1).mean(), rel=1e-5)
    nll = Metric(metrics.nll, better="lower", then="exp")
    values = metrics.nll(LOGITS, LABELS)
    perplexity = math.exp(F.cross_entropy(LOGITS, LABELS).item())
    assert nll.of(values.sum().item(), len(values)) == pytest.approx(perplexity, rel=1e-5)


def test_macro_f1_is_the_mean_of_the_classes() -> None:
    scores, guesses = [], LOGITS.argmax(1)
    for k in range(7):
        hits = ((guesses == k) & (k == LABELS)).sum().item()
        precision, recall = hits / max(1, (guesses == k).sum().item()), hits / max(1, (k == LABELS).sum().item())
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    assert metrics.macro_f1(LOGITS, LABELS) == pytest.approx(np.mean(scores), rel=1e-5)


def test_metrics_of_numbers_and_of_labels() -> None:
    shares = 1 - ((NUMBERS - TRUE) ** 2).sum(0) / ((TRUE - TRUE.mean(0)) ** 2).sum(0)
    assert metrics.r2(NUMBERS, TRUE) == pytest.approx(shares.mean().item(), rel=1e-5)
    assert metrics.r2(TRUE, TRUE) == 1
    assert metrics.r2(TRUE.mean(0).expand(50, 3), TRUE) == pytest.approx(0, abs=1e-6)
    rmse = Metric(metrics.squared_error, better="lower", then="sqrt")
    values = metrics.squared_error(NUMBERS, TRUE)
    assert rmse.of(values.sum().item(), values.numel()) == pytest.approx(F.mse_loss(NUMBERS, TRUE).sqrt().item())
    wrong = (NUMBERS > 0).int() != BITS
    assert metrics.hamming(NUMBERS, BITS).float().mean() == wrong.float().mean()
    assert metrics.subset_error(NUMBERS, BITS).float().mean() == wrong.any(1).float().mean()


@pytest.mark.parametrize(
    ("words", "says"), [({"better": "up"}, "better=up"), ({"better": "lower", "then": "log"}, "then=log")]
)
def test_a_metric_without_a_side_is_refused(words: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Metric(metrics.error, **words)
