"""Compute metrics: functions of a network's outputs and the targets, a value an example, or one of all examples.

Where a task has classes, outputs are logits (B, classes), or (B, L, classes) of a sequence; targets are classes (B,) or
(B, L), or, where images were mixed, probabilities (B, classes), of which the largest counts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def classes_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """The classes that targets name: themselves, or the likeliest where they are probabilities."""
    return targets.argmax(dim=-1) if targets.ndim == outputs.ndim else targets


def error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the likeliest class is wrong."""
    return outputs.argmax(dim=-1) != classes_of(outputs, targets)


def top_k_error(outputs: Tensor, targets: Tensor, *, k: int) -> Tensor:
    """Whether the true class is not among the `k` likeliest. Krizhevsky et al. 2012 report k = 1 and 5."""
    likeliest = outputs.topk(min(k, outputs.shape[-1]), dim=-1).indices
    return (likeliest != classes_of(outputs, targets)[..., None]).all(dim=-1)


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    """Σ over classes of (p − 1[true class])², from 0 to 2. Brier 1950."""
    true = F.one_hot(classes_of(outputs, targets), outputs.shape[-1])
    return (outputs.float().softmax(dim=-1) - true).square().sum(dim=-1)


def nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """−log p(true class) in nats; its mean's exponential is the perplexity."""
    logs = outputs.float().log_softmax(dim=-1)
    return -logs.gather(-1, classes_of(outputs, targets)[..., None])[..., 0]


def macro_f1(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over classes of F1 = 2·TP / (2·TP + FP + FN); a class that is neither true nor predicted counts as 1.

    Of all examples, so `whole: true`.
    """
    count = outputs.shape[-1]
    true = F.one_hot(classes_of(outputs, targets).flatten(), count).float()
    guessed = F.one_hot(outputs.argmax(dim=-1).flatten(), count).float()
    hits, both = (true * guessed).sum(0), true.sum(0) + guessed.sum(0)
    return torch.where(both > 0, 2 * hits / both.clamp(min=1), 1.0).mean()


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(y − ŷ)², in squared units of the target."""
    return (outputs - targets.reshape(outputs.shape)).square()


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """|y − ŷ|, in units of the target."""
    return (outputs - targets.reshape(outputs.shape)).abs()


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """1 − Σ(y − ŷ)² / Σ(y − ȳ)², the mean over targets; at most 1, and 0 for the mean as prediction.

    Of all examples, so `whole: true`.
    """
    targets = targets.reshape(outputs.shape).double()
    left = (outputs.double() - targets).square().sum(0)
    return (1 - left / (targets - targets.mean(0)).square().sum(0)).mean()


def hamming(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether each single label is wrong, a label being predicted where its logit is above 0: the Hamming loss."""
    return (outputs > 0) != (targets > 0.5)


def subset_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether any label of an example is wrong."""
    return hamming(outputs, targets).any(dim=-1)
