"""Compute losses: the mean over a batch of what training minimises.

A loss is a function `loss(outputs, targets)`; its options follow as keywords, and are set by a file of `conf/loss`. Of
a task with classes, outputs are logits (B, classes), and targets classes (B,) or probabilities (B, classes).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """−Σ q log p, in nats, with q = (1 − ε)·target + ε/classes. Szegedy et al. 2016, Sec. 7."""
    return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)


def focal(logits: Tensor, targets: Tensor, *, gamma: float = 2.0) -> Tensor:
    """−(1 − p)^γ log p of the true class: less weight on what is learnt already. Lin et al. 2017, eq. 4, without α.

    Of probabilities as targets, the mean over classes with their weights. γ = 0 is the cross-entropy.
    """
    logs = logits.log_softmax(dim=-1)
    terms = -((1 - logs.exp()) ** gamma) * logs
    if targets.ndim == logits.ndim:
        return (terms * targets).sum(dim=-1).mean()
    return terms.gather(-1, targets[..., None]).mean()


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """(y − ŷ)²."""
    return F.mse_loss(outputs, targets.reshape(outputs.shape))


def l1(outputs: Tensor, targets: Tensor) -> Tensor:
    """|y − ŷ|."""
    return F.l1_loss(outputs, targets.reshape(outputs.shape))


def huber(outputs: Tensor, targets: Tensor, *, delta: float = 1.0) -> Tensor:
    """(y − ŷ)²/2 where it is at most δ away, and δ·(|y − ŷ| − δ/2) beyond. Huber 1964."""
    return F.huber_loss(outputs, targets.reshape(outputs.shape), delta=delta)


def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """−y log p − (1 − y) log(1 − p) with p = sigmoid(logit), the mean over labels, in nats."""
    return F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))
