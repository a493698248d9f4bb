"""Every task's loss is computed for several networks at once, where it is the same loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.vmapped.fused import TRAINING, Fused, why_not
from tests.lightning_modules.trained import composed, instantiate

NUMBERS = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
TARGETS = {"classification": torch.arange(16) % 2, "regression": NUMBERS, "multilabel": (NUMBERS > 0).long()}


def requests(task: str, *, scales: tuple[float, float] = (1.0, 1.0)) -> list[Any]:
    """What two trainings would ask for, whose training targets have these standard deviations."""
    made = []
    for seed, scale in enumerate(scales):
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
        learner = Fused(network, instantiate(composed(f"task={task}").recipe), seed=seed, member=None)  # type: ignore[arg-type]
        learner.task.begin(lambda scale=scale: scale * np.asarray(NUMBERS))
        made.append((TRAINING, learner, torch.randn(16, 1, 8, 8), TARGETS[task]))
    return made


@pytest.mark.parametrize("task", TARGETS)
def test_a_common_step_is_the_step_of_each_alone(task: str) -> None:
    assert why_not(requests(task), faster=False) is None


def test_targets_that_are_standardised_differently_are_not_computed_together() -> None:
    assert (
        why_not(requests("regression", scales=(1.0, 3.0)), faster=False) == "they standardise their targets differently"
    )


def test_tokens_are_compared_as_they_are() -> None:
    """In float64 they would be no indices of an embedding."""
    made = []
    for seed in range(2):
        torch.manual_seed(seed)
        learner = Fused(nn.Embedding(5, 5), instantiate(composed("task=next_token").recipe), seed=seed, member=None)  # type: ignore[arg-type]
        tokens = torch.randint(0, 5, (8, 6))
        made.append((TRAINING, learner, tokens, tokens))
    assert why_not(made, faster=False) is None
