"""Learning-rate schedules: the factor on the recipe's learning rate at each step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def with_total_steps(schedule: Callable[..., Any], total_steps: int) -> Callable[..., Any]:
    """Set the factory's parameter `total_steps`, if it has one that is not set, as torch's OneCycleLR has."""
    asks = "total_steps" in inspect.signature(getattr(schedule, "func", schedule)).parameters
    told = "total_steps" in getattr(schedule, "keywords", {})
    return partial(schedule, total_steps=total_steps) if asks and not told else schedule


def constant(optimizer: Optimizer) -> LambdaLR:
    """The same learning rate throughout."""
    return LambdaLR(optimizer, lambda step: 1.0)


def cosine(optimizer: Optimizer, *, total_steps: int, warmup: float = 0.0) -> LambdaLR:
    """Rises in a line over the first `warmup` share of the steps, then half a cosine down to 0. Loshchilov & Hutter."""
    rise = round(_share("warmup", warmup) * total_steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total_steps - rise)))

    return LambdaLR(optimizer, factor)


def step_decay(
    optimizer: Optimizer,
    *,
    total_steps: int,
    milestones: Sequence[float],
    factor: float = 0.1,
    warmup_steps: int = 0,
    warmup_factor: float = 0.1,
    warmup_from_depth: int = 0,
    depth: int = 0,
) -> LambdaLR:
    """Multiplied by `factor` at each milestone (a share of the steps). He et al. 2015, Sec. 4.2.

    Networks of `warmup_from_depth` layers and more start with `warmup_steps` steps at `warmup_factor` of the rate:
    the paper warms ResNet-110 up at 0.01, about 400 steps, before 0.1.
    """
    bounds = [_share("milestones", milestone) * total_steps for milestone in milestones]
    warm = warmup_steps if depth >= warmup_from_depth else 0

    def at(step: int) -> float:
        return warmup_factor if step < warm else factor ** sum(step >= bound for bound in bounds)

    return LambdaLR(optimizer, at)


def exponential(optimizer: Optimizer, *, total_steps: int, final: float = 0.01) -> LambdaLR:
    """Decays exponentially to `final` times the rate at the last step. Srivastava et al. 2015, Sec. 3.1."""
    return LambdaLR(optimizer, lambda step: final ** (step / max(1, total_steps)))


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"schedule.{name}: {value} is no share of the steps, from 0 to 1")
    return value
