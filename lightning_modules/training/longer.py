"""Go on from the state that a shorter run of the same kind ended with, where its schedule did not look at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from torch import nn

from lightning_modules.training.history import LastEpoch
from lightning_modules.training.recipe import Recipe
from lightning_modules.training.schedules import with_total_steps


def same_beginning(recipe: Recipe, shorter: int, longer: int) -> bool:
    """Tell whether a training of `longer` steps begins with the learning rates of one of `shorter` steps.

    Both schedules are stepped through, up to and with the rate of the step that follows the shorter training. Momentum
    and whatever else a schedule moves is compared too. It is so of a constant rate and of schedules that count steps,
    such as torch's StepLR and MultiStepLR; not of those that are shares of the length, as a cosine is.
    """
    if with_total_steps(recipe.schedule, longer) is recipe.schedule:  # it knows no end
        return True
    ways = [recipe.optimization([nn.Parameter(torch.zeros(1))], steps) for steps in (shorter, longer)]
    for step in range(shorter + 1):
        rates = [[_settings(group) for group in optimizer.param_groups] for optimizer, _ in ways]
        if rates[0] != rates[1]:
            return False
        if step < shorter:
            for optimizer, schedule in ways:
                optimizer.step()
                schedule.step()
    return True


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name not in ("params", "initial_lr")}


def save_last_state(last: LastEpoch, path: Path) -> None:
    """Write the state that a training ended with, atomically: from memory, or from disk if it was saved just then."""
    part = path.with_name(f".{path.name}.part")
    if last.copy is not None:
        torch.save(last.copy, part)
    else:
        copyfile(last.path, part)
    os.replace(part, path)


def hand_over(state: Path, checkpoint: Path, origin: Mapping[str, str | None]) -> None:
    """Copy the state of a shorter run to the checkpoint of a longer one.

    Args:
        origin: of the longer run, as `LastEpoch` writes it.
    """
    content = torch.load(state, map_location="cpu", weights_only=True)
    content["callbacks"]["LastEpoch"] = dict(origin)
    part = checkpoint.with_name(f".{checkpoint.name}.part")
    torch.save(content, part)
    os.replace(part, checkpoint)
